"""Choosing among drafts: what is new for a sample, how much work a question takes, and the least costly candidate."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from .drafts.draft import Draft
from .drafts.pool import pool, worth_combining
from .drafts.said import named, plain, together
from .scene import Scene
from .words import singular

Row = Mapping[str, Any]
_SAME: Final = {
    "count": r"how many|number of",
    "colour": r"colou?r",
    "named colour": r"colou?r",
    "on": r"standing on|mounted on|underneath|rests? on|resting on",
    "price": r"unit price",
}
"""By family, the words of a question that already asks the same of an object."""


class Parent:
    """The question that is to be evolved."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.id = str(row["id"])
        self.form = str(row.get("form") or "open")
        self.question = str(row["question"])
        self.depth = len(row.get("steps") or ())
        self.subjects = subjects(named(row))
        self.skills = frozenset(str(skill) for skill in row.get("skills") or ())

    @property
    def effort(self) -> float:
        """The work the question takes, in steps; see `effort`."""
        return effort(self.depth, len(self.subjects), len(self.skills))


def effort(depth: int, objects: int, skills: int) -> float:
    """A plain measure of the work a question takes: steps, and a part of a step for each object and ability."""
    return depth + 0.5 * objects + 0.8 * skills


def subjects(objects: Iterable[str]) -> frozenset[str]:
    """The things a question is about, comparable: lower case, singular, without the word for a chart's mark."""
    return frozenset(singular(re.sub(r" (?:bar|slice|point)$", "", name.lower())) for name in objects)


class Bench:
    """The drafts of one request, and which of them are used up."""

    def __init__(self, scene: Scene, questions: Sequence[Row], rejected: Sequence[Row], rng: random.Random) -> None:
        self.scene, self.rng, self.questions = scene, rng, questions
        self.asked = {_plain_text(str(row["question"])) for row in (*questions, *rejected)}
        known = {_plain_text(draft.question): draft for draft in self.drafts}
        self._keys = {key(known[text]) for text in self.asked if text in known}
        self.families = Counter(known[text].family for text in self.asked if text in known)
        self.forms = Counter(str(row.get("form") or "open") for row in (*questions, *rejected))
        self.covered: set[str] = set().union(*(subjects(row.get("objects") or ()) for row in questions))

    @cached_property
    def drafts(self) -> list[Draft]:
        """Everything that can be asked of the scene in open form."""
        return pool(self.scene)

    @cached_property
    def sayings(self) -> list[Draft]:
        """The sample's own plain questions, and pairs of them asked as one."""
        plains = [draft for row in self.questions if (draft := plain(row)) is not None]
        return [*plains, *together(self.questions)]

    @cached_property
    def regions(self) -> list:
        """The regions that are worth combining in one question."""
        return worth_combining(self.scene)

    def family(self, parent: Parent) -> str:
        """The family of the parent's question, or "" when it was not written from a draft of this scene."""
        return next((draft.family for draft in self.drafts if draft.question == parent.question), "")

    def is_new(self, draft: Draft) -> bool:
        """Whether neither the question nor its facts were asked before."""
        if draft.form == "open" and self._asked_in_other_words(draft):
            return False
        return _plain_text(draft.question) not in self.asked and (draft.form != "open" or key(draft) not in self._keys)

    def _asked_in_other_words(self, draft: Draft) -> bool:
        """Whether another question asks the same kind of thing of the same single object."""
        sign = _SAME.get(draft.family)
        if sign is None or not draft.objects:
            return False
        noun = re.escape(draft.objects[0].split(" ")[-1].removesuffix("s"))
        return any(re.search(sign, text) and re.search(rf"\b{noun}", text) for text in self.asked)

    def take(self, draft: Draft) -> None:
        """Marks a draft as used, so that no other question of the reply repeats it."""
        self.asked.add(_plain_text(draft.question))
        self._keys.add(key(draft))
        self.families[draft.family] += 1
        self.forms[draft.form] += 1
        self.covered |= subjects(draft.objects)

    def cheapest(self, drafts: Iterable[Draft], cost: Callable[[Draft], float]) -> Draft | None:
        """The new draft with the least cost, where costs are blurred a little so that samples do not look alike."""
        scored = [
            (cost(draft) + 2.5 * self.rng.random(), at, draft) for at, draft in enumerate(drafts) if self.is_new(draft)
        ]
        return min(scored)[2] if scored else None


def key(draft: Draft) -> tuple[str, frozenset[str]]:
    """What a draft asks of which things, whatever its wording."""
    number = draft.question if draft.family in {"taken away", "place", "colour", "largest in row"} else ""
    return draft.family + number, subjects(draft.objects)


def _plain_text(question: str) -> str:
    return " ".join(question.lower().split())
