"""Verdicts on policies from a recorded run: what each would have earned, how sure that is, and when nobody can say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..policies.model import AskingPolicy
from ..policies.policy import Policy
from .estimators import CLIP, ESTIMATORS, Estimation, Terms, interval, on_policy, resampled
from .log import Floats, Log, check
from .recorded import Recorded

LEAST_ESS: Final = 50.0
"""Fewer effective images than this, and no verdict is given."""
_UNSUPPORTED: Final = 0.001
RESAMPLES: Final = 1000
ONE_STEP: Final = ("dr", "snis", "is", "dm")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Judged:
    """What can be said of one policy. Rewards are sums over a sample's rounds, means over samples.

    `verdict` compares with the policy that routed, by the doubly robust difference: better, worse, undecided; or it is
    refused, for `reason`, and nothing is estimated. `one_step` holds the mean reward of single rounds, over the states
    that the log has. `ess` is the effective number of images, `clipped` the share of samples whose weight is above
    CLIP, `overlap` the mean probability that both policies give to the same (1: the same policy).
    """

    policy: str
    version: str
    verdict: str
    reason: str
    ess: float
    clipped: float
    overlap: float
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    difference: Estimate | None = None
    one_step: Mapping[str, Estimate] = field(default_factory=dict)
    metrics: Mapping[str, Estimate | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Verdicts on several policies over one log; `logged` and `logged_metrics` are what the log itself earned."""

    run: str
    samples: int
    images: int
    rounds: int
    left_out: int
    logging: Sequence[str]
    warnings: Sequence[str]
    logged: Estimate
    logged_metrics: Mapping[str, Estimate | None]
    policies: Sequence[Judged]


def evaluate(record: Recorded, policies: Mapping[str, Policy], seed: int = 0) -> Evaluation:
    """Verdicts on `policies`, by the names they were given. Raises LogError when the log is of no use for any."""
    log = record.log
    check(log)
    judge = _Judge(record, seed)
    return Evaluation(
        run=record.run,
        samples=log.samples,
        images=int(log.clusters.max()) + 1,
        rounds=int(log.taken.sum()),
        left_out=record.left_out,
        logging=list(record.policies),
        warnings=_warnings(record),
        logged=judge.estimate(on_policy(log)),
        logged_metrics=judge.metrics(lambda signal: on_policy(log, signal)),
        policies=[judge.judged(name, policy) for name, policy in policies.items()],
    )


def _warnings(record: Recorded) -> list[str]:
    found = []
    if record.adaptive:
        names = ", ".join(record.adaptive)
        found.append(f"the log is adaptive ({names} learnt while routing): its intervals may be too narrow")
    if record.left_out:
        found.append(f"{record.left_out} samples are left out: a reward of theirs never came")
    return found


def effective_images(log: Log, weights: Floats) -> float:
    """Kish's effective number of images for samples' final weights (n, T); samples of an image count together."""
    final = np.bincount(log.clusters, weights=weights[:, -1])
    return float(final.sum() ** 2 / (final**2).sum()) if final.any() else 0.0


class _Judge:
    def __init__(self, record: Recorded, seed: int) -> None:
        self._record = record
        self._log = record.log
        self._alone = record.log.rounds_alone()
        self._drawn = resampled(record.log.clusters, RESAMPLES, np.random.default_rng(seed))

    def estimate(self, terms: Terms, log: Log | None = None) -> Estimate:
        values = terms.values(self._drawn, (log or self._log).clusters)
        return Estimate(terms.value(), *interval(values))

    def metrics(self, terms: Callable[[str], Terms]) -> dict[str, Estimate | None]:
        """Accepted by offered questions, gain of a sample, and tokens by gain; None where tokens are not known."""
        known = not np.isnan(self._log.signals["tokens"]).any()
        return {
            "acceptance": self._ratio(terms("accepted"), terms("offered")),
            "gain": self.estimate(terms("gain")),
            "tokens_per_gain": self._ratio(terms("tokens"), terms("gain")) if known else None,
        }

    def _ratio(self, over: Terms, under: Terms) -> Estimate:
        clusters = self._log.clusters
        above, below = over.values(self._drawn, clusters), under.values(self._drawn, clusters)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Estimate(over.value() / under.value() if under.value() else np.nan, *interval(above / below))

    def judged(self, name: str, policy: Policy) -> Judged:
        if isinstance(policy, AskingPolicy):
            reason = "it asks a model, and what that would say is not in the log; evolve some samples with it"
            return Judged(name, policy.version, "refused", reason, 0.0, 0.0, 0.0)
        targets = self._record.targets(policy)
        estimation = Estimation(self._log, targets[None])
        weights = estimation.weights[0]
        found = {
            "policy": name,
            "version": policy.version,
            "ess": effective_images(self._log, weights),
            "clipped": float((weights.max(axis=1) > CLIP).mean()),
            "overlap": float(np.minimum(targets, self._log.logged)[self._log.taken].sum(axis=1).mean()),
        }
        if reason := self._refusal(targets, found["ess"]):
            return Judged(**found, verdict="refused", reason=reason)
        difference = self._difference(estimation.terms("dr", 0))
        verdict = "better" if difference.low > 0 else "worse" if difference.high < 0 else "undecided"
        single = Estimation(self._alone, targets[self._log.taken][None, :, None])
        return Judged(
            **found,
            verdict=verdict,
            reason="",
            estimates={one: self.estimate(estimation.terms(one, 0)) for one in ESTIMATORS},
            difference=difference,
            one_step={one: self.estimate(single.terms(one, 0), self._alone) for one in ONE_STEP},
            metrics=self.metrics(lambda signal: estimation.terms("dr", 0, signal)),
        )

    def _difference(self, terms: Terms) -> Estimate:
        mine, theirs = (one.values(self._drawn, self._log.clusters) for one in (terms, on_policy(self._log)))
        return Estimate(terms.value() - on_policy(self._log).value(), *interval(mine - theirs))

    def _refusal(self, targets: Floats, ess: float) -> str:
        log = self._log
        lost = np.where(log.logged > 0, 0.0, targets)[log.taken].mean(axis=0)
        if lost.sum() > _UNSUPPORTED:
            worst = int(lost.argmax())
            return (
                f"the log never tried {log.directions[worst]} where this policy chooses it ({lost.sum():.0%} of its"
                " choices): log a run in which it has a chance, such as uniform"
            )
        if ess < LEAST_ESS:
            more = (
                "" if ess == 0 else f", or about {LEAST_ESS / ess * log.samples:.0f} samples instead of {log.samples}"
            )
            return (
                f"the log is worth {ess:.0f} images for this policy, fewer than {LEAST_ESS:.0f}:"
                f" log a policy that is nearer to it{more}"
            )
        return ""
