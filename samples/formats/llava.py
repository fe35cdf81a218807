"""The layout of LLaVA's instruction files: one conversation a row, with `<image>` where an image goes."""

from collections.abc import Mapping
from typing import Any, Final

from .conversation import caption_alone, described, questions
from .fields import Draft, RowError, identity, image_references, objects, required, text

_ROLES: Final = ("human", "gpt")


def matches(row: Mapping[str, Any]) -> bool:
    """Whether `row` is in this layout."""
    return "conversations" in row


def parse(row: Mapping[str, Any]) -> Draft:
    """The seed in `row`: each pair of turns is a question; no skills, objects, boxes. Raises RowError.

    Its caption is kept where nothing is asked.
    """
    images = image_references(row)
    talk = objects(required(row, "conversations"), "conversations")
    said = [(turn.get("from") == "gpt", turn.get("value")) for turn in talk]
    if caption := caption_alone(row, said, "conversations"):
        return Draft(id=identity(row), images=images, qas=(), caption=caption)
    turns = [_turn(turn, index) for index, turn in enumerate(talk)]
    qas = questions(turns, len(images), "conversations")
    caption = described(qas)
    return Draft(id=identity(row), images=images, qas=() if caption else qas, caption=caption)


def _turn(turn: Mapping[str, Any], index: int) -> str:
    place, role = f"conversations turn {index + 1}", turn.get("from")
    if role != _ROLES[index % 2]:
        raise RowError(
            place, f"expected {_ROLES[index % 2]!r}, found {role!r}", "let human and gpt take turns, human first"
        )
    return text(turn.get("value"), place, empty=False)
