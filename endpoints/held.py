"""Which images an endpoint holds, so that they need not be sent again."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

_REMEMBERED: Final = 100_000
_MISSES: Final = 3
"""Misses from which on an endpoint must have had as many hits: asking twice costs more than sending once."""


class Held:
    """The images that one endpoint was sent under their uuid, as long as it seems to keep them."""

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted
        """Whether the endpoint keeps images at all."""
        self._kept = 0
        self._misses = 0
        self._uuids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, uuid: object) -> bool:
        return self.trusted and uuid in self._uuids

    def add(self, uuids: Iterable[str]) -> None:
        """The endpoint took these."""
        for uuid in uuids:
            self._uuids[uuid] = None
            self._uuids.move_to_end(uuid)
        while len(self._uuids) > _REMEMBERED:
            self._uuids.popitem(last=False)

    def used(self) -> None:
        """A request that left images out was understood."""
        self._kept += 1

    def lost(self, uuids: Iterable[str]) -> None:
        """The endpoint does not hold these any more."""
        for uuid in uuids:
            self._uuids.pop(uuid, None)
        self._misses += 1
        if self._misses >= max(_MISSES, self._kept):
            self.trusted = False
