"""Preference pairs for DPO: an accepted version against rejected ones that were evolved from the same parent.

What is compared is the evolving, not the answering: the two versions ask different questions. So the prompt asks to
evolve the parent's question, and `chosen` and `rejected` are evolved questions with their steps and answers. The layout
is TRL's for vision models: `images`, and `prompt`, `chosen` and `rejected` as messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..formats.evolved import Evolved, RejectedQA, ScoredQA
from ..sample import QA, Sample
from .choice import Choice, Tally, accepted
from .conversation import part_id, paths

_PROMPT: Final = """\
This question about the image has been answered:

Question: {question}
Answer: {answer}

{task} It must be true of the image, answerable from it, and not answerable without it. \
Give the new question, the steps that solve it, and its answer."""
_TASKS: Final = {
    "perception": "Write a new question in its place that looks at finer and rarer details of the image.",
    "reasoning": "Make it harder: it should take more objects, more skills and more steps to solve.",
    "interaction": "Turn it into another kind of task, one that is no easier.",
}
_ANY_TASK: Final = "Make a harder or more telling question of it."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions that came of one parent."""

    sample: Sample
    parent: ScoredQA
    chosen: ScoredQA
    rejected: RejectedQA


def pairs(rows: Iterable[Evolved], choice: Choice, tally: Tally) -> Iterator[Pair]:
    """Every chosen version with every rejected one that was evolved from the same parent.

    With a direction, it made both. Rejected versions that make no pair are counted.
    """
    for row in rows:
        chosen = [version for group in choice.groups(row) for version in choice.kept(row.sample.id, group, tally)]
        taken: list[ScoredQA] = []
        paired = 0
        parents = {(one.qa.id, one.round): one for one in (*row.seeds, *accepted(row))}
        for version in (one for one in chosen if one.round):
            for rejected in _siblings(row, version, choice.direction):
                paired += 1
                if _told(rejected.version.qa) == _told(version.qa):
                    tally.left["pairs of equal texts"] += 1
                    continue
                taken.append(version)
                tally.rows += 1
                yield Pair(row.sample, parents[version.qa.id, version.parent], version, rejected)
        tally.left["rejected questions without a chosen one of the same parent"] += len(row.rejected) - paired
        tally.take(row, taken)


def preference_row(pair: Pair) -> dict[str, Any]:
    """One row."""
    chosen, rejected = pair.chosen, pair.rejected.version
    task = _TASKS.get(chosen.direction, _ANY_TASK) if chosen.direction == rejected.direction else _ANY_TASK
    question, answer = pair.parent.qa.question, pair.parent.qa.answer
    asked = {"type": "text", "text": _PROMPT.format(question=question, answer=answer, task=task)}
    return {
        "id": part_id(pair.sample.id, f"{chosen.qa.id}@r{chosen.round}-r{rejected.round}"),
        "images": paths(pair.sample),
        "prompt": [{"role": "user", "content": [*({"type": "image"} for _ in pair.sample.images), asked]}],
        "chosen": _said(chosen.qa),
        "rejected": _said(rejected.qa),
        "chosen_score": chosen.score,
        "rejected_score": rejected.score,
        "chosen_direction": chosen.direction,
        "rejected_direction": rejected.direction,
        "rejected_by": pair.rejected.stage,
        "rejected_code": pair.rejected.code,
        "rejected_reason": pair.rejected.reason,
    }


def _siblings(row: Evolved, version: ScoredQA, direction: str) -> list[RejectedQA]:
    return [
        one
        for one in row.rejected
        if (one.version.qa.id, one.version.parent) == (version.qa.id, version.parent)
        and one.version.direction == (direction or one.version.direction)
    ]


def _said(qa: QA) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": [{"type": "text", "text": _told(qa)}]}]


def _told(qa: QA) -> str:
    steps = [
        f"{number}. {step.manipulation + ': ' if step.manipulation else ''}{step.description}"
        for number, step in enumerate(qa.steps, start=1)
    ]
    return "\n".join([f"Question: {qa.question}", *(["Steps:", *steps] if steps else []), f"Answer: {qa.answer}"])
