"""Evens out what came of each direction, for every kind of image."""

import math
from collections.abc import Mapping
from typing import Any, Self

from .policy import Context, Decision, PolicyError, checked_floor, floored


class Coverage:
    """Sends images of a kind more often where fewer of their rounds brought something (a reward above 0).

    A direction's share is in proportion to 1 / (1 + such rounds), to the power of `pull`; each keeps `floor`.
    """

    name = "coverage"

    def __init__(self, pull: float = 2.0, floor: float = 0.1) -> None:
        if not 0 <= pull < math.inf:
            raise PolicyError(f"pull is {pull}, not a finite number of 0 or more", where=self.name)
        self.pull = pull
        self.floor = checked_floor(floor, self.name)
        self.version = f"1:pull={pull:g},floor={floor:g}"
        self._brought: dict[str, dict[str, int]] = {}

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The shares for images of the context's kind."""
        brought = self._brought.get(context.features["kind"], {})
        least = min(brought.get(name, 0) for name in context.eligible)
        shares = {name: ((1 + least) / (1 + brought.get(name, 0))) ** self.pull for name in context.eligible}
        total = sum(shares.values())
        return floored({name: share / total for name, share in shares.items()}, self.floor)

    def learn(self, decision: Decision, reward: float) -> None:
        """Counts a round that brought something."""
        if reward > 0:
            self._add(decision.features["kind"], decision.direction, 1)

    def _add(self, kind: str, direction: str, count: int) -> None:
        brought = self._brought.setdefault(kind, {})
        brought[direction] = brought.get(direction, 0) + count

    def state(self) -> dict[str, Any]:
        """{kind: {direction: rounds that brought something}}."""
        return {kind: dict(sorted(brought.items())) for kind, brought in sorted(self._brought.items())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over the statistics `state`."""
        self._brought = {kind: dict(brought) for kind, brought in state.items()}

    def merge(self, other: Self) -> None:
        """Adds the statistics of `other`."""
        for kind, brought in other._brought.items():
            for direction, count in brought.items():
                self._add(kind, direction, count)
