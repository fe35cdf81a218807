"""What all agents share: the view of a sample they work on, the prompt order, and the evolving base class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..endpoints.client import Ask, CallKey, ImagePart, Message, Model, TextPart
from ..prompts.library import Library, data_lines
from ..samples.sample import QA, Box, Sample
from ..samples.vocabulary import FORMS, SKILLS
from .replies import EvolvedQA, EvolveReply, asked


@dataclass(frozen=True, slots=True)
class View:
    """One sample as an agent sees it in one round.

    `round` counts from 1, `take` is raised when a failed sample is tried anew. `rejected` are last round's refused
    candidates with their reasons, `proposed` the confirmed boxes that no seed had.
    """

    sample: Sample
    round: int
    heads: tuple[QA, ...]
    rejected: Sequence[dict[str, Any]] = ()
    proposed: tuple[Box, ...] = ()
    take: int = 0
    seeds: Mapping[str, dict[str, str]] = field(default_factory=dict)
    """The seeds' texts by question id, for a judge that compares with them; empty in the first round."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an agent's step gave nothing usable: the reply's `kind` (`truncated`, `schema`, ...) and the detail."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Evolved:
    """What an evolving agent brought back: candidates or a failure, and what it cost in tokens (None: unknown)."""

    candidates: tuple[EvolvedQA, ...] = ()
    failure: Failure | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Prompter:
    """Builds messages in the one order that serving engines can cache: system text, images, facts, then the task."""

    library: Library
    system: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "system", self.library.render("system", skills=", ".join(SKILLS)))

    def messages(self, sample: Sample, task: str) -> tuple[Message, ...]:
        """The messages that put `task` about `sample`."""
        images = tuple(ImagePart(image) for image in sample.images)
        facts = self.library.render("facts", facts=data_lines(known_facts(sample)))
        return (
            Message("system", (TextPart(self.system),)),
            Message("user", (*images, TextPart(facts), TextPart(task))),
        )

    def repair(self, error: str) -> str:
        """The text of the repair turn that tells a model what was wrong with its reply."""
        return self.library.render("repair", error=error)


def known_facts(sample: Sample) -> dict[str, Any]:
    """What a model is told of `sample` besides its images."""
    return {
        "images": [{"width": image.width, "height": image.height} for image in sample.images],
        "caption": sample.caption,
        "topic": list(sample.topic),
        "boxes": [{"label": box.label, "bbox": box.bbox, "image": box.image} for box in sample.boxes],
    }


def question_row(qa: QA) -> dict[str, Any]:
    """A question as it stands in a prompt's data block."""
    return qa.model_dump(mode="json", exclude={"image_position"})


class Agent:
    """An agent that evolves a sample's questions in one direction, named `name`.

    A new direction is a subclass with its own `name` and `prompt` (a text of the prompt library). The
    documentation of the class is what a model that chooses among directions is told. `prompt_file` is where the text
    is, for an agent that brings its own: a Jinja2 template that uses `{{ work }}` and, if it likes, `{{ forms }}`.
    """

    name: ClassVar[str]
    prompt: ClassVar[str]
    prompt_file: ClassVar[Path | None] = None

    def __init__(self, model: Model, prompter: Prompter) -> None:
        self._model = model
        self._prompter = prompter

    def task(self, view: View) -> str:
        """The task text for `view`."""
        library = self._prompter.library
        work = library.render(
            "work",
            questions=data_lines([question_row(qa) for qa in view.heads]),
            rejected=data_lines(view.rejected) if view.rejected else "",
            proposed=data_lines([{"label": box.label, "bbox": box.bbox} for box in view.proposed])
            if view.proposed
            else "",
        )
        return library.render(self.prompt, work=work, forms=", ".join(FORMS))

    async def evolve(self, view: View) -> Evolved:
        """One model call for all heads of `view`; a failure is a value, not an exception."""
        known = {qa.id for qa in view.heads}

        def check(reply: EvolveReply) -> str | None:
            if known.isdisjoint(qa.id for qa in reply.evolved):
                return f"no evolved question has one of the ids {', '.join(sorted(known))}"
            return None

        answer = await self._model.ask(
            Ask(
                key=CallKey(view.sample.id, view.round, self.name, view.take),
                role="evolver",
                messages=self._prompter.messages(view.sample, self.task(view)),
                reply=asked(EvolveReply, tuple(qa.id for qa in view.heads)),
                repair=self._prompter.repair,
                check=check,
            )
        )
        if answer.value is None:
            return Evolved(failure=Failure(answer.kind, answer.detail), tokens=answer.usage.total)
        return Evolved(candidates=tuple(answer.value.evolved), tokens=answer.usage.total)
