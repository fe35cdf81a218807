"""Choosing among drafts: what is new for a sample, how much work a question takes, and the least costly candidate."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

from .drafts.draft import Draft, subjects
from .drafts.pool import pool, worth_combining
from .drafts.said import named, plain
from .reading import posed
from .scene import Region, Scene
from .scoring import complexity

Row = Mapping[str, Any]
_PLAIN: Final = 4.2
_TRIED: Final = 8
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
        self.complexity = complexity(posed(row))
        self.weight = self.complexity.exact
        """How complex it is, by the scale that scores are given on."""

    def gain(self, draft: Draft) -> float:
        """By about how much `draft` takes more than this question."""
        return draft.weight - self.weight


def thin(draft: Draft) -> float:
    """What a draft costs for being no more than a glance at one detail: 0 for one that joins two or more facts."""
    return 3 * max(_PLAIN - draft.weight, 0)


class Bench:
    """The drafts of one request, and which of them are used up."""

    def __init__(self, scene: Scene, questions: Sequence[Row], rejected: Sequence[Row], rng: random.Random) -> None:
        self.scene, self.rng, self.questions = scene, rng, questions
        self.asked = {text(str(row["question"])) for row in (*questions, *rejected) for text in (_plain_text, _stem)}
        known = {draft.plain_text: draft for draft in self.drafts}
        self._known = known
        self._keys = {known[text].key for text in self.asked if text in known}
        self.families = Counter(known[text].family for text in self.asked if text in known)
        self.forms = Counter(str(row.get("form") or "open") for row in (*questions, *rejected))
        self.covered: set[str] = set().union(*(subjects(row.get("objects") or ()) for row in questions))

    @cached_property
    def drafts(self) -> list[Draft]:
        """Everything that can be asked of the scene in open form."""
        return pool(self.scene)

    @cached_property
    def sayings(self) -> list[Draft]:
        """The sample's own plain questions."""
        return [draft for row in self.questions if (draft := plain(row)) is not None]

    @cached_property
    def regions(self) -> list[Region]:
        """The regions that are worth combining in one question."""
        return worth_combining(self.scene)

    def family(self, parent: Parent) -> str:
        """The family of the parent's question, or "" when it was not written from a draft of this scene."""
        known = self._known.get(_stem(parent.question))
        return known.family if known else ""

    def is_new(self, draft: Draft) -> bool:
        """Whether neither the question nor its facts were asked before."""
        if draft.form == "open" and self._asked_in_other_words(draft):
            return False
        return draft.plain_text not in self.asked and (draft.form != "open" or draft.key not in self._keys)

    def _asked_in_other_words(self, draft: Draft) -> bool:
        """Whether another question asks the same kind of thing of the same single object."""
        sign = _SAME.get(draft.family)
        if sign is None or not draft.objects:
            return False
        noun = draft.objects[0].split(" ")[-1].removesuffix("s")
        return any(noun in text and re.search(sign, text) and _starts(noun).search(text) for text in self.asked)

    def take(self, draft: Draft) -> None:
        """Marks a draft as used, so that no other question of the reply repeats it."""
        self.asked.add(draft.plain_text)
        self._keys.add(draft.key)
        self.families[draft.family] += 1
        self.forms[draft.form] += 1
        self.covered |= draft.subjects

    def cheapest(
        self, drafts: Iterable[Draft], cost: Callable[[Draft], float], fits: Callable[[Draft], bool] | None = None
    ) -> Draft | None:
        """The new draft with the least cost, where costs are blurred a little so that samples do not look alike.

        Among the few cheapest the first one that `fits`, where there is one.
        """
        blurred = ((cost(draft) + 2.5 * self.rng.random(), at, draft) for at, draft in enumerate(drafts))
        found: list[Draft] = []
        for _, _, draft in sorted(blurred):
            if self.is_new(draft):
                if fits is None or fits(draft):
                    return draft
                found.append(draft)
                if len(found) == _TRIED:
                    break
        return found[0] if found else None


def _stem(question: str) -> str:
    """The plain text without choices and without the wish for an explanation."""
    return _plain_text(question.partition("\n")[0].partition(" Explain step by step")[0])


@lru_cache(1024)
def _starts(noun: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(noun)}")


def _plain_text(question: str) -> str:
    return " ".join(question.lower().split())
