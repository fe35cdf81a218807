"""Recorded routing as arrays: samples by rounds, what was chosen out of what, and what it brought."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import EvolgraphError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

Tell = Callable[[str, int, int], None]
"""Told what is done, how much of it already and how much there is."""
SIGNALS: Final = ("reward", "accepted", "offered", "gain", "tokens")
"""What a round brought: its reward; questions accepted; questions offered; mean gain of the sample's questions on the
judge's scale, rejected ones counting 0; tokens, NaN where a server did not tell."""
_SLACK: Final = 1e-6
_DEVIATIONS: Final = 6.0


class LogError(EvolgraphError):
    """A recorded run that nothing can be learnt from about other policies."""

    kind = "log"


def untold(work: str, done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Log:
    """n samples with up to T rounds, K directions and d numeric features.

    `actions` (n, T) holds the chosen direction's place in `directions`, -1 after a sample's end; `logged` (n, T, K) the
    probabilities that it was drawn from, and `eligible` (n, T, K) what might have been chosen; `signals` (n, T) each of
    SIGNALS, 0 after the end; `features` (n, T, d) what was known before; `clusters` (n) the number of each sample's
    image, as samples of one image are no independent ones.
    """

    directions: tuple[str, ...]
    clusters: Ints
    actions: Ints
    logged: Floats
    eligible: NDArray[np.bool_]
    signals: Mapping[str, Floats]
    features: Floats
    feature_names: tuple[str, ...]

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Which rounds took place (n, T)."""
        return self.actions >= 0

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.actions)

    @cached_property
    def propensities(self) -> Floats:
        """The probability with which each chosen direction was chosen (n, T); 1 after a sample's end."""
        return self.of_chosen(self.logged)

    def of_chosen(self, probabilities: Floats) -> Floats:
        """From `probabilities` (..., n, T, K) those of the chosen directions (..., n, T); 1 after a sample's end."""
        places = np.broadcast_to(np.maximum(self.actions, 0)[..., None], (*probabilities.shape[:-1], 1))
        return np.where(self.taken, np.take_along_axis(probabilities, places, axis=-1)[..., 0], 1.0)

    def only(self, rows: NDArray[np.bool_]) -> "Log":
        """The samples of `rows` (n) alone, their images numbered anew."""
        return replace(
            self,
            clusters=np.unique(self.clusters[rows], return_inverse=True)[1],
            actions=self.actions[rows],
            logged=self.logged[rows],
            eligible=self.eligible[rows],
            signals={name: values[rows] for name, values in self.signals.items()},
            features=self.features.swapaxes(0, 1)[:, rows].swapaxes(0, 1),
        )

    def rounds_alone(self) -> "Log":
        """Every round as a sample of its own, those that never took place as samples without any.

        For one-step estimates, which are over the logged states.
        """
        return replace(
            self,
            clusters=np.tile(self.clusters, self.actions.shape[1]),
            actions=alone(self.actions),
            logged=alone(self.logged),
            eligible=alone(self.eligible),
            signals={name: alone(values) for name, values in self.signals.items()},
            features=alone(self.features),
        )


def alone(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """From what is known of samples' rounds (n, T, ...) to samples of one round each (T * n, 1, ...)."""
    return values.swapaxes(0, 1).reshape(-1, 1, *values.shape[2:])


def check(log: Log) -> None:
    """Raises LogError when no other policy can be judged by `log`: says what is wrong and what to log instead."""
    remedy = "log a run with --policy uniform, or one that leaves every direction a chance"
    if not log.taken.any():
        raise LogError("holds no round of a settled sample", remedy="let the run settle some samples first")
    chosen = log.propensities[log.taken]
    logged = log.logged[log.taken]
    if not np.isfinite(logged).all() or (chosen <= 0).any():
        raise LogError("has decisions without the probability that they were drawn with", remedy=remedy)
    if (logged < 0).any() or (np.abs(logged.sum(axis=1) - 1) > _SLACK).any():
        raise LogError("has probabilities that do not sum to 1", remedy=remedy)
    if (chosen >= 1 - _SLACK).all():
        raise LogError("was decided with certainty in every round (p = 1): nothing else was ever tried", remedy=remedy)
    counts = np.bincount(log.actions[log.taken], minlength=len(log.directions))
    expected, spread = logged.sum(axis=0), np.sqrt((logged * (1 - logged)).sum(axis=0))
    for name, count, due, deviation in zip(log.directions, counts, expected, spread, strict=True):
        if abs(count - due) > _DEVIATIONS * deviation + 1:
            raise LogError(
                f"chose {name} {count} times, but its probabilities say {due:.0f}: they are not those of the draws",
                remedy=remedy,
            )
