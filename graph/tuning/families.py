"""Families of policies that tuning searches: how a policy is made from settings and the samples it may see."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..policies.best import best_probabilities
from ..policies.encoding import encode
from ..policies.linear_thompson import LinearThompson
from .ascent import Slope
from .log import Floats, Ints, Log
from .recorded import Recorded
from .regression import best_values, standardised

if TYPE_CHECKING:
    from optuna import Trial

Spec = dict[str, Any]
"""A policy as a policy file holds it: {"policy": name, ...settings}."""
Mask = NDArray[np.bool_]
FLOOR: Final = 0.02
"""What every direction keeps, so that the logs of tuned policies can judge others. It is not searched: a higher one
never earns more, it only makes estimates less noisy, and a lower bound would take that for a better policy."""


class FixedShares:
    """Shares that do not depend on the sample."""

    name = "fixed"

    def __init__(self, record: Recorded, fold: Ints) -> None:
        self._log = record.log

    def settings(self, trial: "Trial") -> dict[str, float]:
        """The trial's shares; none is below a tenth of the largest."""
        return {name: trial.suggest_float(name, 0.1, 1.0, log=True) for name in self._log.directions}

    def start(self) -> dict[str, float]:
        """Equal shares."""
        return dict.fromkeys(self._log.directions, 1.0)

    def spec(self, settings: Mapping[str, float], held: int | None) -> Spec:
        """The policy of the trial, whatever fold was `held` back."""
        total = sum(settings.values())
        return {"policy": self.name, "weights": {name: round(share / total, 3) for name, share in settings.items()}}

    def targets(self, spec: Spec, rows: Ints) -> Floats:
        """What the policy proposes for the samples in `rows`: (m, T, K)."""
        possible = self._log.logged[rows] > 0
        shares = possible * [spec["weights"][name] for name in self._log.directions]
        return shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300)


class WeightedFeatures:
    """Softmax policies whose weights the seen samples' estimate of the policy's value is highest for.

    Optuna chooses what large weights cost.
    """

    name = "softmax"

    def __init__(self, record: Recorded, fold: Ints) -> None:
        self._log, self._fold = record.log, fold
        flat = record.log.features[record.log.taken]
        self._means, self._scales = flat.mean(axis=0), flat.std(axis=0)
        ones = np.ones((*record.log.actions.shape, 1))
        self._features = np.concatenate([standardised(record.log), ones], axis=-1) * record.log.taken[..., None]
        self._slopes: dict[int | None, Slope] = {}

    def settings(self, trial: "Trial") -> dict[str, float]:
        """The trial's penalty."""
        return {"penalty": trial.suggest_float("penalty", 1e-5, 1.0, log=True)}

    def start(self) -> dict[str, float]:
        """As good as equal shares."""
        return {"penalty": 1.0}

    def spec(self, settings: Mapping[str, float], held: int | None) -> Spec:
        """The policy whose weights come from the samples of all folds but the one `held` back."""
        weights = self._slope(held).climbed(settings["penalty"])
        with np.errstate(divide="ignore", invalid="ignore"):
            raw = np.where(self._scales > 0, weights[:, :-1] / self._scales, 0.0)
        bias = weights[:, -1] - raw @ self._means
        names = ("bias", *self._log.feature_names)
        table = {
            direction: {
                name: round(float(weight), 3)
                for name, weight in zip(names, (bias[k], *raw[k]), strict=True)
                if abs(weight) >= 0.0005
            }
            for k, direction in enumerate(self._log.directions)
        }
        return {"policy": self.name, "floor": FLOOR, "weights": table}

    def _slope(self, held: int | None) -> Slope:
        if held not in self._slopes:
            seen = self._fold != (-1 if held is None else held)
            log, features = self._log.only(seen), self._features[seen]
            self._slopes[held] = Slope(log, features, best_values(log, features[..., :-1]), FLOOR)
        return self._slopes[held]

    def targets(self, spec: Spec, rows: Ints) -> Floats:
        """What the policy proposes for the samples in `rows`: (m, T, K)."""
        log = self._log
        names = ("bias", *log.feature_names)
        weights = np.array([[spec["weights"][one].get(name, 0.0) for name in names] for one in log.directions])
        scores = log.features[rows] @ weights[:, 1:].T + weights[:, 0]
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True)) * (log.logged[rows] > 0)
        return _floored(shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300), log, rows, spec["floor"])


class LearnersState:
    """Linear Thompson sampling that begins with what the log taught it."""

    name = "linear-thompson"

    def __init__(self, record: Recorded, fold: Ints) -> None:
        self._record, self._fold = record, fold
        self._parts = {int(number): _taught(record, fold == number) for number in np.unique(fold)}
        self._encoded = [[encode(context.features) for context in contexts] for contexts in record.contexts]

    def settings(self, trial: "Trial") -> dict[str, float]:
        """The trial's noise and prior."""
        return {
            "noise": trial.suggest_float("noise", 0.02, 1.0, log=True),
            "prior": trial.suggest_float("prior", 0.01, 1.0, log=True),
        }

    def start(self) -> dict[str, float]:
        """Hardly convinced of anything."""
        return {"noise": 1.0, "prior": 0.01}

    def spec(self, settings: Mapping[str, float], held: int | None) -> Spec:
        """The policy with the statistics of the samples of all folds but the one `held` back."""
        total = LinearThompson()
        for number, part in self._parts.items():
            if number != held:
                total.merge(part)
        rounded = {name: float(f"{value:.3g}") for name, value in settings.items()}
        return {"policy": self.name, **rounded, "floor": FLOOR, "state": total.state()}

    def targets(self, spec: Spec, rows: Ints) -> Floats:
        """What the policy proposes for the samples in `rows`: (m, T, K)."""
        log = self._record.log
        policy = LinearThompson(**{name: value for name, value in spec.items() if name != "policy"})
        seen = np.zeros((len(rows), log.actions.shape[1], len(spec["state"]["features"])))
        for row, at in enumerate(rows):
            for number, encoded in enumerate(self._encoded[at]):
                seen[row, number] = policy.vector(encoded)
        beliefs = [policy.beliefs(name, seen) for name in log.directions]
        shares = best_probabilities(*(np.stack(part, axis=-1) for part in zip(*beliefs, strict=True)))
        return _floored(shares, log, rows, spec["floor"])


def _floored(shares: Floats, log: Log, rows: Ints, floor: float) -> Floats:
    """`shares` with the floors of the directions that were possible, 0 after a sample's end."""
    possible = log.logged[rows] > 0
    floors = np.minimum(floor, 1 / np.maximum(possible.sum(axis=-1, keepdims=True), 1)) * possible
    return np.where(possible, floors + (1 - floors.sum(axis=-1, keepdims=True)) * shares, 0.0)


def _taught(record: Recorded, rows: Mask) -> LinearThompson:
    policy, log = LinearThompson(), record.log
    for at in np.nonzero(rows)[0]:
        for number, context in enumerate(record.contexts[at]):
            direction = log.directions[log.actions[at, number]]
            policy.add(encode(context.features), direction, float(log.signals["reward"][at, number]))
    return policy


FAMILIES: Final = {"softmax": WeightedFeatures, "fixed": FixedShares, "linear-thompson": LearnersState}
"""The families by name; each is made from a recorded run and its samples' folds."""
