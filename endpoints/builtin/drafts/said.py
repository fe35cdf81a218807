"""Drafts from the questions that a sample already has: their plain answers, taken up again or taken together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
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


def together(questions: Sequence[Row]) -> Iterator[Draft]:
    """Two plain questions of the sample asked as one, where neither repeats the other."""
    plains = [draft for row in questions if (draft := plain(row)) is not None]
    for one, other in combinations(plains, 2):
        first, second = one.question.rstrip("?"), other.question
        if (
            one.answer in other.answer
            or other.answer in one.answer
            or any(part in one.answer for _, part in other.steps)
            or len(first) > 160
        ):
            continue
        if not re.match(r"(?:what|which|where|how)\b", first, re.I) or not re.match(
            r"(?:what|which|where|how)\b", second, re.I
        ):
            continue
        question = f"{first}, and {second[0].lower()}{second[1:]}"
        yield Draft(
            "together",
            tuple(dict.fromkeys((*one.objects, *other.objects))),
            tuple(dict.fromkeys((*one.skills, *other.skills))),
            question,
            (*one.steps, *other.steps),
            f"{one.answer} {other.answer}",
            fineness=0.3,
        )
