"""What a log can tell of other policies: the rule by which `evaluate` gives no verdict and `tune` no value."""

from typing import Final

import numpy as np

from .log import Floats, Log, LogError

LEAST_ESS: Final = 50.0
"""Fewer effective images than this, and nothing is said of a policy."""
LEAST_SAMPLES: Final = 100
"""Fewer samples than this, and no policy is searched for."""
_UNSUPPORTED: Final = 0.001
_LEAST_SHARE: Final = 0.01


def effective_images(log: Log, weights: Floats) -> float:
    """Kish's effective number of images for samples' final weights (n, T); samples of an image count together."""
    final = np.bincount(log.clusters, weights=weights[:, -1])
    return float(final.sum() ** 2 / (final**2).sum()) if final.any() else 0.0


def refusal(log: Log, targets: Floats, ess: float) -> str:
    """Why nothing can be said of a policy that proposes `targets` (n, T, K), and what to log instead; or nothing."""
    lost = np.where(log.logged > 0, 0.0, targets)[log.taken].mean(axis=0)
    if lost.sum() > _UNSUPPORTED:
        worst = int(lost.argmax())
        return (
            f"the log never tried {log.directions[worst]} where this policy chooses it ({lost.sum():.1%} of its"
            " choices): log a run in which it has a chance, such as uniform"
        )
    if ess < LEAST_ESS:
        more = "" if ess == 0 else f", or about {LEAST_ESS / ess * log.samples:.0f} samples instead of {log.samples}"
        return (
            f"the log is worth {ess:.0f} images for this policy, fewer than {LEAST_ESS:.0f}:"
            f" log a policy that is nearer to it{more}"
        )
    return ""


def check_searchable(log: Log) -> None:
    """Raises LogError when no policy should be searched for on `log`: it is too small, or hardly tried a direction."""
    remedy = "log a run with --policy uniform"
    if log.samples < LEAST_SAMPLES:
        raise LogError(f"has {log.samples} samples, fewer than {LEAST_SAMPLES}", remedy=f"{remedy} over more samples")
    shares = log.logged[log.taken].mean(axis=0)
    for name, share in zip(log.directions, shares, strict=True):
        if share < _LEAST_SHARE:
            raise LogError(f"hardly ever tried {name}: what it would bring is not known", remedy=remedy)
