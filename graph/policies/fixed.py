"""Fixed shares, such as the 0.5 / 0.25 / 0.25 of MMEvol's published code."""

import math
from collections.abc import Mapping

from .policy import Context, Decision, PolicyError


class Fixed:
    """Gives each direction a probability in proportion to its weight (>= 0); without a weight it is never chosen.

    Raises PolicyError when a weight is negative or all are zero.
    """

    name = "fixed"

    def __init__(self, weights: Mapping[str, float]) -> None:
        values = weights.values()
        if not all(math.isfinite(weight) and weight >= 0 for weight in values) or not any(values):
            raise PolicyError("weights must be finite, >= 0 and not all zero", where="fixed")
        self.weights = dict(weights)
        self.version = "1:" + ",".join(f"{name}={weight:g}" for name, weight in sorted(weights.items()))

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The weights of the eligible directions, scaled to sum to 1. Raises PolicyError when all are zero."""
        weights = {name: self.weights.get(name, 0.0) for name in context.eligible}
        total = sum(weights.values())
        if total <= 0:
            raise PolicyError(f"no weight for any of {', '.join(context.eligible)}", where="fixed")
        return {name: weight / total for name, weight in weights.items()}

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""
