"""A scripted chat completions server on a free loopback port, and small asks to put to it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Ask, CallKey, ImagePart, Message, TextPart
from evolgraph.endpoints.client import Client, Endpoint
from evolgraph.endpoints.limits import Clock
from evolgraph.samples.sample import Image
from pydantic import BaseModel, Field

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHA = "ab" * 32


class Verdict(BaseModel):
    """A small reply model."""

    id: str
    score: int = Field(ge=1, le=10)
    weight: float = Field(default=1.0, allow_inf_nan=False)


GOOD = '{"id": "q1", "score": 7, "weight": 0.5}'


def completion(content: Any = GOOD, **changes: Any) -> dict[str, Any]:
    """The body of a completion; `finish_reason`, `usage` and further message fields can be changed."""
    finish = changes.pop("finish_reason", "stop")
    usage = changes.pop("usage", {"prompt_tokens": 100, "completion_tokens": 20})
    message = {"role": "assistant", "content": content, **changes}
    body = {"id": "cmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return body | ({"usage": usage} if usage is not None else {})


def says(content: Any = GOOD, **changes: Any) -> Step:
    """Answer with a completion."""
    return sends(json.dumps(completion(content, **changes)))


def sends(text: str | bytes, status: int = 200, **headers: str) -> Step:
    """Answer with this body."""

    async def step(request: web.Request) -> web.Response:
        body = text.encode() if isinstance(text, str) else text
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={"Content-Type": "application/json"} | named)

    return step


async def resets(request: web.Request) -> web.StreamResponse:
    """Drop the connection without an answer."""
    assert request.transport
    request.transport.abort()
    return web.Response()


@dataclass
class Scripted:
    """Plays `steps` in turn, then `otherwise` for ever, and remembers what it was asked."""

    otherwise: Step = field(default_factory=says)
    steps: list[Step] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    models: Step = field(default_factory=lambda: sends('{"data": [{"id": "toy"}]}'))
    busy: int = 0
    most_busy: int = 0
    url: str = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.raw.append(await request.read())
        self.bodies.append(json.loads(self.raw[-1]))
        self.headers.append(dict(request.headers))
        step = self.steps.pop(0) if self.steps else self.otherwise
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        try:
            return await step(request)
        finally:
            self.busy -= 1

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        return await self.models(request)

    def endpoint(self, **changes: Any) -> Endpoint:
        return Endpoint(**({"url": self.url, "model": "toy", "timeout_s": 10} | changes))


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    async with serving(scripted):
        yield scripted


class serving:
    """Runs a Scripted server while the context is open."""

    def __init__(self, scripted: Scripted, keepalive_timeout: float = 60, port: int = 0) -> None:
        self.scripted = scripted
        self.port = port
        self.handling = {"handler_cancellation": True, "keepalive_timeout": keepalive_timeout}

    async def __aenter__(self) -> Scripted:
        app = web.Application(client_max_size=64 * 2**20, handler_args=self.handling)
        app.router.add_post("/v1/chat/completions", self.scripted.chat)
        app.router.add_get("/v1/models", self.scripted.list_models)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.scripted.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"
        return self.scripted

    async def __aexit__(self, *error: object) -> None:
        await self.runner.cleanup()


class Book:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.calls: dict[str, Mapping[str, Any]] = {}
        self.begun: list[str] = []

    async def find(self, key: str) -> Mapping[str, Any] | None:
        return self.calls.get(key)

    async def begin(self, call: Mapping[str, Any]) -> None:
        self.begun.append(call["key"])

    async def record(self, call: Mapping[str, Any]) -> None:
        earlier = self.calls.get(call["key"], {"http_status": None, "attempts": 0, "maybe_billed": 0})
        assert earlier["http_status"] != 200, "a received reply was paid twice"
        counts = {name: earlier[name] + call[name] for name in ("attempts", "maybe_billed")}
        self.calls[call["key"]] = json.loads(json.dumps({**call, **counts}))

    @property
    def only(self) -> Mapping[str, Any]:
        (call,) = self.calls.values()
        return call


class Pictures:
    """An ImageSource that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def encoded(self, image: Image) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        return b'"data:image/png;base64,AAAA"'


class Waits:
    """A clock that stands still but for the waits, which pass at once."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def book() -> Book:
    return Book()


def make_client(*servers: Scripted, book: Book | None = None, waits: Waits | None = None, **changes: Any) -> Client:
    """A client of `servers` whose waits pass at once."""
    clock = (waits or Waits()).clock()
    endpoints = [server.endpoint(**changes) for server in servers]
    return Client(endpoints, Pictures(), book, run_seed=3, clock=clock, rng=random.Random(1))


def make_ask(sample: str = "s1", **changes: Any) -> Ask[Verdict]:
    """An ask in the shape that agents use, with one image."""
    image = Image(path="a.png", sha256=SHA, width=4, height=4)
    user = Message("user", (ImagePart(image), TextPart("facts"), TextPart("task {}")))
    values = {
        "key": CallKey(sample, 1, "judge"),
        "role": "judge",
        "messages": (Message("system", (TextPart("be brief"),)), user),
        "reply": Verdict,
        "repair": lambda error: f"mend this: {error}",
    }
    return Ask(**(values | changes))
