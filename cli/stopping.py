"""Ctrl-C and SIGTERM while a run goes on."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final, Protocol

from rich.console import Console

from ..graph.run import GRACE_S

INTERRUPTED: Final = "interrupted"
GO_ON: Final = "start the same command again to go on"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    """A run."""

    @property
    def calls_in_flight(self) -> int | None:
        """Requests that are not answered yet; None until the run has begun."""

    def stop(self, reason: str) -> None:
        """Ends it in order."""


@contextlib.contextmanager
def stopping_on_signals(run: Stoppable, out: Console) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP lets calls in flight finish, the second stops at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task
    told: list[bool] = []

    def stop() -> None:
        calls = run.calls_in_flight
        if told or calls is None:
            out.print(f"Stopped at once: {GO_ON}", soft_wrap=True)
            task.cancel()
            return
        out.print(_stopping(calls), soft_wrap=True)
        told.append(True)
        run.stop(INTERRUPTED)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _stopping(calls: int) -> str:
    if not calls:
        return "Stopping: no call is in flight."
    some = f"{calls} calls" if calls > 1 else "1 call"
    return f"Stopping: {some} in flight may take {GRACE_S:g} s to finish. Once more stops at once."
