"""Seed curation: a sample that has a caption and no questions gets its first ones (MMEvol, appendix A)."""

from dataclasses import dataclass
from typing import ClassVar

from ..endpoints.client import Ask, CallKey, Model
from ..samples.sample import QA
from ..samples.vocabulary import normalise_skill
from .agent import Failure, Prompter, View
from .replies import CuratedQA, CurationReply
from .screen import leaked


@dataclass(frozen=True, slots=True)
class Curated:
    """The first questions of a sample or a failure, and what they cost in tokens (None: unknown)."""

    qas: tuple[QA, ...] = ()
    failure: Failure | None = None
    tokens: int | None = None


class Curation:
    """Writes the first questions of a sample from its images and its caption."""

    name: ClassVar[str] = "curation"
    prompt: ClassVar[str] = "curation"

    def __init__(self, model: Model, prompter: Prompter) -> None:
        self._model = model
        self._prompter = prompter

    def task(self) -> str:
        """The task text."""
        return self._prompter.library.render(self.prompt)

    async def curate(self, view: View) -> Curated:
        """One model call; a failure is a value, not an exception."""
        answer = await self._model.ask(
            Ask(
                key=CallKey(view.sample.id, view.round, self.name, view.take),
                role="evolver",
                messages=self._prompter.messages(view.sample, self.task()),
                reply=CurationReply,
                repair=self._prompter.repair,
                check=_fault,
            )
        )
        if answer.value is None:
            return Curated(failure=Failure(answer.kind, answer.detail), tokens=answer.usage.total)
        qas = tuple(_question(number, row) for number, row in enumerate(answer.value.questions, start=1))
        return Curated(qas, tokens=answer.usage.total)


def _fault(reply: CurationReply) -> str | None:
    """Why the questions cannot be taken, or None. No judge rules on seeds, so one bad question spoils the reply."""
    asked = [" ".join(row.question.lower().split()) for row in reply.questions]
    if len(set(asked)) < len(asked):
        return "two of the questions are the same"
    for number, row in enumerate(reply.questions, start=1):
        if not row.question.strip() or not row.answer.strip():
            return f"question {number} or its answer is empty"
        if phrase := leaked(f"{row.question} {row.answer}".lower()):
            return f"question {number} says {phrase!r}, which means nothing to somebody who sees only the image"
    return None


def _question(number: int, row: CuratedQA) -> QA:
    """The question as a seed. What its labels say outside the vocabulary is left out, as readers of seeds do."""
    skills = (normalise_skill(label) for label in row.skills)
    return QA(
        id=f"q{number}",
        objects=tuple(dict.fromkeys(label.strip() for label in row.objects if label.strip())),
        skills=tuple(dict.fromkeys(skill for skill in skills if skill)),
        question=row.question.strip(),
        answer=row.answer.strip(),
    )
