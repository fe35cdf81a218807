"""The embedded model behind an OpenAI-compatible server on the loopback interface."""

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from .counts import Counts
from .faults import Fault, Faults
from .held import HeldImages
from .mishaps import delivered, edited, instead
from .plants import Plant
from .prefixes import PrefixCache, image_filling, tokens
from .request import MODEL, BadRequest, Request, parse
from .shaping import loosely, told_schema

if TYPE_CHECKING:
    from .mind import Mind

HOST: Final = "127.0.0.1"
_LOG: Final = logging.getLogger(__name__)
_MAX_BODY: Final = 64 * 1024 * 1024
_KEEP_ALIVE_S: Final = 5.0
_CREATED: Final = 1_700_000_000
"""The model's fixed birth date: replies to equal requests differ in their `id` and `created` alone."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the server behaves: `port` 0 takes a free one, `latency_ms` is spent holding one of `capacity` slots.

    Which requests meet one of the `faults` depends on `fault_seed`; a body meets at most `fault_limit` of them.
    `without` are words of LACKS.
    """

    port: int = 0
    latency_ms: float = 0.0
    capacity: int = 256
    faults: tuple[Fault, ...] = ()
    fault_seed: int = 0
    fault_limit: int | None = None
    without: frozenset[str] = frozenset()
    plants: tuple[Plant, ...] = ()
    """Defects that evolved questions shall have."""


