"""A proxy in front of a server under test that keeps the chat requests that pass, as they were sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

_LARGEST_BODY = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Passed:
    """A chat request that was answered with status 200."""

    body: dict[str, Any]
    size: int
    usage: dict[str, Any]


@dataclass(slots=True)
class Recording:
    """What has passed: answered requests in the order of their arrival, and all bytes of requests."""

    requests: dict[int, Passed] = field(default_factory=dict)
    """By their place in the order of arrival."""
    arrived: int = 0
    bytes_sent: int = 0
    images: dict[str, str] = field(default_factory=dict)
    """The data URI that came under each uuid."""

    @property
    def answered(self) -> list[Passed]:
        """The answered requests in their order."""
        return [self.requests[place] for place in sorted(self.requests)]

    def note_images(self, body: dict[str, Any]) -> None:
        """Remembers the images of a request, which later ones may leave out."""
        for part in image_parts(body):
            if part["image_url"]:
                self.images[part.get("uuid") or part["image_url"]["url"]] = part["image_url"]["url"]


def image_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The image parts of a chat request."""
    contents = [turn["content"] for turn in body["messages"] if isinstance(turn["content"], list)]
    return [part for content in contents for part in content if part["type"] == "image_url"]


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[tuple[str, Recording]]:
    """A proxy to the server whose base URL is `url`, for the block; gives its own base URL and what passes."""
    seen = Recording()
    base = URL(url.removesuffix("/v1"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4)) as session:

        async def forward(request: web.Request) -> web.Response:
            raw = await request.read()
            place, seen.arrived = seen.arrived, seen.arrived + 1
            chat = request.path.endswith("/chat/completions")
            sent = orjson.loads(raw) if chat else {}
            if chat:
                seen.bytes_sent += len(raw)
                seen.note_images(sent)
            kind = {"Content-Type": request.content_type}
            async with session.request(request.method, base.join(request.rel_url), data=raw, headers=kind) as answer:
                reply = await answer.read()
                if chat and answer.status == 200:
                    seen.requests[place] = Passed(sent, len(raw), orjson.loads(reply)["usage"])
                return web.Response(body=reply, status=answer.status, content_type=answer.content_type)

        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", seen
        finally:
            await runner.cleanup()
