"""Better policies from a recorded run: searched by Optuna, valued on images that neither made nor chose them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import optuna
from threadpoolctl import threadpool_limits

from .estimators import Estimation, interval, on_policy, resampled
from .evaluation import RESAMPLES, Estimate
from .families import FAMILIES, Spec
from .log import Floats, Log, LogError, check
from .recorded import Recorded
from .regression import FOLDS, folds

LEAST_SAMPLES: Final = 100
WIDER: Final = (1 + FOLDS / (FOLDS - 1)) ** 0.5
"""The standard error of a cross-validated value beside that of independent ones, 1.5 for five folds: its variance is
(1 / folds + unseen / seen) s^2, not s^2 / folds (Nadeau and Bengio 2003, Machine Learning 52)."""
_LEAST_SHARE: Final = 0.01
_BELOW: Final = 1.0
"""Standard errors between a value and the lower confidence bound that is maximised (one-sided 84%): policies that are
sure of themselves have wide intervals, and a lower bound would prefer those that are hardly better than the log's."""


@dataclass(frozen=True)
class Tuned:
    """The best policy of a family. `value` is what can be expected of it, with a 95% interval.

    `objective` is the lower confidence bound that was maximised: as the best of many trials it promises too much, which
    `value` makes up for. `logged` is what the logging policy earned.
    """

    spec: Spec
    family: str
    trials: int
    settings: Mapping[str, float]
    objective: float
    value: Estimate
    logged: float
    samples: int


def tune(record: Recorded, family: str, trials: int, seed: int = 0) -> Tuned:
    """The policy of `family` (one of FAMILIES) with the highest lower confidence bound in `trials` trials.

    Trials are valued by folds of the images, each by a policy that was made from the others. Raises LogError when the
    log cannot tell.
    """
    log = record.log
    check(log)
    _check_support(log)
    fold = folds(log.clusters, seed=seed)
    known = FAMILIES[family](record, fold)
    found: list[Floats] = []

    def objective(trial: optuna.Trial) -> float:
        settings = known.settings(trial)
        targets = np.zeros(log.logged.shape)
        for one in np.unique(fold):
            rows = np.nonzero(fold == one)[0]
            targets[rows] = known.targets(known.spec(settings, int(one)), rows)
        trial.set_user_attr("settings", settings)
        found.append(Estimation(log, targets[None], fold).terms("dr", 0).over[:, 0])
        return float(_lower(*_images(log, found[-1:]), _once(log)).item())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(known.start())
    with threadpool_limits(1):  # products this small only wait for each other
        study.optimize(objective, n_trials=trials)
    settings = study.best_trial.user_attrs["settings"]
    spec = known.spec(settings, None)
    value = expected(log, found, resampled(log.clusters, RESAMPLES, np.random.default_rng(seed)))
    return Tuned(spec, family, trials, settings, float(study.best_value), value, on_policy(log).value(), log.samples)


def _check_support(log: Log) -> None:
    remedy = "log a run with --policy uniform"
    if log.samples < LEAST_SAMPLES:
        raise LogError(f"has {log.samples} samples, fewer than {LEAST_SAMPLES}", remedy=f"{remedy} over more samples")
    shares = log.logged[log.taken].mean(axis=0)
    for name, share in zip(log.directions, shares, strict=True):
        if share < _LEAST_SHARE:
            raise LogError(f"hardly ever tried {name}: what it would bring is not known", remedy=remedy)


def expected(log: Log, trials: Sequence[Floats], drawn: Floats) -> Estimate:
    """What can be expected of the best of `trials`, each the doubly robust terms of the log's samples (n).

    Samples that a policy was not made from still chose it, so its value on them is too high. Each bootstrap sample of
    images (a row of `drawn`) chooses anew, and what it chose is valued on the images that it does not hold; the mean of
    these is the value (Tsamardinos, Greasidou and Borboudakis 2018, Machine Learning 107). The interval is that of the
    chosen trial, moved by as much as its value, and WIDER: policies that were made from nearly the same samples err
    together, which a bootstrap over the images that they are valued on does not see.
    """
    sums, counts = _images(log, trials)
    chosen = _lower(sums, counts, drawn).argmax(axis=1)
    unseen = (drawn == 0).astype(float)
    values = (unseen * sums[chosen]).sum(axis=1) / np.maximum(unseen @ counts, 1)
    best = int(_lower(sums, counts, _once(log)).argmax())
    value = float(values.mean())
    moved = value - float(sums[best].sum() / log.samples)
    low, high = interval(drawn @ sums[best] / (drawn @ counts) + moved)
    return Estimate(value, value - WIDER * (value - low), value + WIDER * (high - value))


def _images(log: Log, trials: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The sums of the `trials`' terms by image (m, images), and the images' numbers of samples."""
    counts = np.bincount(log.clusters).astype(float)
    return np.stack([np.bincount(log.clusters, weights=terms).astype(float) for terms in trials]), counts


def _once(log: Log) -> Floats:
    return np.ones((1, int(log.clusters.max()) + 1))


def _lower(sums: Floats, counts: Floats, drawn: Floats) -> Floats:
    """The lower confidence bounds of trials (b, m) on each of the image samples `drawn` (b, images)."""
    samples = (drawn @ counts)[:, None]
    means = drawn @ sums.T / samples
    squares = drawn @ (sums**2).T - 2 * means * (drawn @ (sums * counts).T) + means**2 * (drawn @ counts**2)[:, None]
    bounds: Floats = means - _BELOW * np.sqrt(np.maximum(squares, 0.0)) / samples
    return bounds


def policy_file(tuned: Tuned, source: str) -> str:
    """`tuned` as a policy file (TOML) that a person can read and change."""
    lines = [
        f"# {tuned.family}: the best of {tuned.trials} trials on {tuned.samples} samples of {source}.",
        f"# Mean summed reward {tuned.value} (95%); the log earned {tuned.logged:.4f}.",
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
