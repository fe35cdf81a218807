"""What an export is written from: a sample with all that its evolution accepted."""

from dataclasses import dataclass

from ..sample import QA, Sample


@dataclass(frozen=True, slots=True)
class ScoredQA:
    """A question and its complexity, 1 to 10, or None where it was never judged."""

    qa: QA
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Evolved:
    """A settled sample. `sample` holds the seed questions."""

    sample: Sample
    generations: tuple[tuple[ScoredQA, ...], ...]
    """What each round accepted, the first round first; empty where a round accepted nothing."""
    heads: tuple[ScoredQA, ...]
    """The questions as they stand at the end."""
