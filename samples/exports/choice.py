"""Which versions of which questions an export takes, and a count of what it leaves out and why."""

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Final

from ..formats.evolved import Evolved, ScoredQA
from ..novelty import Place

ALL: Final = "all"
FINAL: Final = "final"
NEAR_DUPLICATES: Final = "near duplicates of another sample's question about the same image"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for."""

    rounds: str | int = FINAL
    """`final`: the questions as they stand at the end; a number: as they stood after that round, 0 being the seeds;
    `all`: the seed questions and every version that was accepted."""
    min_score: float | None = None
    """The least complexity, 1 to 10; what was never judged has none and is left out."""
    direction: str = ""
    """Only versions that this direction made."""
    duplicates: Container[Place] = frozenset()
    """Versions that are left out, since another sample asks nearly the same about its images."""

    def groups(self, row: Evolved) -> list[tuple[ScoredQA, ...]]:
        """The versions that `rounds` names: one group, or with `all` one a round that accepted something."""
        if self.rounds == FINAL:
            return [row.heads]
        if self.rounds == ALL:
            return [group for group in (row.seeds, *row.generations) if group]
        return [standing_after(row, int(self.rounds))]

    def kept(self, sample: str, group: tuple[ScoredQA, ...], tally: "Tally") -> tuple[ScoredQA, ...]:
        """Those of `group`, versions of one sample's, that the other conditions let through; the rest is counted."""
        kept: list[ScoredQA] = []
        for version in group:
            if self.direction and version.direction != self.direction:
                tally.left[f"questions not made by {self.direction}"] += 1
            elif self.min_score is not None and version.score is None:
                tally.left["questions never judged"] += 1
            elif self.min_score is not None and (version.score or 0) < self.min_score:
                tally.left[f"questions of a complexity below {self.min_score:g}"] += 1
            elif Place(sample, version.qa.id, version.round) in self.duplicates:
                tally.left[NEAR_DUPLICATES] += 1
            else:
                kept.append(version)
        return tuple(kept)


@dataclass(slots=True)
class Contents:
    """Questions in numbers: how many, and how often which skill, form and number of steps."""

    questions: int = 0
    steps: int = 0
    judged: int = 0
    total: float = 0.0
    """The sum of the complexities of those judged."""
    skills: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    directions: Counter[str] = field(default_factory=Counter)

    def add(self, versions: tuple[ScoredQA, ...] | list[ScoredQA]) -> None:
        """Counts `versions`."""
        for version in versions:
            self.questions += 1
            self.steps += len(version.qa.steps)
            self.skills.update(version.qa.skills)
            self.forms[version.qa.form] += 1
            self.directions[version.direction or "seed"] += 1
            if version.score is not None:
                self.judged += 1
                self.total += version.score

    @property
    def labelled(self) -> bool:
        """Whether any of them has skills, steps or a form of its own; LLaVA's layout tells none, and all are open."""
        return bool(self.skills or self.steps or self.forms.keys() - {"open"})

    @property
    def complexity(self) -> float | None:
        """The mean complexity of those that were judged."""
        return self.total / self.judged if self.judged else None


@dataclass(slots=True)
class Tally:
    """What an export took and what it left out."""

    samples: int = 0
    rows: int = 0
    unchosen: int = 0
    """Samples of which no question was taken."""
    left: Counter[str] = field(default_factory=Counter)
    """Questions, or pairs of questions, that are not in the file, by the reason."""
    before: Contents = field(default_factory=Contents)
    """The seed questions of the samples taken."""
    after: Contents = field(default_factory=Contents)
    """The questions in the file."""

    def take(self, row: Evolved, versions: list[ScoredQA]) -> None:
        """Counts a sample with the `versions` that were taken of it; without any it is one left out."""
        if not versions:
            self.unchosen += 1
            return
        self.samples += 1
        self.before.add(row.seeds)
        self.after.add(versions)


def standing_after(row: Evolved, number: int) -> tuple[ScoredQA, ...]:
    """The questions as they stood after round `number`, in the order of the seeds."""
    standing = {version.qa.id: version for version in row.seeds}
    for version in accepted(row):
        if version.round <= number:
            standing[version.qa.id] = version
    return tuple(standing.values())


def accepted(row: Evolved) -> Iterator[ScoredQA]:
    """All versions that were accepted, in the order of the rounds."""
    for generation in row.generations:
        yield from generation
