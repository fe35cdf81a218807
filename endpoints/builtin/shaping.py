"""JSON by a schema, for chats that are no task of evolgraph's, and JSON as servers write it that ignore schemas."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from .request import BadRequest

Schema = Mapping[str, Any]
_DEEPEST: Final = 32
_FILLING: Final = "text"


def instance(schema: Schema) -> Any:
    """The plainest value that fits a small JSON schema. Raises BadRequest for a schema that it cannot follow."""
    return _made(schema, schema, 0)


def _made(schema: Any, root: Schema, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        raise _refused("a part of it is no schema, or it is nested too deeply")
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if (inner := _inner(schema, root)) is not None:
        return _made(inner, root, depth + 1)
    match schema.get("type", "object"):
        case "object":
            known = schema.get("properties", {})
            return {name: _made(known.get(name, {}), root, depth + 1) for name in schema.get("required", known)}
        case "array":
            first = list(schema.get("prefixItems", ()))
            more = max(0, schema.get("minItems", 0) - len(first))
            return [_made(item, root, depth + 1) for item in [*first, *[schema.get("items", {})] * more]]
    return _plain(schema)


def _inner(schema: Schema, root: Schema) -> Any:
    """The schema that stands for `schema`: what it refers to, or its first alternative; None for a plain one."""
    match schema:
        case {"$ref": str(ref)}:
            return _target(ref, root)
        case {"anyOf": [first, *_]} | {"oneOf": [first, *_]} | {"allOf": [first]}:
            return first
        case {"type": [first, *_]}:
            return {**schema, "type": first}
    return None


def _plain(schema: Schema) -> Any:
    match schema["type"]:
        case "string":
            return _FILLING.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            return math.ceil(min(max(0, least), schema.get("maximum", math.inf)))
        case "boolean":
            return False
        case "null":
            return None
    raise _refused(f"there is no type {str(schema['type'])[:40]}")


def _target(ref: str, root: Schema) -> Any:
    found: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        if not isinstance(found, dict) or step not in found:
            raise _refused(f"{ref[:80]} is not in it")
        found = found[step]
    return found


def _refused(why: str) -> BadRequest:
    return BadRequest(f"the schema of the response_format cannot be followed: {why}", param="response_format")


def told_schema(parts: Sequence[str | bytes]) -> Schema | None:
    """The JSON schema that the prompt's words hold, the last one of several; None where they hold none."""
    for part in reversed(parts):
        if isinstance(part, str) and '"properties"' in part:
            for line in reversed(part.splitlines()):
                if line.startswith("{") and isinstance(schema := _parsed(line), dict) and "properties" in schema:
                    return schema
    return None


def loosely(text: str, variant: int, *, told: bool) -> str:
    """The JSON `text` as it comes without a grammar: in prose or a fence, under other names unless they were told."""
    value = _parsed(text)
    if not isinstance(value, dict):
        return text
    if not told:
        value = {f"{name}_list": part for name, part in value.items()}
    if variant % 2:
        return f"Sure! Here is the JSON:\n\n```json\n{json.dumps(value, indent=2)}\n```\n\nLet me know if it {{fits}}."
    return f"The result is {json.dumps(value)} and that is all."


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
