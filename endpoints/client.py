"""The client that agents ask: chat completions over HTTP, with one retry layer."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self

from .asking import Asker, Begin, Failed, Sent
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
from .greeting import greeting
from .lane import Lane, Turn
from .langchain import ChatModel, open_chat
from .limits import Clock, Naps
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


async def _unrecorded() -> None:
    """A greeting is no call: it is counted, but not in the ledger."""


class Client:
    """Answers asks over HTTP, or through LangChain where an endpoint says so.

    An async context manager that owns its connections.

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
        self._chats: dict[Lane, ChatModel] = {}
        self._naps = Naps(self._clock)
        self.gate.when_closed(self._stop_waiting)

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self) -> None:
        self._kept = await self._stack.enter_async_context(open_session())
        self._single = await self._stack.enter_async_context(open_session(keep_alive=False))
        for lane in self._pool.lanes:
            if chat := open_chat(lane.endpoint, self._fragments, self._stack):
                self._chats[lane] = chat
        self._watching = [
            asyncio.create_task(watch(lane, self._kept)) for lane in self._pool.lanes if lane.endpoint.is_server
        ]
        self._stack.push_async_callback(self._end_watching)

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

    def send_home(self, affinity: str, urls: Collection[str]) -> None:
        """Has the requests with `affinity` (an image's hash) go to those of the endpoints that are at `urls`."""
        self._pool.send_home(affinity, urls)

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Answer `ask`. Failures of this one ask are in the Answer's kind.

        Raises EndpointError when no ask can be answered any more (a refused key, an unknown model or path), and
        Stopped once the gate is closed; what is under way then still comes to its end.
        """
        return await self._asker.ask(ask)

    def identity(self, role: str) -> tuple[str, dict[str, Any]]:
        """Model alias and sampling parameters for `role`."""
        return self._pool.identity(role)

    async def send(self, call: Call, begin: Begin, failed: Failed) -> Sent:
        """Make a call, trying again as far as that can help; while every endpoint is down, it waits."""
        number, lost = 0, False
        while True:
            async with self._pool.lease(call.role, call.affinity, self._admit) as (lane, turn):
                if turn is Turn.PROBE and not await self._is_back(lane):
                    continue
                started = self._clock.now()
                attempt = await self._attempt(lane, call, begin, fresh=lost)
                lane.settle(attempt, turn, self._clock.now() - started)
            # What a server that is down refuses is no try: it was asked only whether it is back.
            tried = not (lane.down and is_declined(attempt))
            number += tried
            sent = Sent(attempt.reply, lane.endpoint.url, int(tried), int(attempt.maybe_billed), lane.fitted)
            if not self._retries.again(attempt, number):
                return sent
            await failed(sent)
            lost = attempt.lost
            self.stats.retries += 1
            self._admit()  # a sleep that begins after the gate was closed is woken by nobody
            # While it is down, whoever waits for it comes first: it may be this call alone that is refused.
            await self._naps.sleep(0.0 if lane.down else self._retries.wait(number, self._rng))

    async def _is_back(self, lane: Lane) -> bool:
        """Before a probe: whether it is due, what the server is, if it has never told, and whether it is there, where
        that is in doubt."""
        if left := await self.gate.probe(lane.endpoint.url):
            lane.put_off(left)
            return False
        if lane.unasked:
            with suppress(EndpointError):  # the probe itself will find out what is wrong
                lane.told(await probe(lane.endpoint))
        if not lane.in_doubt or lane in self._chats:
            return True
        started = self._clock.now()
        made = greeting(lane.endpoint)
        async with self._out(lane, len(made), _unrecorded):
            attempt = await post(self._single, lane.endpoint, made)
        lane.settle(attempt, Turn.PROBE, self._clock.now() - started)
        return not lane.down

    def _stop_waiting(self) -> None:
        self._pool.send_away()
        self._naps.wake()

    def _admit(self) -> None:
        self.gate.admit(self.stats)

    async def _attempt(self, lane: Lane, call: Call, begin: Begin, *, fresh: bool) -> Attempt:
        if chat := self._chats.get(lane):
            spoken = await chat.spoken(call, lane.dialect)
            async with self._out(lane, spoken.size, begin):
                return await chat.send(spoken)
        made = await body(call, *self.identity(call.role), self._fragments, lane.dialect)
        attempt = await self._post(lane, made, begin, fresh=fresh)
        if made.left_out and attempt.reply.kind == "bad-request":
            lane.held.lost(made.left_out)
            missed = _CACHE_MISS in attempt.reply.detail.lower()
            made = await body(call, *self.identity(call.role), self._fragments, lane.dialect)
            attempt = await self._post(lane, made, begin, fresh=fresh)
            if not missed and attempt.reply.http_status == 200:  # else something else was wrong with it
                lane.held.trusted = False
        elif made.left_out and attempt.reply.http_status == 200:
            lane.held.used()
        if attempt.reply.http_status == 200:
            lane.held.add(made.sent)
        return attempt

    async def _post(self, lane: Lane, made: Body, begin: Begin, *, fresh: bool) -> Attempt:
        """One request. A lost connection may have been closed while it was idle: `fresh` takes none of those."""
        async with self._out(lane, len(made.content), begin):
            return await post(self._single if fresh else self._kept, lane.endpoint, made.content)

    @asynccontextmanager
    async def _out(self, lane: Lane, size: int, begin: Begin) -> AsyncIterator[None]:
        """Around every request: room for its bytes, the gate, and the counts."""
        await lane.room.take(size)
        try:
            await self.gate.enter(self.stats)
            self.stats.sent += 1  # at once, so that no other request takes its place in a budget
            try:
                await begin()
            except BaseException:
                self.stats.sent -= 1
                raise
            self.stats.in_flight += 1
            lane.counts.sent += 1
            lane.counts.bytes_sent += size
            try:
                yield
            finally:
                self.stats.in_flight -= 1
        finally:
            lane.room.give_back(size)
