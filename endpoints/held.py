"""Which images an endpoint holds, so that they need not be sent again."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

_REMEMBERED: Final = 100_000


class Held:
    """The images that one endpoint was sent under their uuid, as long as it seems to keep them."""

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted
        """Whether the endpoint keeps images at all."""
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

    def lost(self, uuids: Iterable[str]) -> None:
        """The endpoint does not hold these any more."""
        for uuid in uuids:
            self._uuids.pop(uuid, None)
