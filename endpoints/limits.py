"""How many requests an endpoint gets at once, and when it gets none at all."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds and a way to wait; tests put their own in its place."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Limit:
    """Slots of one endpoint, given out in the order they were asked for.

    `capacity` may be changed at any time; lowering it takes effect as slots come back.
    """

    def __init__(self, capacity: int, clock: Clock) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0

    @property
    def load(self) -> int:
        """Requests that are under way or waiting for a slot."""
        return self.in_flight + len(self._waiting)

    @property
    def pause_left(self) -> float:
        """Seconds until requests may be sent again; 0 when they may be."""
        return max(0.0, self._paused_until - self._clock.now())

    def pause(self, seconds: float) -> None:
        """Let no request start for `seconds` from now; a longer pause that is under way stays."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one slot, once there is one and no pause is under way."""
        await self._acquire()
        try:
            # The pause is waited for while holding the slot: no more than `capacity` callers wake at its end.
            while self.pause_left > 0:
                await self._clock.sleep(self.pause_left)
            yield
        finally:
            self._release()

    async def _acquire(self) -> None:
        if self.in_flight < self.capacity and not self._waiting:
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # the slot was handed over in the moment of the cancellation
            else:
                with suppress(ValueError):  # handed out already as cancelled
                    self._waiting.remove(turn)
            raise

    def _release(self) -> None:
        self.in_flight -= 1
        while self._waiting and self.in_flight < self.capacity:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
