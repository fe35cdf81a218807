"""Typed access to the fields of a row; what does not fit is a RowError that names field and remedy."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..sample import QA, Box

MAX_TEXT: Final = 1_000_000
"""UTF-8 bytes of one text."""

Unknown = Counter[tuple[str, str]]
"""How often a label was outside its vocabulary: (`skill`, `form` or `manipulation`; the label) to a count."""


class RowError(Exception):
    """A row that cannot become a sample: which field, why, and what to do."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason} ({remedy})")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a row says, before its images are inspected."""

    id: str
    images: tuple[str, ...]
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


def identity(row: Mapping[str, Any]) -> str:
    """The row's `id`, a text or a whole number."""
    value = required(row, "id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value, "id", empty=False)


def image_paths(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The row's `image`: a path, or a list of paths."""
    value = row.get("image", row.get("images"))
    if "image" not in row and value is None:
        raise RowError("image", "missing image", "name the image file")
    if not isinstance(value, str | list):
        raise RowError("image", f"expected a path, found {kind(value)}", "write the path of the image file")
    paths = texts(value, "image")
    if not paths:
        raise RowError("image", "missing image", "name the image file")
    return paths


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
