"""The client that agents ask: chat completions over HTTP, with one retry layer."""

import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp

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
from .limits import Clock
from .pool import Lane, Pool
from .probing import probe
from .retries import Retries, is_busy
from .stats import Stats
from .transport import Attempt, open_session, post
from .wire import Call, body

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
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()
            self._session = None

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

    async def send(self, call: Call) -> Sent:
        """Make a call, trying again as far as that can help."""
        content = await body(call, *self.identity(call.role), self._fragments)
        number, billed = 0, 0
        while True:
            number += 1
            lane = self._pool.pick(call.role, call.affinity)
            attempt = await self._attempt(lane, content)
            if not self._retries.again(attempt, number):
                return Sent(attempt.reply, lane.endpoint.url, number, billed)
            billed += attempt.connected and not is_busy(attempt)
            self.stats.retries += 1
            await self._back_off(lane, attempt, number)

    async def _attempt(self, lane: Lane, content: bytes) -> Attempt:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with Client(...)`")
        async with lane.limit.slot():
            self.gate.admit(self.stats)
            self.stats.sent += 1
            self.stats.in_flight += 1
            try:
                return await post(self._session, lane.endpoint, content)
            finally:
                self.stats.in_flight -= 1

    async def _back_off(self, lane: Lane, attempt: Attempt, number: int) -> None:
        wait = self._retries.wait(attempt, number, self._rng)
        if is_busy(attempt) or not attempt.connected:
            lane.limit.pause(wait)  # all of its requests wait, and the pool may choose another endpoint
        else:
            await self._clock.sleep(wait)
