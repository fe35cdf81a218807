"""JSON schemas of reply models, in the subset that vLLM, SGLang, llama.cpp and OpenAI all enforce."""

import re
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel

_DROPPED = frozenset({"title", "default", "description", "minLength", "maxLength", "format"})
"""Keywords that some server refuses or that only slow a grammar down; the reply is validated here anyway."""


def strict_schema(reply: type[BaseModel]) -> dict[str, Any]:
    """The schema of `reply` with every property required and no others allowed."""
    return _strict(reply.model_json_schema())


@lru_cache(maxsize=1024)
def response_format(name: str, reply: type[BaseModel]) -> orjson.Fragment:
    """The request's `response_format` for `reply`, ready to be spliced in."""
    schema = {"name": re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64], "schema": strict_schema(reply), "strict": True}
    return orjson.Fragment(orjson.dumps({"type": "json_schema", "json_schema": schema}))


@lru_cache(maxsize=1024)
def schema_text(reply: type[BaseModel]) -> str:
    """What a prompt says about the form of its reply, for servers that do not enforce a `response_format`."""
    return told_as_text(strict_schema(reply))


def told_as_text(schema: dict[str, Any]) -> str:
    """The same for a JSON schema."""
    return (
        "Reply with one JSON object and nothing else: no words before or after it, no code fence. It has every property"
        f" that this JSON schema names, and no other:\n{orjson.dumps(schema).decode()}"
    )


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items() if key not in _DROPPED}
    for named in ("properties", "$defs"):  # in these the keys are names, not keywords
        if named in node:
            made[named] = {name: _strict(value) for name, value in node[named].items()}
    if "properties" in made:
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    return _plain_tuple(made)


def _plain_tuple(node: dict[str, Any]) -> dict[str, Any]:
    """A tuple of equal items as an array of fixed length: OpenAI knows no `prefixItems`."""
    items = node.get("prefixItems")
    if items and all(item == items[0] for item in items):
        node = {key: value for key, value in node.items() if key != "prefixItems"} | {"items": items[0]}
    return node
