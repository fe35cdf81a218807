"""The client that agents ask: chat completions over HTTP, with one retry layer."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from .asking import Asker, Sent
from .chat import (
    Answer,
    Ask,
    CallKey,
    ImagePart,
    ImageSource,
    Ledger,
    Message,
    Model,
    Part,
    T,
    TextPart,
    Usage,
)
from .endpoint import Endpoint
from .errors import EndpointError
from .fragments import Fragments
from .gate import Gate
from .lane import Lane
from .limits import Clock
from .pool import Pool
from .probing import probe
from .queues import watch
from .retries import Retries, is_declined
from .stats import Stats
from .transport import Attempt, open_session, post
from .wire import Body, Call, body

__all__ = [
    "Answer",
    "Ask",
    "CallKey",
    "Client",
    "Endpoint",
    "EndpointError",
    "ImagePart",
    "ImageSource",
    "Ledger",
    "Message",
    "Model",
    "Part",
    "TextPart",
    "Usage",
    "probe",
]


_CACHE_MISS: Final = "cache miss"
"""What vLLM says when it no longer holds an image; any other refusal means that it does not keep images at all."""


class Client:
    """Answers asks over HTTP. An async context manager that owns its connections.

    `images` gives the images' bytes; with a `ledger`, calls are recorded before their replies are used and replayed
    instead of sent; `run_seed` goes into every request's seed. `rng` only spreads out retries.

    Raises EndpointError (kind `setup`) when the endpoints of one role differ in model or parameters.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        images: ImageSource,
        ledger: Ledger | None,
        run_seed: int,
        *,
        gate: Gate | None = None,
        retries: Retries | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.stats = Stats()
        self.gate = gate or Gate()
        self._clock = clock or Clock()
        self._pool = Pool(endpoints, self._clock)
        self._fragments = Fragments(images)
        self._retries = retries or Retries()
        self._rng = rng or random.Random()
        self._asker = Asker(self, ledger, run_seed, self.stats)
        self._stack = AsyncExitStack()
        self.gate.on_close = self._pool.send_away

    async def __aenter__(self) -> Self:
        self._kept = await self._stack.enter_async_context(open_session())
        self._single = await self._stack.enter_async_context(open_session(keep_alive=False))
        self._watching = [asyncio.create_task(watch(lane, self._kept)) for lane in self._pool.lanes]
        self._stack.push_async_callback(self._end_watching)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _end_watching(self) -> None:
        for task in self._watching:
            task.cancel()
        for ended in await asyncio.gather(*self._watching, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    @property
    def lanes(self) -> Sequence[Lane]:
        """The endpoints with what was learned of them, for displays."""
        return self._pool.lanes

    @property
    def outages(self) -> list[Lane]:
        """The endpoints that are down while nothing else can do their work: the run waits for them."""
        return self._pool.outages()

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Answer `ask`. Failures of this one ask are in the Answer's kind.

        Raises EndpointError when no ask can be answered any more (a refused key, an unknown model or path), and
        Stopped once the gate is closed; what is under way then still comes to its end.
        """
        return await self._asker.ask(ask)

    def identity(self, role: str) -> tuple[str, dict[str, Any]]:
        """Model alias and sampling parameters for `role`."""
        endpoint = self._pool.model(role)
        return endpoint.model, endpoint.sampling()

    async def send(self, call: Call, begin: Callable[[], None]) -> Sent:
        """Make a call, trying again as far as that can help; while every endpoint is down, it waits."""
        number, billed, lost = 0, 0, False
        while True:
            async with self._pool.lease(call.role, call.affinity, self._admit) as (lane, turn):
                started = self._clock.now()
                attempt = await self._attempt(lane, call, begin, fresh=lost)
                lane.settle(attempt, turn, self._clock.now() - started)
            billed += attempt.maybe_billed
            # What a server that is down refuses is no try: it was asked only whether it is back.
            number += not (lane.down and is_declined(attempt))
            if not self._retries.again(attempt, number):
                return Sent(attempt.reply, lane.endpoint.url, number, billed, lane.fitted)
            lost = attempt.lost
            self.stats.retries += 1
            if not lane.down:
                await self._clock.sleep(self._retries.wait(number, self._rng))

    def _admit(self) -> None:
        self.gate.admit(self.stats)

    async def _attempt(self, lane: Lane, call: Call, begin: Callable[[], None], *, fresh: bool) -> Attempt:
        made = await body(call, *self.identity(call.role), self._fragments, lane.dialect)
        attempt = await self._post(lane, made, begin, fresh=fresh)
        if made.left_out and attempt.reply.kind == "bad-request":
            lane.held.lost(made.left_out)
            if _CACHE_MISS not in attempt.reply.detail.lower():
                lane.held.trusted = False
            made = await body(call, *self.identity(call.role), self._fragments, lane.dialect)
            attempt = await self._post(lane, made, begin, fresh=fresh)
        elif made.left_out and attempt.reply.http_status == 200:
            lane.held.used()
        if attempt.reply.http_status == 200:
            lane.held.add(made.sent)
        return attempt

    async def _post(self, lane: Lane, made: Body, begin: Callable[[], None], *, fresh: bool) -> Attempt:
        """One request. A lost connection may have been closed while it was idle: `fresh` takes none of those."""
        async with lane.room.hold(len(made.content)):
            self._admit()
            begin()
            self.stats.sent += 1
            self.stats.in_flight += 1
            lane.counts.sent += 1
            lane.counts.bytes_sent += len(made.content)
            try:
                return await post(self._single if fresh else self._kept, lane.endpoint, made.content)
            finally:
                self.stats.in_flight -= 1
