"""The layout of ShareGPT files: turns of `from` and `value`, a system turn at will, images as `images`.

Our parquet files have it too, and `questions` beside it: what is known of each pair of turns.
"""

from collections.abc import Mapping
from typing import Any, Final

from ..sample import QA
from .conversation import caption_alone, described, questions
from .fields import Draft, RowError, Unknown, identity_or_digest, image_references, objects, required, text
from .mmevol import distinct, question

_HUMAN: Final = {"human", "user"}
_MODEL: Final = {"gpt", "assistant", "chatgpt", "bing", "bard"}
_OWN: Final = (_HUMAN | _MODEL) - {"human", "gpt"}


def matches(row: Mapping[str, Any]) -> bool:
    """Whether `row` is in this layout and not in LLaVA's, which has an id, one field `image` and two roles."""
    turns = row.get("conversations")
    if not isinstance(turns, list):
        return False
    roles = [str(turn.get("from")) for turn in turns if isinstance(turn, dict)]
    return "images" in row or row.get("id") is None or "system" in row or bool(_OWN & set(roles)) or (
        len(roles) > 1 and roles[0] == "system"
    )  # fmt: skip


def parse(row: Mapping[str, Any]) -> Draft:
    """The seed in `row`: each pair of turns is a question. What a system turn says is not kept, but counted.

    Its caption is kept where nothing is asked. Raises RowError.
    """
    turns = objects(required(row, "conversations"), "conversations")
    unknown: Unknown = Unknown()
    first = 1 if turns and turns[0].get("from") == "system" else 0
    if first or row.get("system"):
        unknown["turn", "system"] += 1
    images = image_references(row)
    spoken = [(str(turn.get("from")) in _MODEL, turn.get("value")) for turn in turns[first:]]
    if caption := caption_alone(row, spoken, "conversations"):
        return Draft(id=identity_or_digest(row), images=images, qas=(), caption=caption, unknown=unknown)
    said = [_turn(turn, index, first) for index, turn in enumerate(turns) if index >= first]
    qas = questions(said, len(images), "conversations")
    about = objects(row.get("questions"), "questions")
    caption = "" if about else described(qas)
    qas = _told(qas, about, unknown) if about else () if caption else qas
    return Draft(id=identity_or_digest(row), images=images, qas=qas, caption=caption, unknown=unknown)


def _told(qas: tuple[QA, ...], about: list[dict[str, Any]], unknown: Unknown) -> tuple[QA, ...]:
    """`qas` with what `about` says of each."""
    if len(about) != len(qas):
        raise RowError("questions", f"{len(about)} for {len(qas)} pairs of turns", "make them as many")
    found = (
        question(
            {**known, "format": known.get("form"), "question": qa.question, "answer": qa.answer},
            f"questions[{index}].", index + 1, unknown,
        )
        for index, (known, qa) in enumerate(zip(about, qas, strict=True))
    )  # fmt: skip
    return distinct(tuple(found), "questions")


def _turn(turn: Mapping[str, Any], index: int, first: int) -> str:
    place, role = f"conversations turn {index + 1}", turn.get("from")
    asking = (index - first) % 2 == 0
    if not isinstance(role, str) or role not in (_HUMAN if asking else _MODEL):
        expected = "human" if asking else "gpt"
        raise RowError(place, f"expected {expected!r}, found {role!r}", "let human and gpt take turns, human first")
    return text(turn.get("value"), place, empty=False)
