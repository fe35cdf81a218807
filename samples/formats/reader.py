"""Reads seed files of any known layout, each row recognised by what it holds, as a stream."""

import asyncio
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ..embedded import is_data_uri
from ..images import ImageError, ImageRoot
from ..remote import is_url
from ..sample import Image, Sample
from . import llava, mmevol, openai, sharegpt
from .fields import Draft, Reference, RowError, Unknown, content_digest, kind
from .streaming import Extent, FormatError, Row
from .streaming import rows as text_rows
from .tables import is_table, table_rows

__all__ = [
    "LAYOUTS",
    "Extent",
    "FormatError",
    "Layout",
    "Rejected",
    "Unknown",
    "read",
    "read_ahead",
    "recognised",
    "rows",
]

_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of a seed file is written."""

    name: str
    matches: Callable[[Mapping[str, Any]], bool]
    parse: Callable[[Mapping[str, Any]], Draft]


LAYOUTS: Final = (
    Layout("mmevol", mmevol.matches, mmevol.parse),
    Layout("sharegpt", sharegpt.matches, sharegpt.parse),
    Layout("llava", llava.matches, llava.parse),
    Layout("openai", openai.matches, openai.parse),
)
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that did not become a sample."""

    where: str
    """File and line, the number of the item in a list, and the sample's id where it is known."""
    reason: str
    """The field, what is wrong with it, and the remedy, in one line."""
    row: Any
    """The row as it was read; its text where it is not JSON."""
    remedy: str = ""
    """The remedy alone, which rows with the same fault share."""


def recognised(row: Mapping[str, Any]) -> Layout | None:
    """The layout that `row` is written in, or None."""
    return next((layout for layout in LAYOUTS if layout.matches(row)), None)


def rows(path: Path, extent: Extent | None = None) -> Iterator[Row]:
    """The rows of `path`: JSON, JSON lines, Parquet, Arrow, or a folder of tables, noted in `extent` as they are read.

    Raises FormatError.
    """
    yield from table_rows(path, extent) if is_table(path) else text_rows(path, extent)


def read(
    path: Path,
    images: ImageRoot | Path | None = None,
    *,
    layout: str | None = None,
    unknown: Unknown | None = None,
    extent: Extent | None = None,
) -> Iterator[Sample | Rejected]:
    """The samples of the seed file `path` in order, and in their places the rows that were rejected.

    `images` is the image root; by default the folder of the file. `layout` is the name of the one that all rows are
    read in; by default each is recognised. What is not kept (labels outside the vocabularies, system turns, ids that
    other rows have) is counted in `unknown`; how far the file has been read is noted in `extent`. Every image is
    decoded once, so this blocks: in a coroutine use `read_ahead`. Memory stays flat but for the ids and a hash of each
    row. Raises FormatError when the file as a whole cannot be read, which can come after the first rows.
    """
    root = images if isinstance(images, ImageRoot) else ImageRoot(images or image_folder(path))
    reading = _Reading(root, _layout(layout), Counter() if unknown is None else unknown)
    for number, row in enumerate(rows(path, extent), start=1):
        yield reading.sample(row, number)


def image_folder(path: Path) -> Path:
    """The folder that the image paths of the seed file `path` are relative to, unless another is named."""
    return path if path.is_dir() else path.parent


def _layout(name: str | None) -> Layout | None:
    found = next((layout for layout in LAYOUTS if layout.name == name), None)
    if name and found is None:
        names = ", ".join(layout.name for layout in LAYOUTS)
        raise FormatError(f"no format {name!r}", remedy=f"use one of {names}")
    return found


async def read_ahead(
    path: Path, images: ImageRoot | Path | None = None, *, layout: str | None = None, unknown: Unknown | None = None
) -> AsyncIterator[Sample | Rejected]:
    """`read` in a worker thread, a few rows at a time."""
    source = read(path, images, layout=layout, unknown=unknown)
    while batch := await asyncio.to_thread(lambda: list(islice(source, _BATCH))):
        for item in batch:
            yield item


