"""The blind check: can the evolved question be answered without its image? Then the image teaches nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ..endpoints.client import Ask, CallKey, Message, Model, TextPart
from ..prompts.library import data_lines
from .agent import Failure, Prompter, View
from .replies import BlindReply, asked
from .screen import Pair

_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")
_CHOICE: Final = re.compile(r"^\s*\(?([A-H])[.):]", re.MULTILINE)
_EMPTY: Final = frozenset(("a", "an", "the", "is", "are", "it", "its", "of", "in", "on", "at", "to", "and", "there"))


@dataclass(frozen=True, slots=True)
class Sightless:
    """What was answered without the image: the right answers by question id; failure and tokens as elsewhere."""

    right: dict[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    tokens: int | None = 0


class Blind:
    """Asks for answers without an image, once for each of `answers`; one that is right is enough."""

    name: ClassVar[str] = "blind"

    def __init__(self, model: Model, prompter: Prompter, answers: int) -> None:
        self._model = model
        self._prompter = prompter
        self._answers = answers

    async def check(self, view: View, pairs: Sequence[Pair]) -> Sightless:
        """Which of `pairs` are answered rightly by somebody who sees only the question."""
        right: dict[str, str] = {}
        tokens: int | None = 0
        for number in range(1, self._answers + 1):
            answer = await self._model.ask(self._ask(view, pairs, number))
            used = answer.usage.total
            tokens = None if tokens is None or used is None else tokens + used
            if answer.value is None:
                return Sightless(right, Failure(answer.kind, answer.detail), tokens)
            said = {one.id: one.answer for one in answer.value.answers if one.known}
            for pair in pairs:
                qa = pair.candidate.qa
                if qa.id in said and same_answer(said[qa.id], qa.answer, qa.question):
                    right.setdefault(qa.id, said[qa.id])
        return Sightless(right, None, tokens)

    def _ask(self, view: View, pairs: Sequence[Pair], number: int) -> Ask[BlindReply]:
        asking = [{"id": pair.candidate.qa.id, "question": pair.candidate.qa.question} for pair in pairs]
        task = self._prompter.library.render("blind", questions=data_lines(asking))
        name = self.name if number == 1 else f"{self.name}-{number}"
        return Ask(
            key=CallKey(view.sample.id, view.round, name, view.take),
            role="judge",
            messages=(Message("user", (TextPart(task),)),),
            reply=asked(BlindReply, tuple(pair.candidate.qa.id for pair in pairs)),
            repair=self._prompter.repair,
            check=lambda _: None,
        )


def same_answer(said: str, right: str, question: str) -> bool:
    """Whether `said` holds what `right` tells beyond the question: the letter of a choice, or all its words."""
    letters = _CHOICE.findall(question)
    if letters and (chosen := _CHOICE.match(right)):
        named = _CHOICE.match(said) or re.fullmatch(r"\s*\(?([A-H])\)?\.?\s*", said)
        if named:
            return named[1] == chosen[1]
    told = _words(right) - _words(_CHOICE.split(question)[0])
    return bool(told) and told <= _words(said)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _EMPTY
