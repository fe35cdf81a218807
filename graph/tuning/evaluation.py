"""Verdicts on policies from a recorded run: what each would have earned, how sure that is, and when nobody can say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from ..policies.fixed import Fixed
from ..policies.model import AskingPolicy
from ..policies.policy import Policy
from ..policies.registry import tuned_on
from ..policies.softmax import Softmax
from .estimators import CLIP, ESTIMATORS, Estimation, Terms, interval, on_policy, resampled, units
from .log import Floats, Ints, Log, Tell, alone, check, untold
from .recorded import Recorded
from .regression import Regression, folds
from .support import effective_images, refusal

RESAMPLES: Final = 1000
_SAME: Final = 1e-9
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
    CLIP, `overlap` the mean probability that both policies give to the same (1: the same policy). `targets` is what the
    policy would propose (n, T, K), None where it was not asked.
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
    targets: Floats | None = field(default=None, repr=False)


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


def evaluate(record: Recorded, policies: Mapping[str, Policy], seed: int = 0, tell: Tell = untold) -> Evaluation:
    """Verdicts on `policies`, by the names they were given. Raises LogError when the log is of no use for any."""
    log = record.log
    check(log)
    judge = _Judge(record, seed, tell)
    return Evaluation(
        run=record.run,
        samples=log.samples,
        images=int(log.clusters.max()) + 1,
        rounds=int(log.taken.sum()),
        left_out=record.left_out,
        logging=list(record.policies),
        warnings=_warnings(record, policies),
        logged=judge.estimate(on_policy(log)),
        logged_metrics=judge.metrics(lambda signal: on_policy(log, signal)),
        policies=[judge.judged(name, policy) for name, policy in policies.items()],
    )


def _warnings(record: Recorded, policies: Mapping[str, Policy]) -> list[str]:
    found = [
        f"{name} was tuned on this run, which flatters it: go by the value that its file tells, or by another run"
        for name in policies
        if tuned_on(name) == record.run
    ]
    for name, policy in policies.items():
        weights = policy.weights if isinstance(policy, Fixed | Softmax) else ()
        if strange := [one for one in weights if one not in record.log.directions]:
            found.append(f"{name} has weights for {', '.join(strange)}, which the log does not know")
    if record.adaptive:
        names = ", ".join(record.adaptive)
        found.append(f"the log is adaptive ({names} learnt while routing): its intervals may be too narrow")
    if record.left_out:
        found.append(f"{record.left_out} samples are left out: a reward of theirs never came")
    return found


class _Judge:
    def __init__(self, record: Recorded, seed: int, tell: Tell) -> None:
        self._record = record
        self._log = record.log
        self._tell = tell
        self._units = units(record.log.clusters, seed)
        self._drawn = resampled(self._units, RESAMPLES, np.random.default_rng(seed))

    @cached_property
    def _regression(self) -> Regression:
        return Regression(self._log, folds(self._log.clusters))

    @cached_property
    def _alone(self) -> tuple[Log, Regression, Ints]:
        """The rounds alone, their regression, and what is drawn of them."""
        log = self._log.rounds_alone()
        return log, Regression(log, folds(log.clusters)), np.tile(self._units, self._log.actions.shape[1])

    def estimate(self, terms: Terms, drawn: Ints | None = None) -> Estimate:
        values = terms.values(self._drawn, self._units if drawn is None else drawn)
        return Estimate(terms.value(), *interval(values))

    def metrics(self, terms: Callable[[str], Terms]) -> dict[str, Estimate | None]:
        """Accepted by offered questions, gain of a sample, and tokens by gain; None where they are not known."""
        known = not np.isnan(self._log.signals["tokens"]).any()
        return {
            "acceptance": self._ratio(terms("accepted"), terms("offered")),
            "gain": self.estimate(terms("gain")),
            "tokens_per_gain": self._ratio(terms("tokens"), terms("gain")) if known else None,
        }

    def _ratio(self, over: Terms, under: Terms) -> Estimate | None:
        if under.value() <= 0:
            return None
        above, below = over.values(self._drawn, self._units), under.values(self._drawn, self._units)
        return Estimate(over.value() / under.value(), *interval(above / np.where(below > 0, below, np.nan)))

    def judged(self, name: str, policy: Policy) -> Judged:
        if isinstance(policy, AskingPolicy):
            reason = "it asks a model, and what that would say is not in the log; evolve some samples with it"
            return Judged(name, policy.version, "refused", reason, 0.0, 0.0, 0.0)
        log, targets = self._log, self._record.targets(policy, self._tell)
        self._tell(f"judging {name}", 0, 1)
        estimation = Estimation(log, targets[None], self._regression)
        weights = estimation.weights[0]
        found: dict[str, Any] = {
            "policy": name,
            "version": policy.version,
            "ess": effective_images(log, weights),
            "clipped": float((weights.max(axis=1) > CLIP).mean()),
            "targets": targets,
            "overlap": float(np.minimum(targets, log.logged)[log.taken].sum(axis=1).mean()),
        }
        if reason := refusal(log, targets, found["ess"]):
            return Judged(**found, verdict="refused", reason=reason)
        same = np.allclose(targets, log.logged, rtol=0, atol=_SAME)
        difference = Estimate(0.0, 0.0, 0.0) if same else self._difference(estimation.terms("dr", 0))
        rounds, regression, drawn = self._alone
        single = Estimation(rounds, alone(targets)[None], regression)
        return Judged(
            **found,
            verdict="better" if difference.low > 0 else "worse" if difference.high < 0 else "undecided",
            reason="it chooses as the log did" if same else "",
            estimates={one: self.estimate(estimation.terms(one, 0)) for one in ESTIMATORS},
            difference=difference,
            one_step={one: self.estimate(single.terms(one, 0), drawn) for one in ONE_STEP},
            metrics=self.metrics(lambda signal: estimation.terms("dr", 0, signal)),
        )

    def _difference(self, terms: Terms) -> Estimate:
        mine, theirs = (one.values(self._drawn, self._units) for one in (terms, on_policy(self._log)))
        return Estimate(terms.value() - on_policy(self._log).value(), *interval(mine - theirs))
