"""When two questions are one: the same words, or nearly all of them in the same order."""

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from .sample import QA

ALIKE: Final = 0.92
"""Share of common words, in order, above which two texts are near copies."""


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of `text` in lower case."""
    return tuple(re.findall(r"\w+", text.lower()))


@lru_cache(maxsize=4096)
def _distinct(text: str) -> frozenset[str]:
    return frozenset(words(text))


def alike(one: str, other: str) -> bool:
    """Whether the texts share over 92% of their words in order; most pairs are told apart by the words alone."""
    first, second = words(one), words(other)
    ours, theirs = _distinct(one), _distinct(other)
    # Not more can be common than is left of either without the words that the other has not.
    most = min(len(first) - len(ours - theirs), len(second) - len(theirs - ours))
    if 2 * most <= ALIKE * (len(first) + len(second)):
        return False
    return SequenceMatcher(None, first, second, autojunk=False).ratio() > ALIKE


def asks_again(one: QA, other: QA) -> bool:
    """Whether both ask the same words in the same form."""
    return words(one.question) == words(other.question) and one.form == other.form


def near_copies(one: QA, other: QA) -> bool:
    """Whether both ask nearly the same and answer nearly the same."""
    return alike(one.question, other.question) and alike(one.answer, other.answer)
