"""Estimates of what a target policy would have earned on a logged run, sample by sample.

With the ratios w_t of target and logged probability of round t's choice, and W_t = w_1 ... w_t:

| name | estimate of the mean summed signal | source |
|---|---|---|
| is | mean of sum_t W_t r_t (per decision) | Precup, Sutton and Singh 2000 |
| snis | sum_t (sum_i W_t r_t) / (sum_i W_t) | the same; Thomas 2015 |
| clipped | as `is`, each W_t at most CLIP | Ionides 2008 |
| dm | mean of V(first state), V and Q from a fitted model | Le, Voloshin and Yue 2019 |
| dr | mean of sum_t W_t (r_t - Q(s_t, a_t)) + W_(t-1) V(s_t) | Jiang and Li 2016 |
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from .log import Floats, Ints, Log
from .regression import Regression, folds

ESTIMATORS: Final = ("dr", "snis", "is", "clipped", "dm")
CLIP: Final = 10.0
_MOST_UNITS: Final = 4000


@dataclass(frozen=True)
class Terms:
    """An estimate as a sum of ratios of sums over samples: `over` and `under` are (n, m), m ratios."""

    over: Floats
    under: Floats

    def values(self, weights: Floats, clusters: Ints) -> Floats:
        """The estimate for each row of `weights` (b, images), by which an image's samples count."""
        over, under = (weights @ _summed(part, clusters) for part in (self.over, self.under))
        return (over / np.where(under == 0, 1.0, under)).sum(axis=1)

    def value(self) -> float:
        """The estimate with every sample counting once."""
        under = self.under.sum(axis=0)
        return float((self.over.sum(axis=0) / np.where(under == 0, 1.0, under)).sum())


def _summed(part: Floats, clusters: Ints) -> Floats:
    found = np.zeros((clusters.max() + 1, part.shape[1]))
    np.add.at(found, clusters, part)
    return found


def weights(log: Log, targets: Floats) -> Floats:
    """The products W_t of probability ratios, for each of `targets` (p, n, T, K): (p, n, T)."""
    return (log.of_chosen(targets) / log.propensities).cumprod(axis=-1)


class Estimation:
    """The estimates for several target policies on one log; `targets` (p, n, T, K) are their probabilities.

    `regression` is that of the log, where there is one already.
    """

    def __init__(self, log: Log, targets: Floats, regression: Regression | None = None) -> None:
        self.log = log
        self.targets = targets
        self.weights = weights(log, targets)
        self._regression = regression or Regression(log, folds(log.clusters))
        self._values: dict[str, Floats] = {}

    def terms(self, estimator: str, policy: int, signal: str = "reward") -> Terms:
        """The estimate `estimator` of target number `policy`, of what it would bring of `signal`."""
        brought, ones = self.log.signals[signal], _begun(self.log)
        w = self.weights[policy]
        if estimator == "is":
            return Terms((w * brought).sum(axis=1, keepdims=True), ones)
        if estimator == "clipped":
            return Terms((np.minimum(w, CLIP) * brought).sum(axis=1, keepdims=True), ones)
        if estimator == "snis":
            return Terms(w * brought, w * ones)
        q = self._action_values(signal)[policy]
        v = (self.targets[policy] * q).sum(axis=-1)
        if estimator == "dm":
            return Terms(v[:, :1], ones)
        assert estimator == "dr", estimator
        before = np.hstack([ones, w[:, :-1]])
        chosen = np.where(self.log.taken, self.log.of_chosen(q), 0.0)
        return Terms((w * (brought - chosen) + before * v).sum(axis=1, keepdims=True), ones)

    def _action_values(self, signal: str) -> Floats:
        if signal not in self._values:
            self._values[signal] = self._regression.action_values(self.targets, self.log.signals[signal])
        return self._values[signal]


def _begun(log: Log) -> Floats:
    """1 for every sample that had a round: others count for nothing."""
    return log.taken[:, :1].astype(float)


def on_policy(log: Log, signal: str = "reward") -> Terms:
    """What the logging policy itself brought."""
    return Terms(log.signals[signal].sum(axis=1, keepdims=True), _begun(log))


def units(clusters: Ints, seed: int = 0) -> Ints:
    """What a bootstrap draws, as a number for each sample: its image, or, of more than 4,000, one of 4,000 groups of
    random images. Groups are as independent as images, and so many tell an interval as well as 1,000 draws can."""
    images = int(clusters.max()) + 1
    if images <= _MOST_UNITS:
        return clusters
    return (np.random.default_rng(seed).permutation(images) % _MOST_UNITS)[clusters]


def resampled(clusters: Ints, count: int, rng: np.random.Generator) -> Floats:
    """How often each image is drawn in `count` bootstrap samples of all images: (count, images)."""
    images = int(clusters.max()) + 1
    return rng.multinomial(images, np.full(images, 1 / images), size=count).astype(float)


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95% of bootstrap values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
