"""Images as ready-made JSON, encoded once and kept within a budget of bytes."""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from ..samples.sample import Image
from .chat import ImageSource

BUDGET: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Fragment:
    """An image as it is sent: a data URI as a JSON string literal, and its uuid, the SHA-256 of just that."""

    uri: bytes
    uuid: str


class Fragments:
    """The fragments of an ImageSource, least recently used ones forgotten beyond `budget` bytes."""

    def __init__(self, source: ImageSource, budget: int = BUDGET) -> None:
        self._source = source
        self._left = budget
        self._kept: OrderedDict[str, Fragment] = OrderedDict()
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, image: Image) -> Fragment:
        """The image, ready to be sent; concurrent callers share one encoding."""
        if (found := self._find(image.sha256)) is not None:
            return found
        async with self._loading.setdefault(image.sha256, asyncio.Lock()):
            if (found := self._find(image.sha256)) is not None:
                return found
            uri = await self._source.encoded(image)
            made = Fragment(uri, hashlib.sha256(uri).hexdigest())
            self._keep(image.sha256, made)
            return made

    def _find(self, sha256: str) -> Fragment | None:
        if sha256 in self._kept:
            self._kept.move_to_end(sha256)
        return self._kept.get(sha256)

    def _keep(self, sha256: str, made: Fragment) -> None:
        self._kept[sha256] = made
        self._left -= len(made.uri)
        while self._left < 0:
            _, dropped = self._kept.popitem(last=False)
            self._left += len(dropped.uri)
