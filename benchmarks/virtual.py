"""An event loop whose time stands still while there is work, and leaps to the next timer when there is none.

What is measured in its seconds does not depend on how fast or how busy the machine is.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 0. Threads are waited for: those of executors, and whatever `is_waiting` tells of."""

    def __init__(self) -> None:
        self._now = 0.0
        self._threads = 0
        self.is_waiting: Callable[[], bool] = lambda: False
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def leap(self, seconds: float) -> None:
        """Time goes on at once."""
        self._now += seconds

    @property
    def busy_elsewhere(self) -> bool:
        """Whether a thread has work that will come back to the loop."""
        return self._threads > 0 or self.is_waiting()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """As usual, but counted."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    async def shutdown_default_executor(self, *_: object) -> None:
        """As usual, but without a time limit: no time passes while the threads end."""
        self._threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._threads -= 1

    def _returned(self, _: Any) -> None:
        self._threads -= 1


class _Leaping(selectors.DefaultSelector):
    """Does not wait for a timer that only time stands before."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            if self._loop.busy_elsewhere:
                return super().select(None)  # its end wakes the loop
            self._loop.leap(timeout)
            return super().select(0)
        return super().select(timeout)
