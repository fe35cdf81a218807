"""A model of what directions bring, fitted to the log: the direct method's estimate, and what doubly robust corrects.

Fitted Q evaluation, backwards over the rounds (Le, Voloshin and Yue 2019, arXiv 1903.08738): what a direction brings is
its round's signal plus what the target policy would then earn. Cross-fitted: the values of a sample come from models
that saw none of the samples of its image (Chernozhukov et al. 2018, arXiv 1608.00060).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from .log import Floats, Ints, Log

FOLDS: Final = 5
_PENALTY: Final = 3.0
_TREES: Final = 30
_LEAF: Final = 10


def folds(clusters: Ints, count: int = FOLDS, seed: int = 0) -> Ints:
    """A fold (0 ... count - 1) for every sample; samples of one image share theirs."""
    found, places = np.unique(clusters, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(found))
    return (shuffled % count)[places]


def standardised(log: Log) -> Floats:
    """The log's features with mean 0 and deviation 1 over its rounds; those that never change are 0."""
    flat = log.features[log.taken]
    scaled = np.zeros_like(log.features)
    scaled[log.taken] = StandardScaler().fit_transform(flat)
    return scaled


def action_values(log: Log, targets: Floats, signal: Floats, fold: Ints, features: Floats) -> Floats:
    """What each direction brings from then on under each target policy: (p, n, T, K) for `targets` (p, n, T, K).

    `signal` (n, T) is what rounds bring; `features` are the standardised ones.
    """
    values = np.zeros(targets.shape)
    for held in np.unique(fold):
        seen, unseen = fold != held, fold == held
        later = np.zeros(targets.shape[:2])
        for number in range(log.actions.shape[1] - 1, -1, -1):
            taken = log.taken[:, number]
            train = seen & taken
            if not train.any():
                continue
            outcomes = signal[train, number] + later[:, train]
            predict = _fitted(log.actions[train, number], features[train, number], outcomes, len(log.directions))
            q = predict(features[taken, number])
            later = np.zeros(targets.shape[:2])
            later[:, taken] = (targets[:, taken, number] * q).sum(axis=-1)
            values[:, unseen & taken, number] = q[:, unseen[taken]]
    return values


def _fitted(actions: Ints, features: Floats, outcomes: Floats, directions: int) -> Callable[[Floats], Floats]:
    """A model of `outcomes` (p, rows): from features (m, d) to what each direction brings (p, m, K)."""
    model = Ridge(alpha=_PENALTY, fit_intercept=True, solver="cholesky")
    model.fit(_design(features, np.eye(directions)[actions]), outcomes.T)
    # Linear in the design: one product for all directions instead of a prediction for each.
    d, k = features.shape[1], directions
    weights = np.atleast_2d(model.coef_)
    shared, offsets, own = weights[:, :d], weights[:, d : d + k], weights[:, d + k :].reshape(-1, k, d)
    slopes = shared[:, None] + own
    constants = np.reshape(model.intercept_, (-1, 1)) + offsets

    def predict(rows: Floats) -> Floats:
        return np.einsum("md,pkd->pmk", rows, slopes) + constants[:, None]

    return predict


def _design(features: Floats, chosen: Floats) -> Floats:
    """What directions have in common, and what each has of its own: these share their strength by the penalty."""
    own = (chosen[:, :, None] * features[:, None, :]).reshape(len(features), -1)
    return np.hstack([features, chosen, own])


def best_values(log: Log, features: Floats) -> Floats:
    """What each direction brings when the best follows (n, T, K): fitted Q iteration, not cross-fitted.

    By trees, which find for themselves which features matter together: a policy is made of these values, and where a
    direction pays only after another was accepted for this kind of image, a linear model would mislead it.
    `features` are the standardised ones.
    """
    reward = log.signals["reward"]
    values, later = np.zeros(log.logged.shape), np.zeros(log.samples)
    for number in range(log.actions.shape[1] - 1, -1, -1):
        taken, outcomes = log.taken[:, number], reward[:, number] + later
        for place in range(len(log.directions)):
            rows = log.actions[:, number] == place
            if rows.any():
                model = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=0)
                model.fit(features[rows, number], outcomes[rows])
                values[taken, number, place] = model.predict(features[taken, number])
        later = np.where(taken, np.where(log.logged[:, number] > 0, values[:, number], -np.inf).max(axis=1), 0.0)
    return values
