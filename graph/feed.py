"""The seeds as a stream: read ahead in a worker thread, a few rows at a time, so that memory stays flat."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sized
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from ..samples.formats.reader import Extent, FormatError, Rejected, image_folder, read
from ..samples.images import ImageRoot
from ..samples.sample import Sample
from .identity import RunError

READ_AHEAD: Final = 32
"""Rows read from the seeds at a time."""
_FIRST: Final = 2
"""Rows read before anything is started where many workers wait: their first steps would all come before any call."""
Batch = list[tuple[int, Sample | Rejected]]
"""Rows with their places among the seeds."""


class Rows(Protocol):
    """Where a run gets its rows from: `Feed`, or whoever shares the seeds out among several runs."""

    images: ImageRoot

    @property
    def whole(self) -> bool:
        """Whether the batches, once they have ended, were all rows of the seeds, and not the first so many."""
        ...

    @property
    def expected(self) -> int:
        """How many rows there seem to be; 0 where nobody can tell."""
        ...

    async def begin(self) -> None:
        """Finds out whether there is anything to read. Raises FormatError."""

    def batches(self) -> AsyncIterator[Batch]:
        """All rows of this run, some at a time."""
        ...


class Feed:
    """The rows of `seeds`, a file or samples, of which only the first `limit` are taken.

    `images` is the folder that image paths are relative to; by default the seed file's, or the current one. Images
    inside the seed file are written to the folder `kept`. `layout` is that of all rows, unless each is recognised.
    Images are fetched from `hosts` only. They go to so many `workers` at a time.
    """

    def __init__(
        self,
        seeds: Path | Iterable[Sample],
        images: Path | None,
        limit: int | None,
        *,
        kept: Path,
        layout: str | None,
        hosts: Collection[str],
        workers: int = 1,
    ) -> None:
        self._folder = images
        folder = image_folder(seeds) if isinstance(seeds, Path) else Path.cwd()
        self.images = ImageRoot(images or folder, kept=kept, hosts=hosts)
        self._extent, self._limit = Extent(), limit
        self._read = 0
        self._known = len(seeds) if isinstance(seeds, Sized) else 0
        if isinstance(seeds, Path):
            found = read(seeds, self.images, layout=layout, extent=self._extent)
        else:
            found = _distinct(seeds)
        self._rows = enumerate(islice(found, limit))
        self._first: Batch | None = None
        self._early = workers > READ_AHEAD

    @property
    def whole(self) -> bool:
        """Whether all rows are read once the batches have ended: there is no limit, or it was not reached."""
        return self._limit is None or self._read < self._limit

    @property
    def expected(self) -> int:
        """How many rows there seem to be, going by those that were read; 0 where nobody can tell."""
        return min(filter(None, (self._limit, self._known, self._extent.expected)), default=0)

    async def begin(self) -> None:
        """Reads the first rows, so that a file that cannot be read is found out before anything is started.

        Raises FormatError.
        """
        if self._folder and not self._folder.is_dir():
            raise FormatError("no such folder of images", where=str(self._folder), remedy="name the one they are in")
        self._first = await self._next(_FIRST if self._early else READ_AHEAD)

    async def batches(self) -> AsyncIterator[Batch]:
        """All rows, some at a time. Raises FormatError, and RunError for two samples of one id."""
        batch = await self._next() if self._first is None else self._first
        while batch:
            yield batch
            batch = await self._next()

    async def _next(self, count: int = READ_AHEAD) -> Batch:
        batch = await asyncio.to_thread(lambda: list(islice(self._rows, count)))
        self._read += len(batch)
        return batch


def _distinct(samples: Iterable[Sample]) -> Iterator[Sample]:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise RunError("two samples have this id", where=sample.id, remedy="give each sample an id of its own")
        seen.add(sample.id)
        yield sample
