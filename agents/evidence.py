"""Evidence: the manipulations that a solution's steps claim are carried out, as far as code can without a model.

What takes a model (looking into a box, reading, finding what has no box) is in looking.py.

MMEvol's steps name manipulations that nobody executes (arXiv 2409.05840, section 3; its prompts say so). Here each one
is parsed and done: `Grounding` is resolved to given boxes, `Referring` to what a found box is labelled, `Calculate` is
worked out over earlier results. What comes out stands beside what the step says, for the judge and for the trace; where
code can be sure that a step is wrong, the pair is refused. What code cannot know (text, looks) stays open.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ..samples.sample import QA, Box, Step
from ..samples.vocabulary import normalise_manipulation
from .arithmetic import agrees, evaluate

SAME_BOX: Final = 0.5
"""Intersection over union from which on two boxes mean the same thing."""
_ROUNDING: Final = 0.001
"""By so much the numbers of a box differ from those that a text cites."""
_CALL: Final = re.compile(r"^\s*([A-Za-z ]+?)(?:_?\d+)?\s*\((.*)\)\s*(?:->|→|=>)?\s*([a-z]+_?\d+)?\s*$", re.DOTALL)
_BOX: Final = re.compile(r"\[\s*(\d?\.\d+|[01])\s*,\s*(\d?\.\d+|[01])\s*,\s*(\d?\.\d+|[01])\s*,\s*(\d?\.\d+|[01])\s*\]")
_RESULT: Final = re.compile(r"\b(?:bbx|tgt|res|txt)_?\d+\b")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_COUNT: Final = re.compile(r"^\s*(?:count|len|number)\s*(?:of\s+|\()?(.*?)\)?\s*$", re.IGNORECASE | re.DOTALL)
_BEHIND: Final = re.compile(
    r"\b(?:of|in|on|at|near|by|with|from|to|behind|under|over|above|below|beside|next|between|around|that|which|who"
    r"|holding|held|wearing|carrying|riding|sitting|standing|lying|walking|looking|facing|leaning|hanging|made)\b"
)
_WORD: Final = re.compile(r"[a-z0-9]+")

BBox = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Manipulation:
    """One call as a step writes it: `name` is one of the vocabulary's four, `result` names what comes out of it."""

    name: str
    argument: str
    result: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What carrying out one step's manipulation brought.

    `step` counts from 1. `found` is one sentence; `agrees` says whether the step claims the same, None where that
    cannot be told. `value` is a box, a number, or a label; None when nothing was found. `by` is "model" for what a
    model was asked, with `seen`, the box that it was shown or that it names; `error` is why it could not be asked.
    `image` is the index of the image that the box lies on.
    """

    step: int
    manipulation: str
    found: str
    agrees: bool | None = None
    value: BBox | float | str | None = None
    by: str = "code"
    seen: BBox | None = None
    image: int = 0
    error: str = ""

    def row(self) -> dict[str, Any]:
        """As the judge sees it."""
        told = {"step": self.step, "found": self.found, "agrees": self.agrees}
        return told if self.by == "code" else told | {"by": self.by}

    def record(self) -> dict[str, Any]:
        """As it is kept: what the judge sees, and where a model looked."""
        where = {"seen": list(self.seen), "image": self.image} if self.seen else {}
        return self.row() | where | ({"error": self.error} if self.error else {})


@lru_cache(maxsize=4096)
def parse(text: str | None) -> Manipulation | None:
    """The manipulation that `text` writes, such as `Grounding_1(cup)->bbx_1`; None for plain thought."""
    if not text or not (called := _CALL.match(text)):
        return None
    name = normalise_manipulation(called[1])
    return Manipulation(name, called[2].strip(), called[3] or "") if name else None


def examine(qa: QA, boxes: Sequence[Box]) -> list[Finding]:
    """Carries out the steps of `qa` one after the other, each with the results of those before it.

    `boxes` are the boxes that may be cited: given, confirmed, and proposed with this very question.
    """
    found: list[Finding] = []
    results: dict[str, Finding] = {}
    for number, step, made in manipulations(qa):
        finding = carried_out(number, step, made, boxes, results)
        found.append(finding)
        if made.result:
            results[made.result] = finding
    return found


def manipulations(qa: QA) -> list[tuple[int, Step, Manipulation]]:
    """The steps of `qa` that are manipulations, each with its number from 1 and what it carries out."""
    parsed = [(number, step, parse(step.manipulation)) for number, step in enumerate(qa.steps, 1)]
    return [(number, step, made) for number, step, made in parsed if made]


def carried_out(
    number: int, step: Step, made: Manipulation, boxes: Sequence[Box], results: Mapping[str, Finding]
) -> Finding:
    """What code finds for one step, with the `results` of those before it."""
    match made.name:
        case "Grounding":
            return _grounded(number, step, made, boxes)
        case "Referring":
            return _referred(number, step, made, boxes, results)
        case "Calculate":
            return _calculated(number, step, made, results)
    return Finding(number, made.name, "the text was not read: that takes a model")


def _grounded(number: int, step: Step, made: Manipulation, boxes: Sequence[Box]) -> Finding:
    """The box of what is named, by the head of its name; its description may say where that is."""
    named = called(made.argument, boxes)
    claimed = cited(step.description)
    if not claimed:
        if len(named) == 1:
            return _at(Finding(number, made.name, f"{_place(named[0])} is {named[0].label}"), named[0])
        return Finding(number, made.name, f"{len(named)} boxes could be meant" if named else "no box has this name")
    box = claimed[-1]
    if hit := best(box, named):
        return _at(Finding(number, made.name, f"{_place(hit)} is {hit.label}", agrees=True), hit)
    other = best(box, boxes)
    if named:
        those = ", ".join(_place(one) for one in named[:3])
        what = f"that box is {other.label}" if other else "no box lies there"
        return _at(Finding(number, made.name, f"{what}; {made.argument} is at {those}", agrees=False), named[0])
    if other:
        return _at(Finding(number, made.name, f"that box is labelled {other.label}"), other)
    return Finding(number, made.name, "no box lies there and none has this name")


def _at(finding: Finding, box: Box) -> Finding:
    return replace(finding, value=box.bbox, image=box.image)


def _referred(
    number: int, step: Step, made: Manipulation, boxes: Sequence[Box], results: Mapping[str, Finding]
) -> Finding:
    """What the label of the box says; how it looks takes a model."""
    place = referred(step, made, results)
    hit = box_at(place, boxes) if place else None
    if hit is None:
        return Finding(number, made.name, "there is no such box to look at")
    return Finding(number, made.name, f"the box is labelled {hit.label}", None, hit.label)


class Place(NamedTuple):
    """A box on the image of that index; None where a text gives only the box, which several images may have."""

    bbox: BBox
    image: int | None


def referred(step: Step, made: Manipulation, results: Mapping[str, Finding]) -> Place | None:
    """Where a step looks: at an earlier result that it names, or the last box that it cites."""
    named = next((results[name] for name in _RESULT.findall(made.argument) if name in results), None)
    if named and isinstance(named.value, tuple):
        return Place(named.value, named.image)
    box = next(reversed(cited(f"{made.argument} {step.description}")), None)
    if box is None:
        return None
    found = [one.image for one in results.values() if isinstance(one.value, tuple) and _are_same(one.value, box)]
    return Place(box, found[-1] if found else None)


def _are_same(one: BBox, other: BBox) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= _ROUNDING


def box_at(place: Place, boxes: Iterable[Box]) -> Box | None:
    """The one of `boxes` that is meant by `place`, if any."""
    return best(place.bbox, [box for box in boxes if place.image in (None, box.image)])


def cited(text: str) -> list[BBox]:
    """The boxes that stand in `text`."""
    return [tuple(map(float, numbers)) for numbers in _BOX.findall(text)]


def called(target: str, boxes: Iterable[Box]) -> list[Box]:
    """The `boxes` that `target` may mean, by their labels."""
    return [box for box in boxes if _names(target, box.label)]


def _calculated(number: int, step: Step, made: Manipulation, results: Mapping[str, Finding]) -> Finding:
    value = _worked_out(made.argument, results)
    if value is None:
        return Finding(number, made.name, "this cannot be worked out from numbers")
    stated = _NUMBER.findall(step.description.replace("\u2212", "-"))
    same = any(agrees(value, said) for said in stated) if stated else None
    return Finding(number, made.name, f"{made.argument} is {value:g}", same, value)


def _worked_out(argument: str, results: Mapping[str, Finding]) -> float | None:
    """Plain arithmetic over earlier results (`res_1 + 2`), or how many are counted (`count(bbx_1, bbx_2)`)."""
    if counted := _COUNT.match(argument):
        names = [name for name in _RESULT.findall(counted[1]) if name in results]
        return float(len(set(names))) if names else None
    numbers = {name: found.value for name, found in results.items() if isinstance(found.value, float)}
    text = _RESULT.sub(lambda name: f"({numbers[name[0]]!r})" if name[0] in numbers else name[0], argument)
    return evaluate(text)


def contradiction(findings: Iterable[Finding]) -> Finding | None:
    """The first finding that shows a step to be wrong."""
    return next((finding for finding in findings if finding.agrees is False), None)


def _names(target: str, label: str) -> bool:
    """Whether `target` is a `label`: its head, the last word before "of", "on" and the like, is the label's."""
    wanted, given = _stems(_head(target)), _stems(label)
    return bool(wanted and given) and wanted[-len(given) :] == given


@lru_cache(maxsize=4096)
def _head(target: str) -> str:
    return _BEHIND.split(target.lower(), maxsplit=1)[0]


@lru_cache(maxsize=4096)
def _stems(text: str) -> tuple[str, ...]:
    words = [word for word in _WORD.findall(text.lower()) if word not in ("the", "a", "an")]
    return tuple(
        [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]
    )


def best(box: BBox, boxes: Iterable[Box]) -> Box | None:
    """The one of `boxes` that overlaps `box` most, if they mean the same."""
    most, found = SAME_BOX, None
    for one in boxes:
        if (common := overlap(box, one.bbox)) >= most and (found is None or common > most):
            most, found = common, one
    return found


def overlap(one: BBox, other: BBox) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    # Comparisons, since min and max cost more than all the rest, and a step's box is held against every box.
    width = (right if right < other_right else other_right) - (left if left > other_left else other_left)
    height = (bottom if bottom < other_bottom else other_bottom) - (top if top > other_top else other_top)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    areas = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
    return common / (areas - common)


def _place(box: Box) -> str:
    return "[" + ", ".join(f"{value:.3f}" for value in box.bbox) + "]"
