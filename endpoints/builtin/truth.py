"""Whether an evolved question, its steps and its answer are true of the image: the judge's `grounded` and `correct`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final

import numpy as np

from . import geometry
from .anaphora import mistaken
from .answers import answer_claims
from .claims.grammar import Claim
from .claims.looks import Coloured
from .claims.numbers import Counted, evaluate
from .claims.places import Located
from .colours import NAMES, base_name, compatible
from .measures import misplaced
from .reading import BOX, QUOTED, Posed, box_of, claims_in, numbers, tokens
from .scene import Region, Scene
from .told import Told
from .words import number_word, plural, singular, whole

_NAMING: Final = ("name", "one", "other", "anchor", "inner", "outer", "label", "names")
_LETTER: Final = re.compile(r"\b(?:[Rr]egion|[Cc]hoice|[Oo]nly|so|[Tt]herefore) ([A-H])\b")
_SHOWS: Final = re.compile(r"\b(?:shows|holds|contains|frames) the ([^?,]+?)\?", re.IGNORECASE)
_AMOUNT: Final = re.compile(
    r"\bhow (?:many|much)\b|\bwhat (?:is the (?:total|sum|mean|average|difference)|percentage|share)\b", re.I
)
_IN_ALL: Final = ("altogether", "in total", "in all", "together")
_COLOURS: Final = "|".join(NAMES)
_HYPHENED: Final = r"[a-z]+(?:-[a-z]+)?"
_FLAT: Final = 0.012
"""Spread of luma (0 to 1) below which a proposed box shows nothing but a plain surface."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with an evolved question: the flag that falls, and why in one sentence."""

    flag: str
    reason: str


def faults(told: Told, evolved: Posed) -> Iterator[Fault]:
    """Everything found to be untrue of the image or the facts, most telling first."""
    yield from _boxes(told, evolved)
    yield from _calculations(evolved)
    yield from _claims(told, evolved)
    yield from _placed(told.scene, evolved)
    yield from _answer(told, evolved)
    yield from _presumed(told.scene, evolved)
    yield from _objects(told, evolved)


def plausible(scene: Scene, evolved: Posed) -> tuple[list[dict[str, Any]], list[Fault]]:
    """The boxes that `evolved` proposes and that show something, as facts have them, and a fault for each other one."""
    good: list[dict[str, Any]] = []
    bad: list[Fault] = []
    for label, box in evolved.proposed:
        if _shows_something(scene, box):
            good.append({"label": label, "bbox": list(box)})
        else:
            bad.append(Fault("grounded", f"the box proposed for the {label} shows nothing of its own"))
    return good, bad


def _shows_something(scene: Scene, box: geometry.BBox) -> bool:
    if not 0 <= box[0] < box[2] <= 1 or not 0 <= box[1] < box[3] <= 1:
        return False
    if not 0.0002 <= geometry.area(box) <= 0.95 or not scene.images:
        return False
    pixels = scene.images[0]
    height, width = pixels.shape[:2]
    rows = slice(int(box[1] * height), int(np.ceil(box[3] * height)))
    crop = pixels[rows, int(box[0] * width) : int(np.ceil(box[2] * width))]
    luma = crop @ np.array([0.299, 0.587, 0.114]) / 255
    return luma.size > 0 and float(luma.std()) >= _FLAT


def _boxes(told: Told, evolved: Posed) -> Iterator[Fault]:
    for box in evolved.boxes:
        if not told.boxed(box):
            yield Fault("grounded", f"the box {geometry.literal(box)} is none of the known ones")


def _calculations(evolved: Posed) -> Iterator[Fault]:
    for manipulation, description in evolved.steps:
        match = re.match(r"\s*calculate\w*\s*\((.*)\)\s*(?:->|→|$)", manipulation, re.IGNORECASE)
        value = evaluate(match.group(1)) if match else None
        if match and value is not None and not _says(numbers(description), value):
            yield Fault("correct", f"{match.group(1).strip()} is {value:.6g}, which its step does not say")


def _says(said: list[float], value: float) -> bool:
    """Whether one of the numbers is `value`: exactly where both are whole, else up to rounding."""
    return any(
        number == value
        if number.is_integer() and value.is_integer()
        else abs(number - value) <= max(0.0051, 0.006 * abs(value))
        for number in said
    )


