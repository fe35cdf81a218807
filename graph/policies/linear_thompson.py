"""Thompson sampling with a linear model of the reward for each direction (Agrawal and Goyal 2013, arXiv 1209.3352)."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import orjson

from .best import Floats, best_probabilities
from .encoding import encode
from .policy import Context, Decision, PolicyError, checked_floor, floored

MOST_FEATURES: Final = 64
"""Features beyond the first so many that were met are left out, so that a decision stays cheap."""


class LinearThompson:
    """Each direction as often as its reward is likely to be the highest, given the sample's features.

    A direction's model is a Bayesian linear regression on `encoding.encode`: normal weights with deviation `prior`,
    rewards with deviation `noise`. The full probabilities are computed, not sampled, and every direction keeps
    `floor`. Models look at a round's own reward, not at later ones. `state` is one to begin with.
    """

    name = "linear-thompson"

    def __init__(
        self, noise: float = 0.15, prior: float = 0.2, floor: float = 0.05, state: Mapping[str, Any] | None = None
    ) -> None:
        if not (0 < noise < math.inf and 0 < prior < math.inf):
            raise PolicyError("noise and prior must be above 0 and finite", where=self.name)
        self.noise, self.prior, self.floor = noise, prior, checked_floor(floor, self.name)
        self.version = f"1:noise={noise:g},prior={prior:g},floor={floor:g}"
        self._names: dict[str, int] = {}
        self._squares: dict[str, Floats] = {}
        self._products: dict[str, Floats] = {}
        self._solved: dict[str, tuple[Floats, Floats]] = {}
        if state:
            self.restore(state)
            self.version += f",from={hashlib.sha256(orjson.dumps(state)).hexdigest()[:12]}"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The probability that each direction earns most, mixed with the floors."""
        seen = self.vector(encode(context.features))
        means, deviations = zip(*(self.beliefs(name, seen) for name in context.eligible), strict=True)
        shares = best_probabilities(np.array(means), np.array(deviations))
        return floored(dict(zip(context.eligible, shares.tolist(), strict=True)), self.floor)

    def learn(self, decision: Decision, reward: float) -> None:
        """Adds the decision's features and reward to its direction's model."""
        self.add(encode(decision.features), decision.direction, reward)

    def add(self, features: Mapping[str, float], direction: str, reward: float) -> None:
        """Adds a reward for encoded features to a direction's model."""
        self._meet(features)
        seen = self.vector(features)
        self._squares[direction] = self._padded(self._squares.get(direction), 2) + np.outer(seen, seen)
        self._products[direction] = self._padded(self._products.get(direction), 1) + reward * seen
        self._solved.pop(direction, None)

    def _meet(self, names: Mapping[str, Any] | Sequence[str]) -> None:
        for name in names:
            if name not in self._names and len(self._names) < MOST_FEATURES:
                self._names[name] = len(self._names)
                self._solved.clear()

    def vector(self, features: Mapping[str, float]) -> Floats:
        """Encoded features in the order of the models' weights; those not met before are left out."""
        seen = np.zeros(len(self._names))
        for name, value in features.items():
            if name in self._names:
                seen[self._names[name]] = value
        return seen

    def _padded(self, values: Floats | None, axes: int) -> Floats:
        """`values` with zeros for the features that were met later."""
        found = np.zeros((len(self._names),) * axes)
        if values is not None:
            found[tuple(slice(size) for size in values.shape)] = values
        return found

    def beliefs(self, direction: str, seen: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation of what is believed of a direction's mean reward, for vectors `seen` (..., d)."""
        if direction not in self._solved:
            precision = self._padded(self._squares.get(direction), 2) / self.noise**2
            precision[np.diag_indices(len(precision))] += 1 / self.prior**2
            covariance = np.linalg.inv(precision).astype(np.float64)
            products = self._padded(self._products.get(direction), 1)
            self._solved[direction] = (covariance @ products / self.noise**2, covariance)
        weights, covariance = self._solved[direction]
        return seen @ weights, np.sqrt(np.maximum(((seen @ covariance) * seen).sum(axis=-1), 1e-8))

    def state(self) -> dict[str, Any]:
        """{"features": names, "directions": {name: {"squares": sum of x x', "products": sum of reward * x}}}."""
        directions = {
            name: {
                "squares": self._padded(squares, 2).tolist(),
                "products": self._padded(self._products[name], 1).tolist(),
            }
            for name, squares in sorted(self._squares.items())
        }
        return {"features": list(self._names), "directions": directions}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over the statistics `state`."""
        self._names = {name: place for place, name in enumerate(state["features"])}
        self._squares = {name: np.array(row["squares"], dtype=float) for name, row in state["directions"].items()}
        self._products = {name: np.array(row["products"], dtype=float) for name, row in state["directions"].items()}
        self._solved = {}

    def merge(self, other: Self) -> None:
        """Adds the statistics of `other`."""
        self._meet([*other._names])
        known = [(place, self._names[name]) for name, place in other._names.items() if name in self._names]
        theirs, mine = (np.array(places, dtype=int) for places in zip(*known, strict=True)) if known else ((), ())
        for direction, squares in other._squares.items():
            total = self._padded(self._squares.get(direction), 2)
            total[np.ix_(mine, mine)] += other._padded(squares, 2)[np.ix_(theirs, theirs)]
            sums = self._padded(self._products.get(direction), 1)
            sums[mine] += other._padded(other._products[direction], 1)[theirs]
            self._squares[direction], self._products[direction] = total, sums
        self._solved = {}
