"""A question as the judge reads it: its stem, choices, steps, boxes and the words that carry content."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

from ...samples.vocabulary import OPEN, normalise_form, normalise_skill
from .claims.grammar import Claim
from .claims.parsing import parse
from .geometry import BBox
from .words import number_of, singular

BOX: Final = re.compile(r"\[\s*\d*\.?\d+(?:\s*,\s*\d*\.?\d+){3}\s*\]")
RESULT_NAME: Final = re.compile(r"[a-z]+_\d+")
NUMBER: Final = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
_TOKEN: Final = re.compile(r"[a-z]+_\d+|\d+(?:\.\d+)?|[a-z]+(?:-[a-z]+)?")
CHOICE: Final = re.compile(r"^\(?([A-H])[.):]\s+(.+?)\s*$", re.MULTILINE)
_CHOSEN: Final = re.compile(r"^\(?([A-H])(?:[.):]|\b)\s*(.*)$", re.DOTALL)
_MATCH: Final = re.compile(
    r"(?:the )?(\w[\w' -]*?) (?:belongs to|goes with|matches|is) (?:region |choice )?\(?([A-H])\)?(?=[,.;]| and |$)",
    re.IGNORECASE,
)
QUOTED: Final = re.compile(r"\"[^\"]*\"|“[^”]*”")
_WORDS: Final = """
the and are was were has have had for from with that this these those there then thus therefore its their what
which who how does did not now can let see look looking find question answer step image picture because since
while into onto also very most more than both each all any one only own
"""
IDLE: Final = frozenset(_WORDS.split())

Row = Mapping[str, Any]


@lru_cache(8192)
def tokens(text: str) -> frozenset[str]:
    """The words, numbers and result names that carry content; number words as figures, nouns in the singular."""
    found: set[str] = set()
    for token in _TOKEN.findall(text.lower()):
        number = number_of(token)
        if number is not None:
            found.add(str(number))
        elif token[0].isdigit():
            found.add(f"{float(token):g}")
        elif len(token) > 2 and token not in IDLE:
            found.add(singular(token))
    return frozenset(found)


@lru_cache(8192)
def claims_in(text: str) -> tuple[Claim, ...]:
    """The claims that a text states, also behind a colon ("So it holds: The cup ...") and before ", and their ..."."""
    apart = re.sub(r", (?:and|so|with|but) (?=(?:their|its|it|they|both)\b)", ". It: ", text)
    return tuple(parse(re.sub(r": (?=[A-Z])", ". ", apart)))


def numbers(text: str) -> list[float]:
    """The numbers in a text outside of boxes, in figures or in words ("one" is no number but a pronoun)."""
    plain = re.sub(r"[a-z]+_\d+", " ", BOX.sub(" ", text), flags=re.IGNORECASE)
    figures = [float(number.replace(",", "")) for number in NUMBER.findall(plain)]
    words = [word for word in re.findall(r"[a-z]+(?:-[a-z]+)?", plain.lower()) if word not in {"one", "zero"}]
    return figures + [float(number) for word in words if (number := number_of(word)) is not None]


@dataclass(frozen=True)
class Posed:
    """One question of a pair. `skills` are those claimed, normalised; `steps` are (manipulation, description)."""

    id: str = field(compare=False)
    objects: tuple[str, ...]
    skills: frozenset[str]
    form: str
    question: str
    steps: tuple[tuple[str, str], ...]
    answer: str
    proposed: tuple[tuple[str, BBox], ...]

    @cached_property
    def choices(self) -> dict[str, str]:
        """The choices that the question lists, by their letters."""
        return {letter: text.rstrip(".") for letter, text in CHOICE.findall(self.question)}

    @cached_property
    def repeated_choice(self) -> str | None:
        """A choice that is listed twice, or None."""
        texts = [text.rstrip(".").lower() for _, text in CHOICE.findall(self.question)]
        return next((text for text in texts if texts.count(text) > 1), None)

    @cached_property
    def stem(self) -> str:
        """The question without its choices."""
        return CHOICE.sub("", self.question).strip()

    @cached_property
    def chosen(self) -> str | None:
        """The letter of the choice that the answer repeats, or None when it repeats none."""
        match = _CHOSEN.match(self.answer.strip())
        said = (match.group(2) if match else self.answer).strip(" .").lower()
        if match and match.group(1) in self.choices:
            right = self.choices[match.group(1)].lower()
            return match.group(1) if not said or _agree(said, right) else None
        return next((letter for letter, text in self.choices.items() if _agree(said, text.lower())), None)

    @cached_property
    def matches(self) -> list[tuple[str, str]]:
        """Pairs of a thing and a letter where the answer matches several things to the choices; else empty."""
        plain = re.sub(rf" (?:at )?{BOX.pattern}", "", self.answer)
        found = [(re.sub(r"^(?:and )?the ", "", name), letter) for name, letter in _MATCH.findall(plain)]
        return found if self.choices and len(found) > 1 else []

    @cached_property
    def reply(self) -> str:
        """What the answer says in words: the chosen text, or the answer itself."""
        return self.choices[self.chosen] if self.chosen else self.answer

    @cached_property
    def work(self) -> str:
        """The descriptions of all steps as one text."""
        return " ".join(description for _, description in self.steps)

    @cached_property
    def boxes(self) -> tuple[BBox, ...]:
        """Every box that is cited anywhere, once."""
        text = " ".join([self.question, self.answer, *(f"{m} {d}" for m, d in self.steps)])
        return tuple(dict.fromkeys(box_of(literal) for literal in BOX.findall(text)))

    @property
    def everything(self) -> str:
        """All that a reader is given: question, steps and answer."""
        return f"{self.question} {self.work} {self.answer}"


def posed(row: Row) -> Posed:
    """The question in `row`, the plain JSON of a pair's side; missing fields are empty."""
    steps = [step for step in _list(row.get("steps")) if isinstance(step, Mapping)]
    proposed = [box for box in _list(row.get("proposed_boxes")) if isinstance(box, Mapping)]
    return Posed(
        id=str(row.get("id") or ""),
        objects=tuple(str(name) for name in _list(row.get("objects"))),
        skills=frozenset(filter(None, (normalise_skill(str(skill)) for skill in _list(row.get("skills"))))),
        form=normalise_form(str(row.get("form") or "")) or OPEN,
        question=str(row.get("question") or ""),
        steps=tuple((str(step.get("manipulation") or ""), str(step.get("description") or "")) for step in steps),
        answer=str(row.get("answer") or ""),
        proposed=tuple((str(box.get("label") or ""), _corners(box.get("bbox"))) for box in proposed),
    )


def _agree(said: str, choice: str) -> bool:
    return said == choice or said.startswith(choice) or tokens(said) == tokens(choice) != frozenset()


def box_of(literal: str) -> BBox:
    """The numbers of a box written as text."""
    return _corners([float(part) for part in literal.strip("[] ").split(",")])


def _corners(values: Any) -> BBox:
    """Four numbers; an empty box where there are not four, which fits nothing."""
    if not isinstance(values, list) or len(values) != 4 or not all(isinstance(value, int | float) for value in values):
        return 0.0, 0.0, 0.0, 0.0
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
