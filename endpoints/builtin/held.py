"""Images that the server keeps under the `uuid` a request gave them, as vLLM does."""

import hashlib
from collections import OrderedDict
from typing import Final

BUDGET: Final = 128 * 2**20
"""Bytes of data URIs; beyond them the least recently used image is dropped."""


class HeldImages:
    """Data URIs by uuid, or by content where a request gives none. `queried` and `hit` count images, as vLLM's do."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.queried = 0
        self.hit = 0

    def find(self, uuid: str) -> bytes | None:
        """The image under `uuid`, or None."""
        return self._kept.get(uuid)

    def keep(self, uri: bytes, uuid: str | None) -> None:
        """Count a use of an image that could be read, and keep it. What is kept under a uuid already stays."""
        key = uuid or hashlib.sha256(uri).hexdigest()
        self.queried += 1
        if key in self._kept:
            self.hit += 1
        else:
            self._kept[key] = uri
            self._left -= len(uri)
        self._kept.move_to_end(key)
        while self._left < 0:
            _, dropped = self._kept.popitem(last=False)
            self._left += len(dropped)
