"""Drafts from the questions that a sample already has: their plain answers, taken up again."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ....samples.vocabulary import OPEN, normalise_form, normalise_skill
from ..colours import base_name
from ..words import NUMBER_WORDS, number_of, number_word
from .draft import Draft
from .looks import wrong_colours

Row = Mapping[str, Any]
_NO_THINGS: Final = frozenset(
    (
        *("image", "picture", "colour", "middle", "left", "right", "upper", "lower"),
        *("outside", "inside", "top", "bottom", "total", "number"),
    )
)


def plain(row: Row) -> Draft | None:
    """An open question without steps as a draft; its decisive words where they are a colour, a number or a side."""
    steps = tuple((None, str(step["description"])) for step in row.get("steps") or () if not step.get("manipulation"))
    if len(steps) < len(row.get("steps") or ()) or normalise_form(str(row.get("form", ""))) != OPEN:
        return None
    answer, question = str(row["answer"]), str(row["question"])
    short, wrong = _decisive(answer, question)
    return Draft(
        "said", named(row), _skills(row), question, steps or ((None, answer),), answer, short, wrong, fineness=0.3
    )


def named(row: Row) -> tuple[str, ...]:
    """The things a question is about: as listed, else the nouns that follow "the" in its question and answer."""
    listed = tuple(str(name) for name in row.get("objects") or ())
    found = re.findall(r"\bthe ([a-z]{3,})\b", f"{row['question']} {row['answer']}".lower())
    return listed or tuple(dict.fromkeys(word for word in found if word not in _NO_THINGS))


def _skills(row: Row) -> tuple[str, ...]:
    known = [normalise_skill(str(skill)) for skill in row.get("skills") or ()]
    return tuple(dict.fromkeys(skill for skill in known if skill))


def _decisive(answer: str, question: str) -> tuple[str, tuple[str, ...]]:
    words = re.findall(r"[A-Za-z]+(?:-[a-z]+)*|\d+(?:\.\d+)?", answer)
    if re.match(r"(?:what|which) colou?r", question, re.I):
        colour = next((w for w in words if all(base_name(part) for part in w.lower().split("-")[-1:])), "")
        return (colour, wrong_colours(colour)) if colour else ("", ())
    if re.match(r"how many|how much", question, re.I):
        found = next((w for w in words if re.fullmatch(r"\d+", w) or w.lower() in NUMBER_WORDS), "")
        number = number_of(found) if found else None
        if number is not None and number > 0:
            others = [n for n in (number - 1, number + 1, number + 2, number * 2) if n > 0]
            return found, tuple(
                dict.fromkeys(str(n) if found.isdecimal() else number_word(n) for n in others if n != number)
            )
    return "", ()
