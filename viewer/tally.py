"""Counts over the settled samples of a run, taken sample by sample so that a store of any size can be counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..store.lineage import Generation, Lineage, Verdict

SEED: Final = 0
"""The round of the seeds."""


@dataclass(slots=True)
class Means:
    """Sums over questions, and their means: None over no questions, and for a complexity that was never judged.

    Skills, steps and objects are None, too, where no question has any: it is not said what such seeds have.
    """

    questions: int = 0
    skills: int = 0
    steps: int = 0
    objects: int = 0
    scored: int = 0
    complexity: float = 0.0

    def add(self, content: Mapping[str, Any], complexity: float | None) -> None:
        """Counts one question."""
        self.questions += 1
        self.skills += len(content["skills"])
        self.steps += len(content["steps"])
        self.objects += len(content["objects"])
        if complexity is not None:
            self.scored += 1
            self.complexity += complexity

    def means(self) -> dict[str, Any]:
        """The number of questions, and the means over them."""
        number = self.questions
        told = self.skills or self.steps or self.objects
        return {
            "questions": number,
            "skills": self.skills / number if told else None,
            "steps": self.steps / number if told else None,
            "objects": self.objects / number if told else None,
            "complexity": self.complexity / self.scored if self.scored else None,
        }


@dataclass(slots=True)
class Words:
    """How many questions name each object, have each form, and use each skill."""

    objects: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    skills: Counter[str] = field(default_factory=Counter)

    def add(self, content: Mapping[str, Any]) -> None:
        """Counts one question."""
        self.objects.update({" ".join(name.lower().split()) for name in content["objects"]})
        self.forms[content["form"]] += 1
        self.skills.update(set(content["skills"]))


@dataclass(frozen=True, slots=True)
class Line:
    """One question's way: its seed, what was accepted in which round, and every verdict on it, by round."""

    seed: Generation
    accepted: list[Generation]
    verdicts: list[Verdict]

    @property
    def seed_complexity(self) -> float | None:
        """The first score that a judge gave the seed."""
        return next((float(one.score_before) for one in self.verdicts if one.score_before is not None), None)

    def head(self, number: int) -> tuple[Mapping[str, Any], float | None]:
        """The question as it stood after round `number`, with its complexity."""
        newest = [one for one in self.accepted if one.round <= number]
        return (newest[-1].content, newest[-1].complexity) if newest else (self.seed.content, self.seed_complexity)


def lines(lineage: Lineage) -> list[Line]:
    """The questions of a sample; of several takes of a round the last one counts."""
    verdicts = {(one.round, one.qa): one for one in lineage.verdicts}
    last = {(one.round, one.qa): one for one in lineage.generations}
    return [
        Line(
            seed,
            [one for (_, qa), one in last.items() if qa == seed.qa and one.outcome == "accepted"],
            [one for (_, qa), one in verdicts.items() if qa == seed.qa],
        )
        for seed in last.values()
        if seed.outcome == "seed"
    ]


@dataclass(slots=True)
class Tally:
    """What is counted over a run of `rounds` rounds."""

    rounds: int
    standing: list[Means] = field(init=False)
    """Over all questions as they stood after each round, the seeds first."""
    evolved: list[Means] = field(init=False)
    """Over what each round had accepted; nothing for the seeds."""
    before: Words = field(default_factory=Words)
    after: Words = field(default_factory=Words)
    ends: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """Pairs by round, direction and what became of them."""
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Pairs that were not accepted, by what became of them, stage and code."""
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """A reason in words for each of these."""

    def __post_init__(self) -> None:
        self.standing = [Means() for _ in range(self.rounds + 1)]
        self.evolved = [Means() for _ in range(self.rounds + 1)]

    def add(self, line: Line) -> None:
        """Counts one question's way."""
        for number, means in enumerate(self.standing):
            means.add(*line.head(number))
        for one in line.accepted:
            self.evolved[one.round].add(one.content, one.complexity)
        self.before.add(line.seed.content)
        self.after.add(line.head(self.rounds)[0])
        for verdict in line.verdicts:
            self.ends[verdict.round, verdict.direction, verdict.end] += 1
            if verdict.end != "accepted":
                why = (verdict.end, verdict.stage, verdict.code)
                self.reasons[why] += 1
                self.examples.setdefault(why, verdict.reason)
