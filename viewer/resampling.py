"""Bootstrap intervals clustered by image: questions about one image are not independent of each other."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From sums over clusters, in the last axis, to a value; NaN where there is none."""
DRAWS: Final = 2000
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


def clustered(rows: Iterable[tuple[Hashable, Sequence[float]]]) -> Floats:
    """The sums of `rows` by their clusters, one line a cluster."""
    sums: dict[Hashable, Floats] = {}
    for cluster, values in rows:
        known = sums.get(cluster)
        new = np.asarray(values, dtype=float)
        sums[cluster] = new if known is None else known + new
    return np.array([*sums.values()]) if sums else np.zeros((0, 0))


def estimated(sums: Floats, statistic: Statistic, seed: int = 0) -> Estimate:
    """`statistic` of the sums of all clusters, with the middle 95% of its values over redrawn clusters."""
    if not len(sums):
        return Estimate(None)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        drawn = np.concatenate([statistic(drawing) for drawing in _redrawn(sums, seed)])
    if not np.isfinite(value):
        return Estimate(None)
    known = drawn[np.isfinite(drawn)]
    if len(sums) < 2 or not len(known):
        return Estimate(value)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _redrawn(sums: Floats, seed: int) -> Iterable[Any]:
    """The sums of as many clusters drawn with replacement, many times."""
    rng = np.random.default_rng(seed)
    clusters = len(sums)
    even = np.full(clusters, 1 / clusters)
    for _ in range(0, DRAWS, _AT_ONCE):
        yield rng.multinomial(clusters, even, size=_AT_ONCE) @ sums
