"""Slots of one endpoint, and the clock that everything in this room goes by."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds and a way to wait; tests put their own in its place."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Naps:
    """Sleeps that can be cut short."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asleep: set[asyncio.Future[None]] = set()

    async def sleep(self, seconds: float) -> bool:
        """Sleeps; False when woken before."""
        nap: asyncio.Future[None] = asyncio.ensure_future(self._clock.sleep(seconds))
        self._asleep.add(nap)
        try:
            await asyncio.wait([nap])
            return not nap.cancelled()
        finally:
            self._asleep.discard(nap)
            nap.cancel()

    def wake(self) -> None:
        """Ends every sleep."""
        for nap in self._asleep:
            nap.cancel()


class Slots:
    """Slots that are given out in the order they were asked for, as many as `capacity` says at that moment."""

    def __init__(self, capacity: Callable[[], int]) -> None:
        self.in_flight = 0
        self._capacity = capacity
        self._waiting: deque[tuple[asyncio.Future[bool], object]] = deque()

    @property
    def load(self) -> int:
        """Requests that hold a slot or wait for one."""
        return self.in_flight + len(self._waiting)

    @property
    def free(self) -> bool:
        """Whether a slot can be had at once."""
        return not self._waiting and self.in_flight < self._capacity()

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting)

    def waiting_of(self, group: object) -> int:
        """Those of them that `take` was told are of `group`."""
        return sum(of is group for _, of in self._waiting)

    async def take(self, group: object = None) -> bool:
        """Waits for a slot; True with one, False when whoever waits was sent away. `group` says whom it serves."""
        if self.free:
            self.in_flight += 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, group))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                if turn.result():
                    self.give_back()  # the slot was handed over in the moment of the cancellation
                else:
                    self.send_away(1)  # sent away in that moment: the next one goes in its place
            else:
                with suppress(ValueError):  # handed out already as cancelled
                    self._waiting.remove((turn, group))
            raise

    def force(self) -> None:
        """Takes a slot beyond the capacity."""
        self.in_flight += 1

    def give_back(self) -> None:
        """Returns a slot."""
        self.in_flight -= 1
        self.hand_out()

    def hand_out(self) -> None:
        """Gives free slots to those who wait; to be called when the capacity grew."""
        while self._waiting and self.in_flight < self._capacity():
            turn, _ = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(True)

    def send_away(self, count: int | None = None) -> None:
        """Makes the first `count` that wait choose again, or all of them."""
        while self._waiting and (count is None or count > 0):
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(False)
                count = None if count is None else count - 1

    def send_one_away(self, group: object) -> None:
        """Makes the first of `group` that waits choose again."""
        for waiting in self._waiting:
            turn, of = waiting
            if of is group and not turn.done():
                self._waiting.remove(waiting)
                turn.set_result(False)
                return


class Room:
    """Bytes that may be under way at once, given out in order. What is larger than all of them goes alone."""

    def __init__(self, most: int) -> None:
        self.held = 0
        self._most = most
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Waits until there is room for `size` bytes, and holds them until `give_back`."""
        if not self._waiting and self._fits(size):
            self.held += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size)
            raise

    def _fits(self, size: int) -> bool:
        return not self.held or self.held + size <= self._most

    def give_back(self, size: int) -> None:
        """Returns `size` bytes."""
        self.held -= size
        while self._waiting and (self._waiting[0][1].done() or self._fits(self._waiting[0][0])):
            waited, turn = self._waiting.popleft()
            if not turn.done():  # else its caller was cancelled
                self.held += waited
                turn.set_result(None)
