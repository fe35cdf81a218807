"""Near duplicates across samples: questions about one image that ask and answer nearly the same.

A sample's own rounds are compared as they are made; what other samples ask of the same image is known when all is done.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rensa import RMinHash, RMinHashLSH  # pyright: ignore[reportAttributeAccessIssue]  # compiled, without types

from .likeness import asks_again, near_copies, words
from .sample import QA

_SLOTS: Final = 128
_BANDS: Final = 32
"""Of four slots each: of two questions that are `alike`, whose words overlap by 0.8 or more, one in ten million is
missed. What overlaps by chance is looked at and dismissed."""
_OVERLAP: Final = 0.7


class Place(NamedTuple):
    """Which version of a question: that of a sample's round, 0 for the seed's."""

    sample: str
    qa: str
    round: int


def duplicates(questions: Iterable[tuple[Place, QA]]) -> dict[Place, Place]:
    """Of `questions`, all about one image, those that nearly copy one of another sample: each with the one that stays.

    The smallest place stays, whatever the order they are given in. Only what stays has copies, so that of a chain
    of questions, each a little unlike the last, more than one is kept.
    """
    found: dict[Place, Place] = {}
    kept: list[tuple[Place, QA]] = []
    index = RMinHashLSH(_OVERLAP, _SLOTS, _BANDS)
    bare = ((place, qa.model_copy(update={"objects": (), "skills": (), "steps": ()})) for place, qa in questions)
    for place, qa in sorted(bare, key=lambda one: one[0]):
        sketch = RMinHash(_SLOTS, 0)
        sketch.update(list(words(qa.question)))
        near = (kept[number] for number in sorted(index.query(sketch)))
        copied = next((other for other, of in near if other.sample != place.sample and _same(qa, of)), None)
        if copied is None:
            index.insert(len(kept), sketch)
            kept.append((place, qa))
        else:
            found[place] = copied
    return found


def _same(one: QA, other: QA) -> bool:
    return asks_again(one, other) or near_copies(one, other)
