"""Ctrl-C and SIGTERM while a run goes on."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final

from rich.console import Console

from ..graph.run import GRACE_S, Evolution

INTERRUPTED: Final = "interrupted"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping_on_signals(run: Evolution, out: Console) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets calls in flight finish, the second stops at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task

    def stop() -> None:
        if run.client.gate.reason == INTERRUPTED:
            task.cancel()
        else:
            out.print(
                f"Stopping: calls in flight have {GRACE_S:g} s to finish. Once more stops at once.", soft_wrap=True
            )
            run.stop(INTERRUPTED)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
