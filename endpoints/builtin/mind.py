"""From a parsed request to the text of its reply."""

import asyncio
from collections import OrderedDict
from typing import Final

from .pictures import Picture, decode
from .request import Request

_KEPT: Final = 64
_PLAIN: Final = (
    "I am evolgraph's embedded model: a rule-based writer and judge, not a language model. I answer evolgraph's own "
    "perception, reasoning, interaction and judge requests, and nothing else."
)


class Mind:
    """Answers requests; keeps what it measured of the images seen last."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[bytes, Picture] = OrderedDict()

    async def pictures(self, request: Request) -> tuple[Picture, ...]:
        """The decoded images of `request`. Raises BadRequest when one cannot be used."""
        return tuple([await self._picture(uri) for uri in request.images])

    async def _picture(self, uri: bytes) -> Picture:
        if uri not in self._pictures:
            self._pictures[uri] = await asyncio.to_thread(decode, uri)
            while len(self._pictures) > _KEPT:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(uri)
        return self._pictures[uri]

    async def reply(self, request: Request, pictures: tuple[Picture, ...]) -> str:
        """The content of the assistant's message: JSON for a known task, plain words for any other chat."""
        return _PLAIN
