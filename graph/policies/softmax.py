"""Weights on named features: what tuning writes, and what can be read and written by hand."""

import difflib
import hashlib
import math
from collections.abc import Mapping
from typing import Final

from .encoding import NAMES, PREFIXES, encode
from .policy import Context, Decision, PolicyError, checked_floor, floored

_LONGEST: Final = 100


class Softmax:
    """A direction's share is in proportion to exp(sum of weight * feature); every direction keeps `floor`.

    `weights` is {direction: {feature: weight}} with the names of `encoding.encode`; what is left out counts 0.
    Raises PolicyError for weights that are no finite numbers, unknown features, and another feature set than v1.
    """

    name = "softmax"

    def __init__(
        self, weights: Mapping[str, Mapping[str, float]], floor: float = 0.05, feature_set: str = "v1"
    ) -> None:
        if feature_set != "v1":
            raise PolicyError(f"weights are for feature set {feature_set}, known is v1", where=self.name)
        if not all(math.isfinite(weight) for row in weights.values() for weight in row.values()):
            raise PolicyError("weights must be finite numbers", where=self.name)
        for name in (name for row in weights.values() for name in row):
            if name not in NAMES and not name.startswith(PREFIXES):
                near = difflib.get_close_matches(name, (*NAMES, *PREFIXES), 1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join((*NAMES, *PREFIXES))}"
                raise PolicyError(f"no feature is called {name!r}", where=self.name, remedy=hint)
        self.floor = checked_floor(floor, self.name)
        self.weights = {direction: dict(row) for direction, row in weights.items()}
        said = ",".join(f"{name}[{_said(row)}]" for name, row in sorted(self.weights.items()))
        if len(said) > _LONGEST:  # it stands in every decision's row
            said = f"weights={hashlib.sha256(said.encode()).hexdigest()[:12]}"
        self.version = f"1:floor={floor:g},{said}"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The shares of the eligible directions in this context."""
        features = encode(context.features)
        scores = {name: self._score(name, features) for name in context.eligible}
        highest = max(scores.values())
        shares = {name: math.exp(score - highest) for name, score in scores.items()}
        total = sum(shares.values())
        return floored({name: share / total for name, share in shares.items()}, self.floor)

    def _score(self, direction: str, features: Mapping[str, float]) -> float:
        weights = self.weights.get(direction, {})
        return sum(weight * features.get(name, 0.0) for name, weight in weights.items())

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""


def _said(row: Mapping[str, float]) -> str:
    return " ".join(f"{name}={weight:g}" for name, weight in sorted(row.items()))
