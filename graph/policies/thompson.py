"""Each direction as often as it is likely to be the best one (Thompson 1933), whatever the sample."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from .best import best_probabilities
from .policy import Context, floored
from .tallies import Tallies

_PRIOR_MEAN: Final = 0.1
_PRIOR_COUNT: Final = 2.0
_PRIOR_VARIANCE: Final = 0.15**2


class Thompson(Tallies):
    """Normal beliefs about each direction's mean reward; the full probabilities are computed, not sampled.

    The prior counts as 2 rewards with mean 0.1 and deviation 0.15. Every direction keeps `floor`.
    """

    name = "thompson"

    def __init__(self, floor: float = 0.05) -> None:
        super().__init__(floor)
        self.version = f"1:floor={floor:g}"

    def belief(self, direction: str) -> tuple[float, float]:
        """Mean and standard deviation of what is believed of a direction's mean reward."""
        count, total, squares = self.sums(direction)
        weight = _PRIOR_COUNT + count
        mean = (_PRIOR_COUNT * _PRIOR_MEAN + total) / weight
        spread = _PRIOR_COUNT * (_PRIOR_VARIANCE + _PRIOR_MEAN**2) + squares - weight * mean**2
        return mean, math.sqrt(max(spread, 1e-9) / weight / weight)

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The probability that each direction is the best, mixed with the floors."""
        beliefs = np.array([self.belief(name) for name in context.eligible])
        shares = best_probabilities(beliefs[:, 0], beliefs[:, 1])
        return floored(dict(zip(context.eligible, shares.tolist(), strict=True)), self.floor)
