"""Reads seed files of any known layout, each row recognised by what it holds, as a stream."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ..images import ImageError, ImageRoot
from ..sample import Sample
from . import llava, mmevol
from .fields import Draft, RowError, Unknown, kind
from .streaming import FormatError, Row, rows

__all__ = ["LAYOUTS", "FormatError", "Layout", "Rejected", "Unknown", "read", "read_ahead", "recognised"]

_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of seed file."""

    name: str
    matches: Callable[[Mapping[str, Any]], bool]
    parse: Callable[[Mapping[str, Any]], Draft]


LAYOUTS: Final = (Layout("mmevol", mmevol.matches, mmevol.parse), Layout("llava", llava.matches, llava.parse))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that did not become a sample."""

    where: str
    """File and line, the number of the item in a list, and the sample's id where it is known."""
    reason: str
    """The field, what is wrong with it, and the remedy, in one line."""
    row: Any
    """The row as it was read; its text where it is not JSON."""


def recognised(row: Mapping[str, Any]) -> Layout | None:
    """The layout that `row` is written in, or None."""
    return next((layout for layout in LAYOUTS if layout.matches(row)), None)


def read(
    path: Path, images: ImageRoot | Path | None = None, *, unknown: Unknown | None = None
) -> Iterator[Sample | Rejected]:
    """The samples of the seed file `path` in order, and in their places the rows that were rejected.

    `images` is the image root; by default the folder of the file. Labels outside the vocabularies are counted in
    `unknown`. Every image is decoded once, so this blocks: in a coroutine use `read_ahead`. Memory stays flat but for
    the ids. Raises FormatError when the file as a whole cannot be read, which can come after the first rows.
    """
    root = images if isinstance(images, ImageRoot) else ImageRoot(images or path.parent)
    taken: dict[str, int] = {}
    counts: Unknown = Counter() if unknown is None else unknown
    for number, row in enumerate(rows(path), start=1):
        yield _sample(row, number, root, taken, counts)


async def read_ahead(
    path: Path, images: ImageRoot | Path | None = None, *, unknown: Unknown | None = None
) -> AsyncIterator[Sample | Rejected]:
    """`read` in a worker thread, a few rows at a time."""
    source = read(path, images, unknown=unknown)
    while batch := await asyncio.to_thread(lambda: list(islice(source, _BATCH))):
        for item in batch:
            yield item


def _sample(row: Row, number: int, root: ImageRoot, taken: dict[str, int], unknown: Unknown) -> Sample | Rejected:
    where = row.where
    try:
        if row.error:
            raise RowError("row", row.error, "correct the JSON")
        where = _named(where, row.value)
        draft = _draft(row.value)
        sample = Sample(
            id=_free_id(draft, taken),
            images=tuple(root.inspect(path) for path in draft.images),
            caption=draft.caption,
            boxes=draft.boxes,
            topic=draft.topic,
            qas=draft.qas,
        )
    except ImageError as error:
        return Rejected(where, f"image: {error}", row.value)
    except RowError as error:
        return Rejected(where, str(error), row.value)
    taken[sample.id] = number
    unknown.update(draft.unknown)
    return sample


def _named(where: str, row: object) -> str:
    name = row.get("id") if isinstance(row, dict) else None
    return f"{where} ({name})" if isinstance(name, str | int) and str(name).isprintable() else where


def _draft(row: object) -> Draft:
    if not isinstance(row, dict):
        raise RowError("row", f"expected an object, found {kind(row)}", "write one object a sample")
    layout = recognised(row)
    if layout is None:
        raise RowError("row", "neither conversations_v0 (mmevol) nor conversations (llava)", "use one of these layouts")
    return layout.parse(row)


def _free_id(draft: Draft, taken: Mapping[str, int]) -> str:
    """The row's id, or its `hash_id` when another row has the id: published MMEvol files repeat ids."""
    if draft.id not in taken:
        return draft.id
    if draft.spare_id and draft.spare_id not in taken:
        return draft.spare_id
    raise RowError("id", f"duplicate id {draft.id!r}: row {taken[draft.id]} has it too", "give each its own id")
