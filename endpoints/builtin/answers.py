"""What a short answer says: the claim that question and answer state together."""

import re
from collections.abc import Iterator
from typing import Final

from .claims.grammar import Claim
from .claims.looks import Coloured
from .claims.numbers import Counted
from .claims.parsing import parse
from .claims.places import Beside, Placed
from .colours import base_name
from .words import number_of, singular

_HOW_MANY: Final = re.compile(
    r"^how many ([a-z][a-z -]*?)(?: (?:are|is) (?:there|visible|shown)| can be (?:seen|counted)| do you (?:see|count)|"
    r" does the image show)(?: in (?:total|all|the (?:image|picture|photo|photograph)))?\?$",
    re.IGNORECASE,
)
_COLOUR: Final = re.compile(
    r"(?:what|which) colou?r (?:is|are) the ([^?,]+?)\?$|colou?r of the ([^?,]+?)\?$", re.IGNORECASE
)
_SIDE: Final = re.compile(
    r"\bis the ([^?,]+?) (?:to the left or (?:to the )?right of|above or below|left or right of) the ([^?,]+?)\?$",
    re.IGNORECASE,
)
_WHERE: Final = re.compile(
    r"^(?:where|in which part of the image) is the ([^?,]+?)(?: in the image)?\?$", re.IGNORECASE
)
_WHETHER: Final = re.compile(r"^(is|are) (there|the .+?) (.+)\?$", re.IGNORECASE)
_SIDES: Final = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_PLACES: Final = re.compile(r"\b(?:upper|middle|lower) (?:left|middle|right)\b|\bcent(?:re|er)\b", re.IGNORECASE)


def answer_claims(question: str, answer: str) -> Iterator[Claim]:
    """The claims that `answer` makes as an answer to `question`; none where the wording is not a known one.

    A "no" gives nothing here, as there is no claim to be checked but a denied one; see `denied`.
    """
    asked = re.split(r"(?<=[.!])\s+", question.strip())[-1]
    if match := _HOW_MANY.match(asked):
        yield from _counted(match.group(1), answer)
    if match := _COLOUR.search(asked):
        name = next(filter(None, match.groups()))
        yield from (Coloured(name, word) for word in re.findall(r"[a-z-]+", answer.lower()) if base_name(word))
    if match := _SIDE.search(asked):
        said = [side for word, side in _SIDES.items() if re.search(rf"\b{word}\b", answer, re.IGNORECASE)]
        if len(said) == 1:
            yield Beside(match.group(1), said[0], match.group(2))
    if match := _WHERE.match(asked):
        yield from (Placed(match.group(1), place.lower()) for place in _PLACES.findall(answer)[:1])
    if "__" in question:
        yield from parse(re.sub(r"_{2,}", answer.strip(" ."), question))
    if re.match(r"yes\b", answer, re.IGNORECASE):
        yield from stated(asked)


def stated(question: str) -> list[Claim]:
    """The claims that a yes-or-no question asks about: "Is the cup red?" gives "the cup is red"."""
    match = _WHETHER.match(question.strip())
    if not match:
        return []
    verb, subject, rest = match.groups()
    if subject.lower() == "there":
        return parse(f"There {verb} {rest}.")
    words = rest.split(" ")
    # The subject may be several words: move the verb behind each in turn until the sentence is a known one.
    for count in range(len(words)):
        front = " ".join([subject, *words[:count]])
        if claims := parse(f"{front} {verb} {' '.join(words[count:])}."):
            return claims
    return []


def _counted(noun: str, answer: str) -> Iterator[Claim]:
    found = [
        number
        for word in re.findall(r"\d+|[a-z]+(?:-[a-z]+)?", answer.lower())
        if (number := number_of(word)) is not None
    ]
    if len(found) == 1:
        yield Counted(found[0], singular(noun.lower()))