class Server:
    """The routes of one server and what they share."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._slots = asyncio.Semaphore(options.capacity)
        self._without = options.without
        self._prefixes = PrefixCache()
        self._images = HeldImages()
        self._mind: asyncio.Task[Mind] | None = None
        self._numbers = itertools.count(1)
        self._faults = Faults(options.faults, options.fault_seed, options.fault_limit)
        self.counts = Counts()
        self._planted: list[dict[str, str]] = []

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[_errors])
        app.on_startup.append(self._wake)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/health", self._health)
        app.router.add_get("/version", self._version)
        if "metrics" not in self._without:
            app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/planted", self._spoiled)
        return app

    async def _wake(self, _: web.Application) -> None:
        """Load the slow imports (NumPy, Pillow) beside the first connections, so that the server is ready sooner."""
        self._mind = asyncio.create_task(asyncio.to_thread(_mind))

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "evolgraph"}
        return _json({"object": "list", "data": [model]})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _version(self, _: web.Request) -> web.Response:
        return _json({"version": version("evolgraph")})

    async def _stats(self, http: web.Request) -> web.Response:
        newest = http.query.get("newest", "0")
        if not newest.isascii() or not newest.isdigit():
            raise BadRequest("`newest` must be a whole number", param="newest")
        return _json(self.counts.summary(min(int(newest), 1000), full=http.query.get("full") == "1"))

    async def _spoiled(self, _: web.Request) -> web.Response:
        """The questions that were spoiled, by the id of the reply that they came in."""
        return _json({"planted": self._planted})

    async def _metrics(self, _: web.Request) -> web.Response:
        running = self.counts.running
        rows = (
            ("num_requests_running", "gauge", running),
            ("num_requests_waiting", "gauge", self.counts.in_flight - running),
            ("kv_cache_usage_perc", "gauge", running / self._options.capacity),
            ("prefix_cache_queries_total", "counter", self._prefixes.queried),
            ("prefix_cache_hits_total", "counter", self._prefixes.hit),
            ("mm_cache_queries_total", "counter", self._images.queried),
            ("mm_cache_hits_total", "counter", self._images.hit),
        )
        lines = (
            f'# TYPE vllm:{name} {kind}\nvllm:{name}{{model_name="{MODEL}"}} {float(value)}\n'
            for name, kind, value in rows
        )
        return web.Response(text="".join(lines), content_type="text/plain")

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        raw = await http.read()
        with self.counts.request(raw) as row:
            fault = self._faults.pick(row["body"], row["seen"])
            if fault:
                self.counts.met(row, fault.kind)
                if replaced := await instead(fault, http):
                    row["status"] = replaced.status
                    return replaced
            try:
                request = self._parsed(raw)
                row["task"] = request.task
                async with self._slots:
                    reply = await self._answered(request)
            except BadRequest as error:
                row["status"] = error.status
                raise
            if fault:
                reply = edited(fault, reply, variant=int(row["body"], 16) + row["seen"])
            response = await delivered(fault, http, orjson.dumps(reply))
            self.counts.answered(row)
            return response

    def _parsed(self, raw: bytes) -> Request:
        request = parse(raw, None if "uuid" in self._without else self._images)
        if "images" in self._without and request.images:
            raise BadRequest("At most 0 image(s) may be provided in one prompt.", param="messages")
        if "schema" in self._without:
            return replace(request, schema=told_schema(request.parts))
        return request

    async def _answered(self, request: Request) -> dict[str, Any]:
        self.counts.running += 1
        try:
            if self._options.latency_ms:
                await asyncio.sleep(self._options.latency_ms / 1000)
            assert self._mind
            mind = await asyncio.shield(self._mind)
            pictures = await mind.pictures(request)
            for uri, uuid in zip(request.images, request.uuids, strict=True):
                self._images.keep(uri, uuid)
            text, kinds = mind.reply(request, pictures, self._options.plants)
        finally:
            self.counts.running -= 1
        seen = iter(pictures)
        filled = (
            part.encode(errors="replace")
            if isinstance(part, str)
            else image_filling((picture := next(seen)).digest, picture.tokens)
            for part in request.parts
        )
        if "schema" in self._without:
            text = loosely(text, request.seed, told=request.schema is not None)
        shown = sum(picture.tokens for picture in pictures)
        completion = self._completion(request, b"".join(filled), text.encode(), shown)
        self._planted += [{"reply": completion["id"], "qa": qa, "kind": kind} for qa, kind in kinds.items()]
        return completion

    def _completion(self, request: Request, prompt: bytes, text: bytes, shown: int) -> dict[str, Any]:
        """The body of the answer `text`; `shown` is how many of the prompt's tokens are those of images."""
        count, reason = tokens(text), "stop"
        if request.max_tokens is not None and count > request.max_tokens:
            count, reason = request.max_tokens, "length"
            text = text[: math.floor(len(text) * count / tokens(text))]
        completion = {
            "id": f"chatcmpl-{next(self._numbers)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text.decode(errors="ignore")},
                    "finish_reason": reason,
                }
            ],
        }
        usage = self._usage(prompt, count, shown)
        return completion if "usage" in self._without else completion | {"usage": usage}

    def _usage(self, prompt: bytes, count: int, shown: int) -> dict[str, Any]:
        sent = tokens(prompt)
        details = {
            "cached_tokens": self._prefixes.admit(prompt),
            "multimodal_tokens": {"image": shown} if shown else None,
        }
        return {
            "prompt_tokens": sent,
            "completion_tokens": count,
            "total_tokens": sent + count,
            "prompt_tokens_details": None if "cached" in self._without else details,
        }


def _mind() -> "Mind":
    from .mind import Mind

    return Mind()


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every refusal as an OpenAI error object."""
    try:
        return await handler(request)
    except BadRequest as error:
        return _json(error.body(), error.status)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _json(BadRequest(error.reason, status=error.status).body(), error.status)
    except ConnectionError:
        return web.Response(status=499)  # the client went while it was answered: nobody reads this
    except Exception as error:
        _LOG.exception("a request failed")
        return _json(BadRequest(f"{type(error).__name__} inside the server", status=500).body(), 500)


async def serve(options: Options, ready: Callable[[str], None], stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set; `ready` is told the base URL (with /v1) once connections are accepted.

    Raises OSError when the port is taken.
    """
    runner = web.AppRunner(
        Server(options).application(),
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_S,
        handler_cancellation=True,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, options.port).start()
        ready(f"http://{HOST}:{runner.addresses[0][1]}/v1")
        await stopped.wait()
    finally:
        await runner.cleanup()
