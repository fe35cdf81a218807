"""The direction that may be best, going by the upper end of what is known (Auer, Cesa-Bianchi and Fischer 2002)."""

import math
from collections.abc import Mapping

from .epsilon_greedy import shared_by_best
from .policy import Context, PolicyError, floored
from .tallies import Tallies


class Ucb(Tallies):
    """The highest mean + width * sqrt(2 ln N / n) of n rewards out of N; every direction keeps `floor`.

    UCB1 takes rewards between 0 and 1 (width 1); those of rounds are mostly below 0.3.
    """

    name = "ucb"

    def __init__(self, width: float = 0.2, floor: float = 0.05) -> None:
        super().__init__(floor)
        if not 0 <= width < math.inf:
            raise PolicyError(f"width is {width}, not a finite number of 0 or more", where=self.name)
        self.width = width
        self.version = f"1:width={width:g},floor={floor:g}"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """All but the floors for the highest bound; untried directions come first."""
        total = sum(self.count(name) for name in context.eligible)
        return floored(shared_by_best({name: self._bound(name, total) for name in context.eligible}), self.floor)

    def _bound(self, name: str, total: int) -> float:
        count = self.count(name)
        return self.mean(name) + self.width * math.sqrt(2 * math.log(total) / count) if count else math.inf