@dataclass(slots=True)
class _Reading:
    """A file as it is read: the ids that are `taken`, by which row, and a hash of what each row `said`."""

    images: ImageRoot
    layout: Layout | None
    unknown: Unknown
    taken: dict[str, int] = field(default_factory=dict)
    said: "array[int]" = field(default_factory=lambda: array("q"))

    def sample(self, row: Row, number: int) -> Sample | Rejected:
        where = row.where
        self.said.append(0)
        try:
            if row.error:
                raise RowError("row", row.error, "correct the row")
            where = _named(where, row.value)
            draft = _draft(row.value, self.layout)
            self.said[-1] = _said(draft)
            name = self._free_id(draft)
            self.taken[name] = number
            sample = Sample(
                id=name,
                images=tuple(_inspected(self.images, image) for image in draft.images),
                caption=draft.caption,
                boxes=draft.boxes,
                topic=draft.topic,
                qas=draft.qas,
            )
        except (ImageError, RowError) as error:
            # It keeps its id: the next start, when it may be mended, gives the other rows the same ids.
            if name := _written_id(row.value):
                self.taken.setdefault(name, number)
            told = f"image: {error}" if isinstance(error, ImageError) else str(error)
            return Rejected(where, told, row.value, error.remedy)
        self.unknown.update(draft.unknown)
        if sample.id != draft.id:
            self.unknown["id", "repeated"] += 1
        return sample

    def _free_id(self, draft: Draft) -> str:
        """The row's id; where another row has it, its `hash_id`, or its id and a digest of what it asks.

        LLaVA's files ask of an image in several rows of one id, and published MMEvol files repeat ids. A row that
        says what another said, under the same id, is refused.
        """
        for name in _names(draft):
            if name not in self.taken:
                return name
            if self.said[(first := self.taken[name]) - 1] == self.said[-1]:
                told = f"duplicate id {draft.id!r}: row {first} has it too and says the same"
                raise RowError("id", told, "leave one of them out")
        told = f"duplicate id {draft.id!r}: other rows have it and what could be made of it"
        raise RowError("id", told, "give each its own id")


def _names(draft: Draft) -> Iterator[str]:
    """What a row may go by, the best first; a digest is only made where it is needed."""
    yield draft.id
    if draft.spare_id:
        yield draft.spare_id
    yield f"{draft.id}-{_digest(draft)}"


def _written_id(row: object) -> str:
    """The id as it stands in `row`; empty where there is none."""
    name = row.get("id") if isinstance(row, dict) else None
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _named(where: str, row: object) -> str:
    name = _written_id(row)
    return f"{where} ({name})" if name and name.isprintable() else where


def _inspected(root: ImageRoot, image: Reference) -> Image:
    if isinstance(image, bytes) or is_data_uri(image):
        return root.inspect_embedded(image)
    if root.hosts and is_url(image):
        return root.inspect_remote(image)
    return root.inspect(image)


def _draft(row: object, layout: Layout | None) -> Draft:
    if not isinstance(row, dict):
        raise RowError("row", f"expected an object, found {kind(row)}", "write one object a sample")
    layout = layout or recognised(row)
    if layout is None:
        told = (
            "neither conversations_v0 (mmevol) nor conversations (llava, sharegpt) nor messages (openai) nor a caption"
        )
        raise RowError("row", told, "use one of these layouts")
    return layout.parse(row)


def _said(draft: Draft) -> int:
    """A hash of all that is kept of a row."""
    kept = (draft.id, draft.spare_id, draft.images, draft.caption, draft.boxes, draft.topic, draft.qas)
    return hash(kept)


def _digest(draft: Draft) -> str:
    """8 hex digits that follow from the images, the caption and the questions, and from no field that is not kept."""
    asked = [(qa.question, qa.answer) for qa in draft.qas]
    return content_digest({"images": draft.images, "caption": draft.caption, "asked": asked})[:8]
