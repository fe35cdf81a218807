"""Images as ready-made JSON, encoded once and kept within a budget of bytes."""

import asyncio
from collections import OrderedDict
from typing import Final
from weakref import WeakValueDictionary

from ..samples.sample import Image
from .chat import ImageSource

BUDGET: Final = 64 * 2**20


class Fragments:
    """The fragments of an ImageSource, least recently used ones forgotten beyond `budget` bytes."""

    def __init__(self, source: ImageSource, budget: int = BUDGET) -> None:
        self._source = source
        self._left = budget
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, image: Image) -> bytes:
        """The image's data URI as a JSON string literal; concurrent callers share one encoding."""
        if (found := self._find(image.sha256)) is not None:
            return found
        async with self._loading.setdefault(image.sha256, asyncio.Lock()):
            if (found := self._find(image.sha256)) is not None:
                return found
            made = await self._source.encoded(image)
            self._keep(image.sha256, made)
            return made

    def _find(self, sha256: str) -> bytes | None:
        if sha256 in self._kept:
            self._kept.move_to_end(sha256)
        return self._kept.get(sha256)

    def _keep(self, sha256: str, made: bytes) -> None:
        self._kept[sha256] = made
        self._left -= len(made)
        while self._left < 0:
            _, dropped = self._kept.popitem(last=False)
            self._left += len(dropped)
