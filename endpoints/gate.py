"""The gate that every request passes: closed by whoever stops a run, or by a budget that is spent."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import EvolgraphError
from .stats import Stats


class Stopped(EvolgraphError):
    """No further request goes out. What was received is kept, so the run can go on later."""

    kind = "stopped"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a start may spend at most; None is no limit. Spending ends within what is in flight at that moment."""

    calls: int | None = None
    """Requests sent, retries included."""
    tokens: int | None = None
    """Prompt and completion tokens together, as the servers count them."""
    seconds: float | None = None


class Gate:
    """Lets requests through until it is closed or `budget` is spent; `reason` then tells why."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._limited = self._budget != Budget()
        self._since = time.monotonic()
        self.reason: str | None = None
        self._waiting: list[Callable[[], None]] = []

    def when_closed(self, call: Callable[[], None]) -> None:
        """Has `call` called when it closes, so that whoever waits for something else notices."""
        self._waiting.append(call)

    def close(self, reason: str) -> None:
        """Lets nothing through any more; the first reason stays."""
        if self.reason is None:
            self.reason = reason
            for call in self._waiting:
                call()

    async def enter(self, stats: Stats) -> None:
        """Like `admit`, at the moment a request goes out. Where a budget is shared, this waits for a part of it."""
        self.admit(stats)

    async def probe(self, url: str) -> float:
        """Seconds until a request may find out whether the endpoint at `url`, which is down, is back; 0: now.

        Where it is shared, others may just have looked.
        """
        return 0.0

    def admit(self, stats: Stats) -> None:
        """Raises Stopped when no request may go out; `stats` counts what went out before."""
        if self._limited:
            self._close_if_spent(stats)
        if self.reason:
            raise Stopped(self.reason)

    def _close_if_spent(self, stats: Stats) -> None:
        spent = {
            "calls": (stats.sent, self._budget.calls),
            "tokens": (stats.prompt_tokens + stats.completion_tokens, self._budget.tokens),
            "seconds": (time.monotonic() - self._since, self._budget.seconds),
        }
        for name, (used, limit) in spent.items():
            if limit is not None and used >= limit:
                self.close(f"budget of {limit:g} {name} is spent")
