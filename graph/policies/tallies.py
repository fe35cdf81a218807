"""What learning policies remember of each direction: how many rewards, their sum and their sum of squares."""

from collections.abc import Mapping
from typing import Any, Final, Self

from .policy import Decision, checked_floor

_UNIT: Final = 10**9


class Tallies:
    """The part that policies share which look at directions alone, not at the sample.

    Rewards are summed as whole billionths, so that the order in which they come makes no difference.
    """

    name = ""

    def __init__(self, floor: float) -> None:
        self.floor = checked_floor(floor, self.name)
        self._tallies: dict[str, tuple[int, int, int]] = {}

    def learn(self, decision: Decision, reward: float) -> None:
        """Counts the reward of the decision's direction."""
        self._add(decision.direction, (1, round(reward * _UNIT), round(reward * reward * _UNIT)))

    def _add(self, direction: str, more: tuple[int, int, int]) -> None:
        count, total, squares = self._tallies.get(direction, (0, 0, 0))
        self._tallies[direction] = (count + more[0], total + more[1], squares + more[2])

    def count(self, direction: str) -> int:
        """How many rewards a direction had."""
        return self._tallies.get(direction, (0, 0, 0))[0]

    def mean(self, direction: str) -> float:
        """The mean of a direction's rewards; 0 without any."""
        count, total, _ = self._tallies.get(direction, (0, 0, 0))
        return total / _UNIT / count if count else 0.0

    def sums(self, direction: str) -> tuple[int, float, float]:
        """Number, sum and sum of squares of a direction's rewards."""
        count, total, squares = self._tallies.get(direction, (0, 0, 0))
        return count, total / _UNIT, squares / _UNIT

    def state(self) -> dict[str, Any]:
        """{direction: [number, sum, sum of squares]}, the sums in billionths."""
        return {name: list(tally) for name, tally in sorted(self._tallies.items())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over the statistics `state`."""
        self._tallies = {name: (tally[0], tally[1], tally[2]) for name, tally in state.items()}

    def merge(self, other: Self) -> None:
        """Adds the statistics of `other`."""
        for name, tally in other._tallies.items():
            self._add(name, tally)
