"""The layout of LLaVA's instruction files: one conversation a row, with `<image>` where an image goes."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ..sample import QA
from .fields import Draft, RowError, identity, image_paths, objects, required, text

_TOKEN: Final = "<image>"  # noqa: S105
_ROLES: Final = ("human", "gpt")


def matches(row: Mapping[str, Any]) -> bool:
    """Whether `row` is in this layout."""
    return "conversations" in row


def parse(row: Mapping[str, Any]) -> Draft:
    """The seed in `row`: each pair of turns is a question; no skills, objects, boxes, caption. Raises RowError."""
    images = image_paths(row)
    turns = [_turn(turn, index) for index, turn in enumerate(objects(required(row, "conversations"), "conversations"))]
    if not turns:
        raise RowError("conversations", "holds no turns", "add a human and a gpt turn or remove the row")
    if len(turns) % 2:
        raise RowError("conversations", f"turn {len(turns)}: a human turn without an answer", "add the gpt turn")
    tokens = sum(turn.count(_TOKEN) for turn in turns)
    if tokens != len(images):
        raise RowError("conversations", f"{tokens} {_TOKEN} tokens for {len(images)} images", "make them as many")
    pairs = zip(turns[::2], turns[1::2], strict=True)
    qas = tuple(
        QA(id=f"q{n}", question=_bare(asked, n), answer=answer) for n, (asked, answer) in enumerate(pairs, start=1)
    )
    return Draft(id=identity(row), images=images, qas=qas)


def _turn(turn: Mapping[str, Any], index: int) -> str:
    place, role = f"conversations turn {index + 1}", turn.get("from")
    if role != _ROLES[index % 2]:
        raise RowError(
            place, f"expected {_ROLES[index % 2]!r}, found {role!r}", "let human and gpt take turns, human first"
        )
    return text(turn.get("value"), place, empty=False)


def _bare(asked: str, number: int) -> str:
    """The question without its image tokens and the line breaks around them."""
    question = re.sub(rf"\n?{_TOKEN}\n?", "", asked)
    return text(question, f"conversations turn {2 * number - 1}", empty=False)
