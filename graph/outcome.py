"""What comes out of a run: one outcome a sample, live counts, and a summary at the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..samples.sample import QA
from .state import State, complexities, heads_of

STATUSES: Final = ("reached", "exhausted", "stalled", "failed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A settled sample. Complexities are means over its questions on a scale of 1 to 10, None when never judged."""

    id: str
    status: str
    reason: str
    rounds: int
    complexity_before: float | None
    complexity_after: float | None
    qas: tuple[QA, ...]


def outcome_of(state: State) -> Outcome:
    """The outcome of a sample whose graph has ended in `state`."""
    before, after = complexities(state)
    return Outcome(
        id=state["sample"]["id"],
        status=state["status"],
        reason=state["reason"],
        rounds=len(state["history"]),
        complexity_before=before,
        complexity_after=after,
        qas=heads_of(state),
    )


@dataclass(slots=True)
class Progress:
    """Live counts of a run, for displays: samples seen and settled, rounds and pairs of this start."""

    seen: int = 0
    expected: int = 0
    """Rows that the seeds seem to hold; 0 where nobody can tell."""
    read_all: bool = False
    settled: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    """Samples that an earlier start had settled."""
    taken_up: int = 0
    """Samples that an earlier start had begun and not settled."""
    quarantined: int = 0
    finished: Counter[int] = field(default_factory=Counter)
    """Rounds by their number."""
    ended: Counter[int] = field(default_factory=Counter)
    """Samples that this start has settled, by the number of their last round."""
    accepted: int = 0
    rejected: int = 0
    lost: int = 0
    directions: Counter[str] = field(default_factory=Counter)
    """Rounds by their direction."""
    pairs: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Pairs by direction, what became of them (`accepted`, `rejected` or `lost`) and the code of the ruling."""

    @property
    def done(self) -> int:
        """Samples settled so far, those of earlier starts included."""
        return self.settled.total()

    @property
    def samples(self) -> int:
        """Samples of the run, an estimate until all are read; 0 where nobody can tell."""
        if self.read_all:
            return self.seen
        return max(self.expected - self.quarantined, self.seen) if self.expected else 0

    @property
    def rounds(self) -> int:
        """Rounds that have ended."""
        return self.finished.total()

    def settle(self, outcome: Outcome) -> None:
        """Counts a sample that has settled."""
        self.settled[outcome.status] += 1
        self.ended[outcome.rounds] += 1

    def close_round(self, verdicts: list[dict[str, Any]]) -> None:
        """Counts a finished round's verdicts."""
        self.finished.update({verdict["round"] for verdict in verdicts})
        self.directions.update({verdict["direction"] for verdict in verdicts})
        ends = [_end(verdict) for verdict in verdicts]
        self.pairs.update(
            (verdict["direction"], end, verdict["code"]) for verdict, end in zip(verdicts, ends, strict=True)
        )
        self.accepted += ends.count("accepted")
        self.rejected += ends.count("rejected")
        self.lost += ends.count("lost")


def _end(verdict: Mapping[str, Any]) -> str:
    """What became of a pair. Nobody has ruled on one that is lost: the agent's or the judge's call failed."""
    if verdict["accepted"]:
        return "accepted"
    unruled = verdict["stage"] == "agent" or (verdict["stage"] == "judge" and verdict["score_after"] is None)
    return "lost" if unruled else "rejected"


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers. Calls, tokens, seconds and CPU are of this start; everything else is of the whole run."""

    run: str
    samples: int
    reached: int
    exhausted: int
    stalled: int
    failed: int
    pending: int
    quarantined: int
    calls: int
    replayed: int
    accepted: int
    rejected: int
    lost: int
    """Pairs that nobody ruled on, since their round's agent or judge gave no usable reply."""
    directions: Mapping[str, int]
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    image_tokens: int | None
    """Of the prompt tokens, those of images, as far as the servers tell."""
    maybe_billed: int
    """Requests that may have been paid for nothing, over all starts: their answers were lost, or the run was killed."""
    complexity_before: float | None
    complexity_after: float | None
    seconds: float
    cpu_ms_per_call: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What all seeds would take, going by the samples that this start evolved; tokens None where unknown."""

    samples: int
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    hours: float
    cost: float | None
    """In the currency of the endpoints' prices; None where an endpoint has none."""


def estimate(summary: Summary, evolved: int, rows: int, price_in: float | None, price_out: float | None) -> Estimate:
    """Extrapolates from `evolved` samples of this start to all `rows` of the seeds; prices are per million tokens."""
    scale = rows / max(evolved, 1)
    prompt = None if summary.prompt_tokens is None else round(scale * summary.prompt_tokens)
    completion = None if summary.completion_tokens is None else round(scale * summary.completion_tokens)
    cost = None
    if None not in (prompt, completion, price_in, price_out):
        cost = round(((prompt or 0) * (price_in or 0) + (completion or 0) * (price_out or 0)) / 1e6, 2)
    return Estimate(
        samples=rows,
        calls=round(scale * summary.calls),
        prompt_tokens=prompt,
        completion_tokens=completion,
        hours=round(scale * summary.seconds / 3600, 3),
        cost=cost,
    )
