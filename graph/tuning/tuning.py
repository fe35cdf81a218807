"""Better policies from a recorded run: searched by Optuna, valued on samples that they were not made from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import optuna

from .estimators import Estimation, on_policy
from .families import FAMILIES, Spec
from .log import Floats, Ints, Log, LogError, check
from .recorded import Recorded
from .regression import folds

LEAST_SAMPLES: Final = 100
_LEAST_SHARE: Final = 0.01
_BELOW: Final = 1.645
"""Standard errors between a value and the lower confidence bound that is maximised (one-sided 95%)."""


@dataclass(frozen=True)
class Tuned:
    """The best policy of a family. Values are doubly robust, of samples that its parts were not made from.

    As the best of many trials, `value` is a little too high; `lower` is what was maximised.
    """

    spec: Spec
    family: str
    trials: int
    settings: Mapping[str, float]
    value: float
    lower: float
    logged: float
    """What the logging policy earned."""
    samples: int


def tune(record: Recorded, family: str, trials: int, seed: int = 0) -> Tuned:
    """The policy of `family` (one of FAMILIES) with the highest lower confidence bound in `trials` trials.

    Raises LogError when the log cannot tell.
    """
    log = record.log
    check(log)
    _check_support(log)
    fold = folds(log.clusters, seed=seed)
    known = FAMILIES[family](record, fold)

    def objective(trial: optuna.Trial) -> float:
        settings = known.settings(trial)
        targets = np.zeros(log.logged.shape)
        for one in np.unique(fold):
            rows = np.nonzero(fold == one)[0]
            targets[rows] = known.targets(known.spec(settings, fold != one), rows)
        value, error = _valued(log, targets, fold)
        trial.set_user_attr("settings", settings)
        trial.set_user_attr("value", value)
        return value - _BELOW * error

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(known.start())
    study.optimize(objective, n_trials=trials)
    best = study.best_trial
    value, lower = best.user_attrs["value"], float(study.best_value)
    settings = best.user_attrs["settings"]
    spec = known.spec(settings, np.ones(log.samples, dtype=bool))
    return Tuned(spec, family, trials, settings, value, lower, on_policy(log).value(), log.samples)


def _check_support(log: Log) -> None:
    remedy = "log a run with --policy uniform"
    if log.samples < LEAST_SAMPLES:
        raise LogError(f"has {log.samples} samples, fewer than {LEAST_SAMPLES}", remedy=f"{remedy} over more samples")
    shares = log.logged[log.taken].mean(axis=0)
    for name, share in zip(log.directions, shares, strict=True):
        if share < _LEAST_SHARE:
            raise LogError(f"hardly ever tried {name}: what it would bring is not known", remedy=remedy)


def _valued(log: Log, targets: Floats, fold: Ints) -> tuple[float, float]:
    """The doubly robust value of `targets` (n, T, K), and its standard error; samples of one image go together."""
    terms = Estimation(log, targets[None], fold).terms("dr", 0)
    residuals: Floats = terms.over[:, 0] - terms.value()
    sums = np.bincount(log.clusters, weights=residuals)
    return terms.value(), float(np.sqrt((sums**2).sum()) / log.samples)


def policy_file(tuned: Tuned, source: str) -> str:
    """`tuned` as a policy file (TOML) that a person can read and change."""
    lines = [
        f"# {tuned.family}: the best of {tuned.trials} trials on {tuned.samples} samples of {source}.",
        f"# Mean summed reward {tuned.value:.4f}, lower bound {tuned.lower:.4f}; the log earned {tuned.logged:.4f}.",
        *_table(tuned.spec, ()),
    ]
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """A TOML table: its own values, then its tables."""
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"\n[{'.'.join(map(_key, path))}]"] if path and plain else []
    lines += [f"{_key(name)} = {json.dumps(value)}" for name, value in plain.items()]
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, name))
    return lines


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)
