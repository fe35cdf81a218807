"""Weights of a softmax policy by gradient ascent on the doubly robust estimate of its own value.

What a regression says of single directions is fitted where the log has been; a policy's value counts where the policy
itself gets to, and how its rounds play together. So the value is climbed directly (off-policy policy gradient, as in
counterfactual risk minimisation: Swaminathan and Joachims 2015, arXiv 1502.02362), with a penalty on the weights.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from .log import Floats, Log

_MOST_STEPS: Final = 60


@dataclass(frozen=True)
class Slope:
    """The value of softmax policies on `log` and its gradient.

    `features` (n, T, d) are standardised, with a last column of ones; `values` (n, T, K) is what directions are thought
    to bring from then on: any values will do, good ones make the estimate less noisy. Every direction keeps `floor`.
    """

    log: Log
    features: Floats
    values: Floats
    floor: float

    def climbed(self, penalty: float) -> Floats:
        """The weights (K, d) of a policy that cannot be made better by small changes, from equal shares upwards.

        `penalty` is the price of a squared weight, other than those of the last column.
        """
        shape = (len(self.log.directions), self.features.shape[-1])
        prices = np.full(shape, penalty)
        prices[:, -1] = 0.0

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(shape)
            value, gradient = self.at(weights)
            return float((prices * weights**2).sum() - value), (2 * prices * weights - gradient).ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
        return found.x.reshape(shape)

    def at(self, weights: Floats) -> tuple[float, Floats]:
        """The estimated value of the policy with `weights` (K, d), and its gradient (K, d)."""
        log, taken = self.log, self.log.taken
        possible = log.logged > 0
        scores = np.where(possible, self.features @ weights.T, -np.inf)
        scores -= np.where(taken, scores.max(axis=-1), 0.0)[..., None]
        shares = np.exp(scores)
        shares /= np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300)
        floors = np.minimum(self.floor, 1 / np.maximum(possible.sum(axis=-1, keepdims=True), 1)) * possible
        free = (1 - floors.sum(axis=-1, keepdims=True)) * taken[..., None]
        chances = floors + free * shares

        chosen = np.where(taken[..., None], np.eye(shares.shape[-1])[np.maximum(log.actions, 0)], 0.0)
        ratios = log.of_chosen(chances) / log.propensities
        after = ratios.cumprod(axis=1)
        before = np.hstack([np.ones((log.samples, 1)), after[:, :-1]])
        surprises = after * np.where(taken, log.signals["reward"] - log.of_chosen(self.values), 0.0)
        expected = before * (chances * self.values).sum(axis=-1)

        # A share moves the surprises of its round and all that follows it, and what is expected of its own round.
        onward = np.cumsum((surprises + expected)[:, ::-1], axis=1)[:, ::-1] - expected
        drawn = (chosen * free * shares).sum(axis=-1) / np.maximum(log.of_chosen(chances), 1e-12)
        relative = self.values - (shares * self.values).sum(axis=-1, keepdims=True)
        pull = (onward * drawn)[..., None] * (chosen - shares) + before[..., None] * free * shares * relative
        gradient: Floats = np.einsum("ntk,ntd->kd", pull, self.features) / log.samples
        return float((surprises + expected).sum(axis=1).mean()), gradient
