"""Turns of a conversation about images, as several layouts hold them: `<image>` stands where an image goes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..sample import QA
from .describing import is_description
from .fields import RowError, caption_text, text

TOKEN: Final = "<image>"  # noqa: S105


def questions(turns: Sequence[str], images: int, name: str, token: str = TOKEN) -> tuple[QA, ...]:
    """The questions in `turns` (asked, answered, asked, ...) about so many images. `name` is the field's.

    `token` stands where an image goes.
    Tokens in front of the first turn, or around its only image, are dropped. Where a turn further on or the
    middle of a text places one of several images, its token becomes `[image 2]`, counted from 1. Raises RowError.
    """
    if not turns:
        raise RowError(name, "holds no turns", "add a human and a gpt turn or a caption, or remove the row")
    if len(turns) % 2:
        raise RowError(name, f"turn {len(turns)}: a human turn without an answer", "add the gpt turn")
    tokens = sum(turn.count(token) for turn in turns)
    if tokens != images:
        raise RowError(name, f"{tokens} {TOKEN} tokens for {images} images", "make them as many")
    for index in range(1, len(turns), 2):
        if token in turns[index]:
            raise RowError(name, f"turn {index + 1}: an answer holds {TOKEN}", f"put {TOKEN} into a question")
    placed = _placed(turns, token)
    pairs = zip(placed[::2], placed[1::2], strict=True)
    return tuple(
        QA(id=f"q{n}", question=text(asked, f"{name} turn {2 * n - 1}", empty=False), answer=answer)
        for n, (asked, answer) in enumerate(pairs, start=1)
    )


def caption_alone(row: Mapping[str, Any], turns: Sequence[tuple[bool, object]], name: str) -> str:
    """The caption of a row without a question turn: its field `caption`, or else what the model says in its turns.

    `turns` are pairs of whether it is the model's, and its text. Empty for any other row. Raises RowError.
    """
    if not all(answers for answers, _ in turns):
        return ""
    said = [text(words, f"{name} turn {number}") for number, (_, words) in enumerate(turns, start=1)]
    caption = caption_text(row.get("caption")).strip() or "\n".join(said).strip()
    if TOKEN in caption:
        raise RowError(name, f"a caption holds {TOKEN}", f"remove {TOKEN} or add the question")
    return caption


def described(qas: tuple[QA, ...]) -> str:
    """The caption that `qas` are, if their only question just asks to describe the image; empty if they are more."""
    return qas[0].answer if len(qas) == 1 and is_description(qas[0].question) else ""


def _placed(turns: Sequence[str], token: str) -> list[str]:
    """`turns` without tokens."""
    head = re.match(rf"\s*(?:{token}\s*)*", turns[0])
    front = head.group() if head else ""
    count = sum(turn.count(token) for turn in turns)
    if count <= 1 or front.count(token) == count or turns[0].rstrip().endswith(f"\n{token}" * count):
        return [re.sub(rf"\n?{token}\n?", "", turn) for turn in turns]
    number = 0

    def numbered(_: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f"[image {number}]"

    return [re.sub(token, numbered, turn) for turn in turns]
