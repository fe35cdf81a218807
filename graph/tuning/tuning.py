"""Better policies from a recorded run: searched by Optuna, valued on images that neither made nor chose them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import optuna
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..policies.registry import TUNED_ON
from .estimators import Estimation, Terms, interval, on_policy, resampled, units
from .evaluation import RESAMPLES, Estimate
from .families import FAMILIES, Spec
from .log import Floats, Ints, LogError, Tell, check, untold
from .recorded import Recorded, some_images
from .regression import FOLDS, Regression, folds
from .support import check_searchable, effective_images, refusal

MOST_SAMPLES: Final = 5000
"""A log of twice as many samples or more is searched with so many, of random images; the others value what is found."""
WIDER: Final = (1 + FOLDS / (FOLDS - 1)) ** 0.5
"""The standard error of a cross-validated value beside that of independent ones, 1.5 for five folds: its variance is
(1 / folds + unseen / seen) s^2, not s^2 / folds (Nadeau and Bengio 2003, Machine Learning 52)."""
_BELOW: Final = 1.0
"""Standard errors between a value and the lower confidence bound that is maximised (one-sided 84%): policies that are
sure of themselves have wide intervals, and a lower bound would prefer those that are hardly better than the log's."""


@dataclass(frozen=True)
class Tuned:
    """The best policy of a family on the log of `run`. `value` is what can be expected of it, with a 95% interval.

    `trials` are the different settings that were tried, `refused` those of them whose policies the log can say nothing
    of. `objective` is the lower confidence bound that was maximised: as the best of many trials it promises too much,
    which `value` makes up for. `logged` is what the logging policy earned. The search saw `searched` of the log's
    `samples`.
    """

    run: str
    spec: Spec
    family: str
    trials: int
    refused: int
    settings: Mapping[str, float]
    objective: float
    value: Estimate
    logged: float
    samples: int
    searched: int


@dataclass(frozen=True)
class _Tried:
    """A trial's policy, the doubly robust terms of the samples (n), their lower bound; or why nothing can be said."""

    settings: Mapping[str, float]
    spec: Spec
    terms: Floats
    bound: float
    reason: str


class _Search:
    def __init__(self, record: Recorded, family: str, seed: int) -> None:
        self._record = record
        self._fold = folds(record.log.clusters, seed=seed)
        self._regression = Regression(record.log, self._fold)
        self._units = units(record.log.clusters, seed)
        self.known = FAMILIES[family](record, self._fold)
        self.tried: dict[tuple[float, ...], _Tried] = {}

    def bound(self, trial: optuna.Trial) -> float:
        """The lower confidence bound of a trial's policy; the same settings are tried but once."""
        settings = self.known.settings(trial)
        key = tuple(settings.values())
        if key not in self.tried:
            self.tried[key] = self._tried(settings)
        if self.tried[key].reason:
            raise optuna.TrialPruned
        return self.tried[key].bound

    def _tried(self, settings: Mapping[str, float]) -> _Tried:
        log = self._record.log
        spec = self.known.spec(settings, None)
        final = Estimation(log, self.known.targets(spec, self._record)[None], self._regression)
        reason = refusal(log, final.targets[0], effective_images(log, final.weights[0]))
        targets = np.zeros(log.logged.shape)
        for one in np.unique(self._fold):
            rows = self._fold == one
            targets[rows] = self.known.targets(self.known.spec(settings, int(one)), self._record.only(rows))
        terms = Estimation(log, targets[None], self._regression).terms("dr", 0).over[:, 0]
        bound = float(_lower(*_drawn_sums(self._units, [terms]), _once(self._units)).item())
        return _Tried(settings, spec, terms, bound, reason)

    def best(self) -> tuple[_Tried, list[_Tried]]:
        """The best trial, and all of which something can be said. Raises LogError when there is none."""
        known = [one for one in self.tried.values() if not one.reason]
        if not known:
            raise LogError(f"no policy can be valued: {next(iter(self.tried.values())).reason}")
        return max(known, key=lambda one: one.bound), known

    def expected(self, known: Sequence[_Tried], seed: int) -> Estimate:
        """What can be expected of the best of the trials `known`, by the samples that were searched."""
        drawn = resampled(self._units, RESAMPLES, np.random.default_rng(seed))
        return expected(self._units, [one.terms for one in known], drawn)


