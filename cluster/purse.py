"""The budget of the whole run, given out to the workers in small parts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ..endpoints.gate import Gate
from ..endpoints.stats import Stats
from ..graph.settings import Settings

BUDGETS: Final = ("calls", "tokens")
_AT_ONCE: Final = {"calls": 64, "tokens": 100_000}
"""The most that a worker is given at a time: what is left of it when its process dies counts as spent."""


def budgets(settings: Settings) -> dict[str, int]:
    """What the whole run may spend, where there is a limit."""
    told = {"calls": settings.budget_calls, "tokens": settings.budget_tokens}
    return {name: limit for name, limit in told.items() if limit is not None}


class Purse:
    """What is left of the budgets of `settings` for `workers` workers."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._limits = budgets(settings)
        self._left = dict(self._limits)
        self._workers = workers
        self.spent: str | None = None
        """Why nothing more is given, once somebody has asked in vain."""

    def grant(self, name: str) -> int:
        """A part of what is left of `name`; 0 when it is spent."""
        part = min(_AT_ONCE[name], max(1, self._left[name] // (4 * self._workers)), self._left[name])
        self._left[name] -= part
        if not part:
            self.spent = self.spent or spent(name, self._limits[name])
        return part


def spent(name: str, limit: float) -> str:
    """The reason of a stop."""
    return f"budget of {limit:g} {name} is spent"


class SharedGate(Gate):
    """Lets requests through as long as `ask` gives something of each budget in `limits`.

    `ask_to_probe` gives the seconds until the endpoint at a URL may be probed.
    """

    def __init__(
        self,
        limits: dict[str, int],
        ask: Callable[[str], Awaitable[int]],
        ask_to_probe: Callable[[str], Awaitable[float]],
    ) -> None:
        super().__init__()
        self._limits = limits
        self._ask = ask
        self._ask_to_probe = ask_to_probe
        self._granted = dict.fromkeys(limits, 0)
        self._asking = asyncio.Lock()

    async def enter(self, stats: Stats) -> None:
        """Waits for a part of the budget where what was given is used up. Raises Stopped."""
        while not self.reason and self._short(stats):
            async with self._asking:
                if short := self._short(stats):  # else it was given to whoever asked before
                    await self._add(short)
        self.admit(stats)

    async def probe(self, url: str) -> float:
        """Seconds until this worker may look whether the endpoint at `url` is back; 0: now, and no other does."""
        return await self._ask_to_probe(url)

    async def _add(self, name: str) -> None:
        part = await self._ask(name)
        self._granted[name] += part
        if not part:
            self.close(spent(name, self._limits[name]))

    def _short(self, stats: Stats) -> str | None:
        used = {"calls": stats.sent, "tokens": stats.prompt_tokens + stats.completion_tokens}
        return next((name for name in self._granted if used[name] >= self._granted[name]), None)
