"""A model of what directions bring, fitted to the log: the direct method's estimate, and what doubly robust corrects.

Fitted Q evaluation, backwards over the rounds (Le, Voloshin and Yue 2019, arXiv 1903.08738): what a direction brings is
its round's signal plus what the target policy would then earn. Cross-fitted: the values of a sample come from models
that saw none of the samples of its image (Chernozhukov et al. 2018, arXiv 1608.00060).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.ensemble import ExtraTreesRegressor

from .log import Floats, Ints, Log

FOLDS: Final = 5
_PENALTY: Final = 3.0
_TREES: Final = 30
_LEAF: Final = 10
_BLOCK: Final = 20_000
_CONSTANT: Final = 1e-9


def folds(clusters: Ints, count: int = FOLDS, seed: int = 0) -> Ints:
    """A fold (0 ... count - 1) for every sample; samples of one image share theirs."""
    found, places = np.unique(clusters, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(found))
    return (shuffled % count)[places]


@dataclass(frozen=True)
class Scaling:
    """Means and deviations of a log's features over its rounds (d); the deviation of one that never changes is 0."""

    means: Floats
    deviations: Floats

    @property
    def factors(self) -> Floats:
        """1 / deviation; 0 for a feature that never changes, so that it counts for nothing."""
        return np.divide(1.0, self.deviations, out=np.zeros_like(self.deviations), where=self.deviations > 0)


def scaling(log: Log) -> Scaling:
    """The scaling of the log's features, found without a copy of them."""
    count, rounds = log.taken.sum(), range(log.actions.shape[1])
    means = sum((log.taken[:, one] @ log.features[:, one] for one in rounds), np.zeros(log.features.shape[-1])) / count
    # Two passes: what is left of a difference of large sums would pass for the deviation of a constant.
    squares = np.zeros_like(means)
    for one in rounds:
        for rows in np.array_split(np.nonzero(log.taken[:, one])[0], -(-log.samples // _BLOCK)):
            squares += ((log.features[rows, one] - means) ** 2).sum(axis=0)
    deviations = np.sqrt(squares / count)
    return Scaling(means, np.where(deviations > _CONSTANT * np.maximum(np.abs(means), 1.0), deviations, 0.0))


def standardised(log: Log) -> Floats:
    """The log's features with mean 0 and deviation 1 over its rounds; those that never change are 0."""
    found = scaling(log)
    return np.where(log.taken[..., None], (log.features - found.means) * found.factors, 0.0)


class Regression:
    """Ridge regressions of what directions bring on the log's standardised features, each fold's from the others.

    A direction's weights are a shared part plus its own, both penalised, so that directions share their strength. All
    that is kept of the rows are sums of products, by round, fold and direction: one pass serves every target policy and
    every signal, and a fold's are taken away again by a subtraction.
    """

    def __init__(self, log: Log, fold: Ints) -> None:
        self._log = log
        self._fold = fold
        self._folds = np.unique(fold)
        found = scaling(log)
        self._affine = np.diag([1.0, *found.factors])
        self._affine[0, 1:] = -found.means * found.factors
        self._squares = np.array([self._products(number) for number in range(log.actions.shape[1])])
        self._solvers: dict[tuple[int, int], Any] = {}

    def _products(self, number: int) -> list[list[Floats]]:
        """Of round `number` by fold and direction: the sum of products of the standardised features after a 1."""
        log = self._log

        def products(fold: int, place: int) -> Floats:
            rows = log.features[(self._fold == fold) & (log.actions[:, number] == place), number]
            extended = np.hstack([np.ones((len(rows), 1)), rows]) @ self._affine
            return extended.T @ extended

        return [[products(fold, place) for place in range(len(log.directions))] for fold in self._folds]

    def action_values(self, targets: Floats, signal: Floats) -> Floats:
        """What each direction brings of `signal` (n, T) from then on under `targets` (p, n, T, K): (p, n, T, K).

        The values of a sample are of the regressions that saw nothing of its fold.
        """
        log, values = self._log, np.zeros(targets.shape)
        for at, held in enumerate(self._folds):
            unseen = self._fold == held
            later = np.zeros(targets.shape[:2])
            for number in range(log.actions.shape[1] - 1, -1, -1):
                taken = log.taken[:, number]
                if not (taken & ~unseen).any():
                    continue
                weights = self._fitted(at, number, np.where(taken & ~unseen, signal[:, number] + later, 0.0))
                q = log.features[:, number] @ weights[:, 1:] + weights[:, :1]
                later = np.where(taken, (targets[:, :, number] * q).sum(axis=-1), 0.0)
                rows = unseen & taken
                values[:, rows, number] = q[:, rows]
        return values

    def _fitted(self, held: int, number: int, outcomes: Floats) -> Floats:
        """The weights (p, 1 + d, K) of raw features after a 1, for `outcomes` (p, n) that are 0 where unseen."""
        log = self._log
        sizes = (len(self._affine), len(log.directions))
        chosen = (log.actions[:, number, None] == np.arange(sizes[1])).astype(float)
        each = outcomes[:, :, None] * chosen
        sums = np.concatenate([each.sum(axis=1)[:, None], log.features[:, number].T @ each], axis=1)
        sums = (self._affine.T @ sums).transpose(0, 2, 1)
        right = np.concatenate([sums.sum(axis=1)[:, None], sums], axis=1).reshape(len(outcomes), -1)
        found = cho_solve(self._solver(held, number), right.T).T.reshape(len(outcomes), -1, sizes[0])
        weights: Floats = self._affine @ (found[:, :1] + found[:, 1:]).transpose(0, 2, 1)
        return weights

    def _solver(self, held: int, number: int) -> Any:
        """The factors of the penalised normal equations of a round without one fold."""
        if (held, number) not in self._solvers:
            own = self._squares[number].sum(axis=0) - self._squares[number][held]
            shared = np.hstack([own.sum(axis=0), *own])
            matrix = np.vstack([shared, *(np.hstack([one, *_beside(own, place)]) for place, one in enumerate(own))])
            penalties = np.full(len(matrix), _PENALTY)
            penalties[0] = 0.0  # that of the constant
            self._solvers[held, number] = cho_factor(matrix + np.diag(penalties))
        return self._solvers[held, number]


def _beside(blocks: Floats, place: int) -> list[Floats]:
    """A row of blocks that are 0 but for that at `place`."""
    return [block if at == place else np.zeros_like(block) for at, block in enumerate(blocks)]


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
        later = np.where(taken, np.where(log.eligible[:, number], values[:, number], -np.inf).max(axis=1), 0.0)
    return values
