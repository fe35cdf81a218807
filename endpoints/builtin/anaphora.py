"""Sentences that are about what stood before them: "the box of the cup is the smaller one", "it has five words"."""

import re
from collections.abc import Iterator
from typing import Final

from .claims.looks import Larger
from .reading import Posed
from .scene import Scene
from .words import number_of

_OF_TWO: Final = re.compile(
    r"\bthe box of the ([^.]+?(?: at \[[^\]]*\])?) is the (larger|smaller) one\b", re.IGNORECASE
)
_GROUNDED: Final = re.compile(r"\s*grounding\w*\s*\((?:the )?(.+)\)", re.IGNORECASE)
_TITLE: Final = re.compile(r"\breads '(.+?)'\. It has ([\w-]+) words?, and the longest is '([^']*)'")


def mistaken(scene: Scene, evolved: Posed) -> Iterator[str]:
    """What such sentences say wrongly, a reason for each; what cannot be known gives none."""
    texts = (*(description for _, description in evolved.steps), evolved.answer)
    for one, which in dict.fromkeys(found for text in texts for found in _OF_TWO.findall(text)):
        other = _other(scene, evolved, one)
        larger, smaller = (one, other) if which.lower() == "larger" else (other, one)
        if other and Larger(larger, smaller).check(scene) is False:
            yield f"the box of the {one} is not the {which.lower()} one"
    for title, count, longest in _TITLE.findall(evolved.answer):
        words = re.findall(r"[^\s,;:]+", title)
        if number_of(count) not in (None, len(words)):
            yield f"'{title}' has {len(words)} words, not {count}"
        if len(longest) != max(map(len, words)):
            yield f"'{longest}' is not the longest word of '{title}'"


def _other(scene: Scene, evolved: Posed, name: str) -> str:
    """The other of the two things whose boxes the steps find, where there are two."""
    found = [match[1] for manipulation, _ in evolved.steps if (match := _GROUNDED.match(manipulation))]
    others = [one for one in found if scene.named(one) is not scene.named(name)]
    return others[0] if len(found) == 2 and len(others) == 1 else ""
