"""Mostly the direction that earned most, now and then another (Sutton and Barto 2018, section 2.2)."""

from collections.abc import Mapping

from .policy import Context, checked_floor, floored
from .tallies import Tallies


class EpsilonGreedy(Tallies):
    """The direction with the highest mean reward gets 1 - epsilon, all share epsilon; untried ones come first."""

    name = "epsilon-greedy"

    def __init__(self, epsilon: float = 0.15) -> None:
        super().__init__(0.0)
        self.epsilon = checked_floor(epsilon, self.name)
        self.version = f"1:epsilon={epsilon:g}"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """Epsilon in equal shares, the rest for the best; of equally good directions all share it."""
        scores = {name: self.mean(name) if self.count(name) else float("inf") for name in context.eligible}
        return floored(shared_by_best(scores), self.epsilon / len(scores))


def shared_by_best(scores: Mapping[str, float]) -> dict[str, float]:
    """Equal shares for those with the highest score, 0 for the others."""
    highest = max(scores.values())
    best = [name for name, score in scores.items() if score == highest]
    return {name: 1 / len(best) if name in best else 0.0 for name in scores}
