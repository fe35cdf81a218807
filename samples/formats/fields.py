"""Typed access to the fields of a row; what does not fit is a RowError that names field and remedy."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ..embedded import is_data_uri
from ..sample import QA, Box

MAX_TEXT: Final = 1_000_000
"""UTF-8 bytes of one text."""

Reference = str | bytes
"""Where an image is: a path under the image root, a data URI, or the bytes themselves."""
Unknown = Counter[tuple[str, str]]
"""How often a label was outside its vocabulary: (`skill`, `form` or `manipulation`; the label) to a count."""
_NO_IMAGE: Final = "name the image file; a row of text alone cannot be used"


class RowError(Exception):
    """A row that cannot become a sample: which field, why, and what to do."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason} ({remedy})")
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Draft:
    """What a row says, before its images are inspected."""

    id: str
    images: tuple[Reference, ...]
    qas: tuple[QA, ...]
    spare_id: str = ""
    """Taken when another row has `id` already."""
    caption: str = ""
    boxes: tuple[Box, ...] = ()
    topic: tuple[str, ...] = ()
    unknown: Unknown = field(default_factory=Counter)


def kind(value: object) -> str:
    """The JSON name of the type of `value`."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), "null")


def text(value: object, name: str, *, empty: bool = True) -> str:
    """`value` if it is a text of at most MAX_TEXT bytes without NUL."""
    if not isinstance(value, str):
        raise RowError(name, f"expected a text, found {kind(value)}", "write a text")
    if "\0" in value:
        raise RowError(name, "holds a NUL character", "remove it")
    if len(value) > MAX_TEXT or len(value.encode()) > MAX_TEXT:
        raise RowError(name, f"{len(value.encode())} bytes > limit of {MAX_TEXT} bytes", "shorten it")
    if not empty and not value.strip():
        raise RowError(name, "is empty", "fill it in")
    return value


def required(row: Mapping[str, Any], name: str, place: str = "") -> Any:
    """The value of the field `name`, which must be there. `place` is put before the name in an error."""
    if name not in row:
        raise RowError(f"{place}{name}", f"missing {name}", "add the field")
    return row[name]


def entries(value: object, name: str) -> list[Any]:
    """`value` if it is a list; a missing one (None) is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(name, f"expected a list, found {kind(value)}", "write a list")
    return value


def objects(value: object, name: str) -> list[dict[str, Any]]:
    """`value` if it is a list of objects; a missing one (None) is empty."""
    found = entries(value, name)
    for index, entry in enumerate(found):
        if not isinstance(entry, dict):
            raise RowError(f"{name}[{index}]", f"expected an object, found {kind(entry)}", "write an object")
    return found


def texts(value: object, name: str) -> tuple[str, ...]:
    """A list of texts; one text counts as a list of one."""
    if isinstance(value, str):
        value = [value] if value else []
    return tuple(text(entry, f"{name}[{index}]") for index, entry in enumerate(entries(value, name)))


def caption_text(value: object) -> str:
    """A caption: a text as it is, or the model's turns of a captioning conversation; empty for a missing one (None)."""
    if isinstance(value, str):
        return text(value, "caption")
    turns = objects(value, "caption")
    said = (text(turn.get("value"), f"caption[{i}].value") for i, turn in enumerate(turns) if turn.get("from") == "gpt")
    return "\n".join(said)


def identity(row: Mapping[str, Any]) -> str:
    """The row's `id`, a text or a whole number."""
    value = required(row, "id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value, "id", empty=False)


def identity_or_digest(row: Mapping[str, Any]) -> str:
    """The row's `id`; for a row without one 16 hex digits that follow from its content."""
    if row.get("id") is not None:
        return identity(row)
    return content_digest(row)


def content_digest(row: Mapping[str, Any]) -> str:
    """16 hex digits that follow from what `row` holds, in whatever order its fields are. Raises RowError."""
    try:
        data = orjson.dumps(row, default=_digest, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise RowError("row", f"cannot be told apart: {error}", "give it an id of its own") from error
    return hashlib.sha256(data).hexdigest()[:16]


def _digest(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else repr(value)


def image_references(row: Mapping[str, Any]) -> tuple[Reference, ...]:
    """The images of the row's `image` or `images`: one, or a list."""
    value = row.get("image", row.get("images"))
    if "image" not in row and value is None:
        raise RowError("image", "missing image", _NO_IMAGE)
    if isinstance(value, list):
        if not value:
            raise RowError("image", "missing image", _NO_IMAGE)
        return tuple(image_reference(entry, f"image[{index}]") for index, entry in enumerate(value))
    return (image_reference(value, "image"),)


def image_reference(value: object, name: str) -> Reference:
    """One image: a path, a data URI, bytes, or an object of `bytes` and `path` as Hugging Face datasets hold it."""
    if isinstance(value, dict) and value.keys() & {"bytes", "path"} and not value.keys() - {"bytes", "path"}:
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
    if isinstance(value, bytes) or (isinstance(value, str) and is_data_uri(value)):
        return value
    if not isinstance(value, str):
        expected = "a text" if "[" in name else "a path"
        raise RowError(name, f"expected {expected}, found {kind(value)}", "write the path of the image file")
    return value


def labels(
    values: tuple[str, ...], normalise: Callable[[str], str | None], vocabulary: str, unknown: Unknown
) -> tuple[str, ...]:
    """The members of a vocabulary that `values` name, each once, in order; the others are counted in `unknown`."""
    found: dict[str, None] = {}
    for value in values:
        if (member := normalise(value)) is not None:
            found[member] = None
        else:
            unknown[vocabulary, value] += 1
    return tuple(found)