def tune(record: Recorded, family: str, trials: int, seed: int = 0, tell: Tell = untold) -> Tuned:
    """The policy of `family` (one of FAMILIES) with the highest lower confidence bound in `trials` trials.

    Trials are valued by folds of the images, each by a policy that was made from the others. Raises LogError when the
    log cannot tell.
    """
    log = record.log
    check(log)
    check_searchable(log)
    seen = some_images(log.clusters, MOST_SAMPLES if log.samples >= 2 * MOST_SAMPLES else log.samples, seed)
    search = _Search(record if seen.all() else record.only(seen), family, seed)

    def objective(trial: optuna.Trial) -> float:
        tell("trying", trial.number, trials)
        return search.bound(trial)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(search.known.start())
    with threadpool_limits(1):  # products this small only wait for each other
        study.optimize(objective, n_trials=trials)
        best, known = search.best()
        tell("valuing", 0, 1)
        value = search.expected(known, seed) if seen.all() else _valued(record, ~seen, search, best, seed)
    return Tuned(
        run=record.run,
        spec=best.spec,
        family=family,
        trials=len(search.tried),
        refused=len(search.tried) - len(known),
        settings=best.settings,
        objective=best.bound,
        value=value,
        logged=on_policy(log).value(),
        samples=log.samples,
        searched=int(seen.sum()),
    )


def _valued(record: Recorded, others: NDArray[np.bool_], search: _Search, best: _Tried, seed: int) -> Estimate:
    """The value of a policy on `others`, which had no part in making or choosing it. Raises LogError when refused."""
    log = record.log
    estimation = Estimation(log, search.known.targets(best.spec, record)[None])
    if reason := refusal(log, estimation.targets[0], effective_images(log, estimation.weights[0])):
        raise LogError(f"the best policy cannot be valued: {reason}")
    terms, places = estimation.terms("dr", 0), np.unique(log.clusters[others], return_inverse=True)[1]
    mine, drawn = Terms(terms.over[others], terms.under[others]), units(places, seed)
    draws = resampled(drawn, RESAMPLES, np.random.default_rng(seed))
    return Estimate(mine.value(), *interval(mine.values(draws, drawn)))


def expected(places: Ints, trials: Sequence[Floats], drawn: Floats) -> Estimate:
    """What can be expected of the best of `trials`, each the doubly robust terms of samples; `places` are their images.

    Samples that a policy was not made from still chose it, so its value on them is too high. Each bootstrap sample of
    images (a row of `drawn`) chooses anew, and what it chose is valued on the images that it does not hold; the mean of
    these is the value (Tsamardinos, Greasidou and Borboudakis 2018, Machine Learning 107). The interval is that of the
    chosen trial, moved by as much as its value, and WIDER: policies that were made from nearly the same samples err
    together, which a bootstrap over the images that they are valued on does not see.
    """
    sums, counts = _drawn_sums(places, trials)
    chosen = _lower(sums, counts, drawn).argmax(axis=1)
    unseen = (drawn == 0).astype(float)
    values = (unseen * sums[chosen]).sum(axis=1) / np.maximum(unseen @ counts, 1)
    best = int(_lower(sums, counts, _once(places)).argmax())
    value = float(values.mean())
    moved = value - float(sums[best].sum() / len(places))
    low, high = interval(drawn @ sums[best] / (drawn @ counts) + moved)
    return Estimate(value, value - WIDER * (value - low), value + WIDER * (high - value))


def _drawn_sums(places: Ints, trials: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The sums of the `trials`' terms by what is drawn (m, images), and the numbers of samples in each."""
    counts = np.bincount(places).astype(float)
    return np.stack([np.bincount(places, weights=terms).astype(float) for terms in trials]), counts


def _once(places: Ints) -> Floats:
    return np.ones((1, int(places.max()) + 1))


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
        f"# {tuned.family}: the best of {tuned.trials} trials on {_said(tuned)} of {source}.",
        f"# Mean summed reward {tuned.value} (95%); the log earned {tuned.logged:.4f}.",
        *_table(tuned.spec | {TUNED_ON: tuned.run}, ()),
    ]
    return "\n".join(lines) + "\n"


def _said(tuned: Tuned) -> str:
    if tuned.searched == tuned.samples:
        return f"{tuned.samples} samples"
    return f"{tuned.searched} of the {tuned.samples} samples"


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
