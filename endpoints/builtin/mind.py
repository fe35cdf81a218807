"""From a parsed request to the text of its reply."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import orjson

from .curation import curated
from .judge import Look, judge, judge_texts
from .looking import looked
from .pictures import Picture, decode
from .plants import Plant, planted
from .request import Request, Row
from .scene import Scene
from .shaping import instance
from .sightless import sightless
from .writer import write

V = TypeVar("V")
_KEPT: Final = 64
_PLAIN: Final = (
    "I am evolgraph's embedded model: a rule-based writer and judge, not a language model. I answer evolgraph's own "
    "curation, perception, reasoning, interaction and judge requests, and nothing else."
)


class Mind:
    """Answers requests; keeps the images and scenes seen last, as all rounds of a sample share them."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[bytes, Picture] = OrderedDict()
        self._scenes: OrderedDict[bytes, Scene] = OrderedDict()

    async def pictures(self, request: Request) -> tuple[Picture, ...]:
        """The decoded images of `request`. Raises BadRequest when one cannot be used."""
        return tuple([await self._picture(uri) for uri in request.images])

    async def _picture(self, uri: bytes) -> Picture:
        picture = self._pictures.get(uri) or await asyncio.to_thread(decode, uri)
        _keep(self._pictures, uri, picture)
        return picture

    def reply(
        self, request: Request, pictures: Sequence[Picture], plants: Sequence[Plant] = ()
    ) -> tuple[str, dict[str, str]]:
        """The content of the assistant's message: JSON for a known task or a schema, plain words for any other chat.

        With it the kinds of `plants` that evolved questions were spoiled with, by the questions' ids.
        """
        if not request.task:
            return orjson.dumps(instance(request.schema)).decode() if request.schema else _PLAIN, {}

        def look(boxes: Sequence[Row]) -> Scene:
            return self._scene(request.facts, pictures, boxes)

        if told := _told(request, pictures, look):
            return orjson.dumps(told).decode(), {}
        scene = look(request.proposed)
        evolved = write(request.task, scene, request.questions, request.rejected, request.proposed, request.seed)
        evolved, kinds = planted(evolved, request.questions, plants, request.seed)
        return orjson.dumps({"evolved": evolved}).decode(), kinds

    def _scene(self, facts: Row, pictures: Sequence[Picture], boxes: Sequence[Row]) -> Scene:
        """The scene of these images and facts; what an earlier request measured of it is still known."""
        key = b"".join(picture.digest for picture in pictures) + orjson.dumps([facts, boxes])
        scene = self._scenes.get(key) or Scene([picture.pixels for picture in pictures], facts, boxes)
        _keep(self._scenes, key, scene)
        return scene


def _told(request: Request, pictures: Sequence[Picture], look: Look) -> dict[str, Any] | None:
    """The reply to a task that evolves no question; None for the others."""
    match request.task:
        case "blind":
            return {"answers": [sightless(row) for row in request.questions]}
        case "judge" if not pictures:
            return {"verdicts": judge_texts(request.pairs)}
        case "judge":
            return {"verdicts": judge(look, request.pairs, request.proposed)}
        case "curation":
            return {"questions": curated(look(()), request.seed)}
        case "evidence":
            return looked(request.look, look(()), pictures)
    return None


def _keep(cache: OrderedDict[bytes, V], key: bytes, value: V) -> None:
    """Put `value` last in `cache` and drop the least recently used beyond _KEPT."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > _KEPT:
        cache.popitem(last=False)
