"""What an export is written from: a sample with all that its evolution accepted and rejected."""

from dataclasses import dataclass

from ..sample import QA, Sample


@dataclass(frozen=True, slots=True)
class ScoredQA:
    """A version of a question and its complexity, 1 to 10, or None where it was never judged."""

    qa: QA
    score: float | None = None
    round: int = 0
    """The round that made it; 0 for a seed question."""
    direction: str = ""
    """The direction that made it; empty for a seed question."""
    parent: int = 0
    """The round that made the version it was evolved from."""


@dataclass(frozen=True, slots=True)
class RejectedQA:
    """A version of a question that was rejected, and why."""

    version: ScoredQA
    stage: str
    """Who rejected it: screen or judge."""
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evolved:
    """A settled sample. `sample` holds the seed questions."""

    sample: Sample
    generations: tuple[tuple[ScoredQA, ...], ...]
    """What each round accepted, the first round first; empty where a round accepted nothing."""
    heads: tuple[ScoredQA, ...]
    """The questions as they stand at the end."""
    seeds: tuple[ScoredQA, ...] = ()
    """The seed questions with their scores."""
    rejected: tuple[RejectedQA, ...] = ()
    """In the order of the rounds and of the questions."""
    status: str = ""