def _claims(told: Told, evolved: Posed) -> Iterator[Fault]:
    texts = (*(description for _, description in evolved.steps), evolved.answer)
    for claim in dict.fromkeys(claim for text in texts for claim in claims_in(text)):
        verdict = claim.check(told.scene)
        if verdict is True or _rests_elsewhere(told, claim):
            continue
        if missing := next((name for name in _named(claim) if not told.exists(name)), None):
            yield Fault("grounded", f"there is no {missing} among the boxes, in the caption or in the questions")
        elif (one := getattr(claim, "one", None)) and one == getattr(claim, "other", None):
            yield Fault("correct", f"it compares the {one} with itself")
        elif verdict is False:
            yield Fault("grounded" if isinstance(claim, Located) else "correct", _refuted(told.scene, claim))
        elif not told.restates(_values(claim)):
            yield Fault("correct", f'"{claim.say()}" can be told neither from the image nor from the facts')


def _values(claim: Claim) -> frozenset[str]:
    """The words and numbers that a claim puts in its slots."""
    return tokens(" ".join(str(getattr(claim, field.name)) for field in fields(claim)))


def _placed(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    for text in (*(description for _, description in evolved.steps), evolved.answer):
        yield from (Fault("correct", reason) for reason in misplaced(scene, text))
    yield from (Fault("correct", reason) for reason in mistaken(scene, evolved))


def _rests_elsewhere(told: Told, claim: Claim) -> bool:
    """A box without a known thing, or a bare number ("eleven altogether"): both are checked elsewhere."""
    if isinstance(claim, Located):
        return told.scene.boxed_as(claim.box) is None or not claim.name
    return isinstance(claim, Counted) and claim.label in _IN_ALL


def _named(claim: Claim) -> Iterator[str]:
    for field in fields(claim):
        value = getattr(claim, field.name)
        if field.name in _NAMING and isinstance(value, str):
            yield value
        elif field.name in _NAMING and isinstance(value, tuple):
            yield from value


def _refuted(scene: Scene, claim: Claim) -> str:
    if isinstance(claim, Counted) and (boxed := scene.with_label(claim.label)):
        shown = f"{len(boxed)} {'is' if len(boxed) == 1 else 'are'} boxed"
        noun = claim.label if claim.count == 1 else plural(singular(claim.label))
        return f"it counts {number_word(claim.count)} {noun}, but {shown}"
    if isinstance(claim, Coloured) and (region := scene.named(claim.name)) and (colour := scene.colour(region)):
        return f"it calls the {claim.name} {claim.colour}, but it is {colour}"
    if isinstance(claim, Located):
        return f"the box {geometry.literal(claim.box)} is not that of the {claim.name or 'thing named'}"
    return f'"{claim.say()}" is not true of the image'


def _objects(told: Told, evolved: Posed) -> Iterator[Fault]:
    for name in evolved.objects:
        if name.strip() and not told.exists(name):
            yield Fault("grounded", f"there is no {name} among the boxes, in the caption or in the questions")


def _presumed(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    """False statements and false colours in the question itself."""
    said = QUOTED.sub("", evolved.stem)
    for sentence in re.split(r"(?<=[.!?])\s+|\n", said):
        if sentence.rstrip().endswith("?") or "__" in sentence:
            continue
        for claim in claims_in(sentence):
            if claim.check(scene) is False:
                yield Fault("grounded", _refuted(scene, claim))
    for label in {region.label for region in scene.regions}:
        if base_name(label.split()[0]) is not None:
            continue
        having = scene.with_label(label)
        for match in _coloured(label).finditer(f"{said} {evolved.answer}"):
            if all(_excluded(scene, region, match.group(1)) for region in having):
                yield Fault("grounded", f"no {label} in the image is {match.group(1).lower()}")


@lru_cache(1024)
def _coloured(label: str) -> re.Pattern[str]:
    """A colour before one or several things of this kind."""
    return re.compile(rf"\b({_COLOURS}) (?:{re.escape(label)}|{re.escape(plural(label))})\b", re.IGNORECASE)


def _excluded(scene: Scene, region: Region, colour: str) -> bool:
    return scene.could_be(region, colour.lower()) is False


def _answer(told: Told, evolved: Posed) -> Iterator[Fault]:
    """What the answer says beside its own claims: the right choice, a short answer's meaning, support by the steps."""
    scene = told.scene
    if evolved.matches:
        yield from _mismatches(scene, evolved)
        return
    if evolved.choices and evolved.chosen is None:
        yield Fault("correct", "the answer is none of the choices")
        return
    for claim in answer_claims(evolved.stem, evolved.reply):
        if claim.check(scene) is False:
            yield Fault("correct", _refuted(scene, claim))
    if evolved.chosen and (better := _better_choice(evolved)):
        yield Fault("correct", f"the steps lead to choice {better}, not to {evolved.chosen}")
    yield from _asked_thing(scene, evolved)
    yield from _last_result(evolved)
    yield from _unsupported(told, evolved)


def _mismatches(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    """Things that the answer matches to a choice whose box is not theirs, and choices that there are not."""
    for name, letter in evolved.matches:
        text = evolved.choices.get(letter)
        region = scene.named(name)
        if text is None:
            yield Fault("correct", f"there is no choice {letter}")
        elif region and BOX.fullmatch(text.strip()) and scene.boxed_as(box_of(text)) is not region:
            yield Fault("correct", f"the region {letter} is not that of the {name}")


def _better_choice(evolved: Posed) -> str | None:
    """Another choice whose own words the last step uses, while it uses none of the chosen one's."""
    if not evolved.steps or not evolved.chosen:
        return None
    named = [letter for letter in _LETTER.findall(evolved.steps[-1][1]) if letter in evolved.choices]
    if named and evolved.chosen not in named:
        return named[-1]
    last = tokens(evolved.steps[-1][1])
    words = {letter: tokens(text) for letter, text in evolved.choices.items()}
    shared = frozenset.intersection(*words.values())
    mine = words[evolved.chosen] - shared
    if not mine or mine & tokens(evolved.work):
        return None
    return next((letter for letter, own in words.items() if own - shared and own - shared <= last), None)


def _asked_thing(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    """A region that is not that of the thing asked for, and a thing called missing that is there."""
    asked = _SHOWS.search(evolved.stem)
    region = scene.named(asked.group(1)) if asked else None
    if region and BOX.fullmatch(evolved.reply.strip()) and scene.boxed_as(box_of(evolved.reply.strip())) is not region:
        yield Fault("correct", f"the chosen region is not that of the {region.name}")
    if re.search(
        r"\b(?:missing from|not (?:in|to be seen in|shown in|present in)) the image\b", evolved.stem, re.IGNORECASE
    ):
        there = singular(re.sub(r"^(?:the|an?)\s+", "", evolved.reply.strip(" .").lower()))
        if scene.named(there) or scene.with_label(there):
            yield Fault("correct", f"the {there} is not missing, it is boxed")


def _last_result(evolved: Posed) -> Iterator[Fault]:
    """An amount is asked for, and the answer gives numbers, but not the one that the last step works out."""
    if (
        not evolved.steps
        or not evolved.steps[-1][0].lower().startswith("calculate")
        or not _AMOUNT.search(evolved.stem)
    ):
        return
    said, found = numbers(evolved.reply), numbers(evolved.steps[-1][1])
    if re.search(r"\bone\b", evolved.reply, re.IGNORECASE):
        said.append(1.0)
    if said and found and not _says(said, found[-1]) and not any(_rounded(found[-1:], number) for number in said):
        yield Fault("correct", f"the last step works out {found[-1]:g}, which the answer does not say")


def _unsupported(told: Told, evolved: Posed) -> Iterator[Fault]:
    """A number, thing or colour in the answer that neither the steps nor the facts give."""
    claims = (*claims_in(evolved.reply), *answer_claims(evolved.stem, evolved.reply))
    proven = " ".join(claim.say() for claim in claims if claim.check(told.scene))
    given = f"{evolved.work} {evolved.stem} {told.gives(evolved)} {proven}"
    boxed = {float(len(told.scene.with_label(region.label))) for region in told.scene.regions}
    for number in numbers(evolved.reply):
        if not _says([*numbers(given), *boxed], number) and not _rounded(numbers(evolved.work), number):
            yield Fault("correct", f"the answer says {number:g}, which no step finds and no fact gives")
    yield from _unasked(told.scene, evolved)
    words = set(re.findall(_HYPHENED, given.lower()))
    for colour in set(re.findall(_HYPHENED, evolved.reply.lower())) - words:
        if base_name(colour) and not any(compatible(colour, word) for word in words if base_name(word)):
            yield Fault("correct", f"the answer says {colour}, which no step finds and no fact gives")


def _unasked(scene: Scene, evolved: Posed) -> Iterator[Fault]:
    """A thing in the answer of which neither the question nor the steps speak."""
    if not evolved.steps:
        return
    spoken = " ".join([evolved.question, evolved.work, *(manipulation for manipulation, _ in evolved.steps)]).lower()
    reply = evolved.reply.lower()
    for region in scene.regions:
        alone = len(scene.with_label(region.label)) == 1
        known = (region.label if alone else region.name).lower() in spoken
        if not known and whole(region.name.lower(), "the ").search(reply):
            yield Fault("correct", f"the answer speaks of the {region.name}, of which question and steps say nothing")


def _rounded(found: list[float], number: float) -> bool:
    """Whether `number`, as it is written, is a found number rounded to its own decimals."""
    decimals = len(f"{number:g}".partition(".")[2])
    return any(abs(value - number) <= 0.5 * 10**-decimals + 1e-9 for value in found)
