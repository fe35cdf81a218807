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
from .regression import best_values, scaling, standardised

if TYPE_CHECKING:
    from optuna import Trial

Spec = dict[str, Any]
"""A policy as a policy file holds it: {"policy": name, ...settings}."""
Mask = NDArray[np.bool_]
FLOOR: Final = 0.02
"""What every direction keeps, so that the logs of tuned policies can judge others. It is not searched: a higher one
never earns more, it only makes estimates less noisy, and a lower bound would take that for a better policy."""
_BLOCK: Final = 1000
_NEVER_BEST: Final = -1e3


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

    def targets(self, spec: Spec, record: Recorded) -> Floats:
        """What the policy proposes for the samples of `record`: (n, T, K)."""
        shares = record.log.eligible * [spec["weights"][name] for name in record.log.directions]
        return shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300)


class WeightedFeatures:
    """Softmax policies whose weights the seen samples' estimate of the policy's value is highest for.

    Optuna chooses what large weights cost.
    """

    name = "softmax"

    def __init__(self, record: Recorded, fold: Ints) -> None:
        self._log, self._fold = record.log, fold
        self._scaling = scaling(record.log)
        ones = np.ones((*record.log.actions.shape, 1))
        self._features = np.concatenate([standardised(record.log), ones], axis=-1) * record.log.taken[..., None]
        self._slopes: dict[int | None, Slope] = {}

    def settings(self, trial: "Trial") -> dict[str, float]:
        """The trial's penalty, from 1e-5 to 1."""
        return {"penalty": _quarter_decade(trial.suggest_int("penalty", -20, 0))}

    def start(self) -> dict[str, float]:
        """As good as equal shares."""
        return {"penalty": 0}

    def spec(self, settings: Mapping[str, float], held: int | None) -> Spec:
        """The policy whose weights come from the samples of all folds but the one `held` back."""
        weights = self._slope(held).climbed(settings["penalty"])
        raw = weights[:, :-1] * self._scaling.factors
        bias = weights[:, -1] - raw @ self._scaling.means
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

    def targets(self, spec: Spec, record: Recorded) -> Floats:
        """What the policy proposes for the samples of `record`: (n, T, K)."""
        log = record.log
        names = ("bias", *log.feature_names)
        weights = np.array([[spec["weights"][one].get(name, 0.0) for name in names] for one in log.directions])
        scores = np.where(log.eligible, log.features @ weights[:, 1:].T + weights[:, 0], -np.inf)
        shares = np.exp(scores - np.where(log.taken, scores.max(axis=-1), 0.0)[..., None])
        return _floored(shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300), log, spec["floor"])


class LearnersState:
    """Linear Thompson sampling that begins with what the log taught it."""

    name = "linear-thompson"

    def __init__(self, record: Recorded, fold: Ints) -> None:
        self._parts = {int(number): _taught(record, fold == number) for number in np.unique(fold)}

    def settings(self, trial: "Trial") -> dict[str, float]:
        """The trial's noise and prior."""
        return {
            "noise": _quarter_decade(trial.suggest_int("noise", -7, 0)),
            "prior": _quarter_decade(trial.suggest_int("prior", -8, 0)),
        }

    def start(self) -> dict[str, float]:
        """Hardly convinced of anything."""
        return {"noise": 0, "prior": -8}

    def spec(self, settings: Mapping[str, float], held: int | None) -> Spec:
        """The policy with the statistics of the samples of all folds but the one `held` back."""
        total = LinearThompson()
        for number, part in self._parts.items():
            if number != held:
                total.merge(part)
        return {"policy": self.name, **settings, "floor": FLOOR, "state": total.state()}

    def targets(self, spec: Spec, record: Recorded) -> Floats:
        """What the policy proposes for the samples of `record`: (n, T, K)."""
        log = record.log
        policy = LinearThompson(**{name: value for name, value in spec.items() if name != "policy"})
        shares = np.zeros(log.logged.shape)
        for start in range(0, log.samples, _BLOCK):
            rows = range(start, min(start + _BLOCK, log.samples))
            seen = np.zeros((len(rows), log.actions.shape[1], len(spec["state"]["features"])))
            for at in rows:
                for number, context in enumerate(record.contexts(at)):
                    seen[at - start, number] = policy.vector(encode(context.features))
            beliefs = [policy.beliefs(name, seen) for name in log.directions]
            means, deviations = (np.stack(part, axis=-1) for part in zip(*beliefs, strict=True))
            means = np.where(log.eligible[start : rows.stop], means, _NEVER_BEST)
            shares[start : rows.stop] = best_probabilities(means, deviations)
        return _floored(shares, log, spec["floor"])


def _quarter_decade(number: int) -> float:
    """10 to the power of `number` / 4: settings that lie closer make no other policies, and are tried but once."""
    return float(f"{10 ** (number / 4):.3g}")


def _floored(shares: Floats, log: Log, floor: float) -> Floats:
    """`shares` with the floors of the eligible directions, 0 after a sample's end."""
    eligible = log.eligible
    floors = np.minimum(floor, 1 / np.maximum(eligible.sum(axis=-1, keepdims=True), 1)) * eligible
    return np.where(eligible, floors + (1 - floors.sum(axis=-1, keepdims=True)) * shares, 0.0)


def _taught(record: Recorded, rows: Mask) -> LinearThompson:
    policy, log = LinearThompson(), record.log
    for at in np.nonzero(rows)[0].tolist():
        for number, context in enumerate(record.contexts(at)):
            direction = log.directions[log.actions[at, number]]
            policy.add(encode(context.features), direction, float(log.signals["reward"][at, number]))
    return policy


FAMILIES: Final = {"softmax": WeightedFeatures, "fixed": FixedShares, "linear-thompson": LearnersState}
"""The families by name; each is made from a recorded run and its samples' folds."""
