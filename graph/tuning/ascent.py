"""Weights of a softmax policy by gradient ascent on the doubly robust estimate of its own value.

What a regression says of single directions is fitted where the log has been; a policy's value counts where the policy
itself gets to, and how its rounds play together. So the value is climbed directly (off-policy policy gradient, as in
counterfactual risk minimisation: Swaminathan and Joachims 2015, arXiv 1502.02362), with a penalty on the weights.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .log import Floats, Log, Scalar

_MOST_STEPS: Final = 60
_TINY: Final = 1e-12


class Slope:
    """The value of softmax policies on `log` and its gradient.

    `features` (n, T, d) are standardised, with a last column of ones; `values` (n, T, K) is what directions are thought
    to bring from then on: any values will do, good ones make the estimate less noisy. Every direction keeps `floor`.
    """

    def __init__(self, log: Log, features: Floats, values: Floats, floor: float) -> None:
        # Directions first and rounds before samples: sums over a few directions are then sums of long rows.
        self._shape = (log.actions.shape[1], log.samples)
        self._features = features.swapaxes(0, 1).reshape(-1, features.shape[-1])
        self._possible = _by_direction(log.eligible)
        self._values = _by_direction(values)
        actions = log.actions.T.ravel()
        self._chosen = (actions == np.arange(len(log.directions))[:, None]).astype(float)
        self._taken = (actions >= 0).astype(float)
        self._floors = np.minimum(floor, 1 / np.maximum(self._possible.sum(axis=0), 1)) * self._possible
        self._free = (1 - self._floors.sum(axis=0)) * self._taken
        self._propensities = log.propensities.T.ravel()
        self._surprise = (log.signals["reward"].T.ravel() - (self._chosen * self._values).sum(axis=0)) * self._taken

    def climbed(self, penalty: float) -> Floats:
        """The weights (K, d) of a policy that cannot be made better by small changes, from equal shares upwards.

        `penalty` is the price of a squared weight; with a high one shares stay equal.
        """
        shape = (len(self._values), self._features.shape[-1])

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(shape)
            value, gradient = self.at(weights)
            return penalty * float((weights**2).sum()) - value, (2 * penalty * weights - gradient).ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
        return found.x.reshape(shape)

    def at(self, weights: Floats) -> tuple[float, Floats]:
        """The estimated value of the policy with `weights` (K, d), and its gradient (K, d)."""
        chosen, values, free, samples = self._chosen, self._values, self._free, self._shape[1]
        scores = np.where(self._possible, weights @ self._features.T, -np.inf)
        scores -= np.where(self._taken, scores.max(axis=0), 0.0)
        shares = np.exp(scores)
        shares /= np.maximum(shares.sum(axis=0), _TINY)
        chances = self._floors + free * shares

        drawn = (chosen * chances).sum(axis=0)
        ratios = np.where(self._taken, drawn / self._propensities, 1.0).reshape(self._shape)
        after = ratios.cumprod(axis=0)
        before = np.vstack([np.ones(samples), after[:-1]])
        surprises = after * self._surprise.reshape(self._shape)
        expected = before * (chances * values).sum(axis=0).reshape(self._shape)

        # A share moves the surprises of its round and all that follows it, and what is expected of its own round.
        onward = np.cumsum((surprises + expected)[::-1], axis=0)[::-1] - expected
        moves = onward.ravel() * (chosen * shares).sum(axis=0) * free / np.maximum(drawn, _TINY)
        relative = values - (shares * values).sum(axis=0)
        pull = moves * (chosen - shares) + before.ravel() * free * shares * relative
        gradient: Floats = pull @ self._features / samples
        return float((surprises + expected).sum()) / samples, gradient


def _by_direction(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """From (n, T, K) to (K, T * n)."""
    return values.transpose(2, 1, 0).reshape(values.shape[-1], -1)
