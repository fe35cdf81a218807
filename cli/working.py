"""How far a long piece of work is: one live line on a terminal, else a line every ten seconds, on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from .display import LINE_EVERY_S, LIVE_EVERY_S, console


@contextmanager
def told_how_far() -> Iterator[Callable[[str, int, int], None]]:
    """Gives what is to be told of the work: what is done, how much of it already, and how much there is."""
    out = console()
    every = LIVE_EVERY_S if out.is_terminal else LINE_EVERY_S
    started = last = time.monotonic()

    with Live(console=out, auto_refresh=False, transient=True) as live:

        def tell(work: str, done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < every:
                return
            last = now
            line = f"{work}{f', {done:,} of {total:,}' if total > 1 else ''} | {now - started:.0f} s"
            if out.is_terminal:
                live.update(Text(line), refresh=True)
            else:
                out.print(line, soft_wrap=True)

        yield tell
