"""The screen: what code can refuse without asking a model. A refused pair costs no judge call."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ..samples.likeness import alike, asks_again, near_copies, words
from ..samples.sample import QA, Box, Step
from ..samples.vocabulary import OPEN, normalise_form, normalise_manipulation, normalise_skill
from .arithmetic import agrees, evaluate, false_equality
from .replies import EvolvedQA

BOX_TOLERANCE: Final = 0.01
MAX_QUESTION: Final = 1200
MAX_ANSWER: Final = 1600
MAX_STEPS: Final = 16
_NUMBER: Final = r"\s*(\d+(?:\.\d+)?)\s*"
_BOX: Final = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_CHOICE: Final = re.compile(r"^\s*\(?([A-H])[.):]\s*(\S.*?)\s*$", re.MULTILINE)
_LEAKS: Final = (
    "proposed_boxes",
    "given box",
    "the facts",
    "the caption says",
    "according to the caption",
    "data block",
    "parent question",
    "evolved question",
    "original question",
    "```",
    "as an ai",
    "bounding boxes provided",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An evolved question with normalised labels, the boxes it proposes, and the labels no vocabulary knows."""

    qa: QA
    proposed: tuple[Box, ...] = ()
    unknown: tuple[str, ...] = ()
    unknown_form: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate beside its true parent, and what may be cited: the given boxes and those cited before."""

    candidate: Candidate
    parent: QA
    direction: str
    boxes: tuple[Box, ...] = ()
    siblings: Sequence[QA] = field(default=())
    past: Sequence[str] = ()
    """Questions that earlier rounds of this sample asked, and that are no longer there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the screen refused a pair: a short stable code and one sentence."""

    code: str
    reason: str


Screen = Callable[[Pair], Refusal | None]


def normalise(evolved: EvolvedQA, parent: QA) -> Candidate:
    """The candidate that `evolved` describes, every label one of the closed vocabularies or listed as unknown."""
    skills = {label: normalise_skill(label) for label in evolved.skills}
    form = normalise_form(evolved.form)
    qa = QA(
        id=parent.id,
        image_position=parent.image_position,
        objects=tuple(dict.fromkeys(label.strip() for label in evolved.objects if label.strip())),
        skills=tuple(dict.fromkeys(skill for skill in skills.values() if skill)),
        form=form or OPEN,
        question=evolved.question.strip(),
        steps=tuple(Step(manipulation=step.manipulation, description=step.description) for step in evolved.steps),
        answer=evolved.answer.strip(),
    )
    return Candidate(
        qa=qa,
        proposed=_proposed(evolved),
        unknown=tuple(label for label, skill in skills.items() if skill is None),
        unknown_form="" if form else evolved.form,
    )


def _proposed(evolved: EvolvedQA) -> tuple[Box, ...]:
    return tuple(
        Box(label=box.label, bbox=box.bbox, origin="proposed")
        for box in evolved.proposed_boxes
        if box.bbox[2] > box.bbox[0] and box.bbox[3] > box.bbox[1]
    )


def _text(qa: QA) -> str:
    steps = "\n".join(f"{step.manipulation or ''} {step.description}" for step in qa.steps)
    return f"{qa.question}\n{steps}\n{qa.answer}"


def cited_boxes(qa: QA) -> list[tuple[float, ...]]:
    """Every `[x1, y1, x2, y2]` that the question, its steps or its answer cite."""
    return [*_cited(_text(qa))]


@lru_cache(maxsize=4096)
def _cited(text: str) -> tuple[tuple[float, ...], ...]:
    return tuple([tuple(map(float, numbers)) for numbers in _BOX.findall(text)])


def vocabulary(pair: Pair) -> Refusal | None:
    """The form is one of the 17 (or, outside interaction, free) and at least one ability is known."""
    candidate = pair.candidate
    if candidate.unknown_form:
        return Refusal("vocabulary", f"the form {candidate.unknown_form!r} is not one of the known forms")
    if not candidate.qa.skills:
        return Refusal("vocabulary", "none of the nine abilities is named")
    if pair.direction == "interaction" and candidate.qa.form in (OPEN, pair.parent.form):
        return Refusal("form", f"interaction kept the form {candidate.qa.form}")
    return None


def boxes(pair: Pair) -> Refusal | None:
    """Every cited box is a given one, one its parent cited, or marked as proposed."""
    cites = dict.fromkeys(cited_boxes(pair.candidate.qa))
    if not cites:
        return None
    known = {box.bbox for box in (*pair.boxes, *pair.candidate.proposed)}.union(cited_boxes(pair.parent))
    for cited in cites:
        if cited not in known and not any(_beside(cited, box) for box in known):
            shown = ", ".join(f"{value:.3f}" for value in cited)
            return Refusal("box", f"the box [{shown}] is neither given nor proposed")
    return None


def _beside(one: Sequence[float], other: Sequence[float]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= BOX_TOLERANCE


def calculation(pair: Pair) -> Refusal | None:
    """Every Calculate step's arithmetic works out, and its description states the result."""
    for step in pair.candidate.qa.steps:
        if wrong := false_equality(step.description):
            return Refusal("calculate", wrong)
        if normalise_manipulation(step.manipulation) == "Calculate" and (refusal := _unstated(step)):
            return refusal
    return None


def _unstated(step: Step) -> Refusal | None:
    expression = (step.manipulation or "").partition("(")[2].rpartition(")")[0]
    value = evaluate(expression)
    if value is None:
        return None
    stated = re.findall(r"-?\d+(?:\.\d+)?", step.description.replace("\u2212", "-"))
    if any(agrees(value, number) for number in stated):
        return None
    return Refusal("calculate", f"{expression} is {value:g}, which the step does not say")


def choices(pair: Pair) -> Refusal | None:
    """A multiple choice names at least two different choices and its answer is one of them."""
    qa = pair.candidate.qa
    if qa.form != "multi_choice":
        return None
    offered = {letter: text.lower().rstrip(".") for letter, text in _CHOICE.findall(qa.question)}
    if len(offered) < 2 or len(set(offered.values())) < len(offered):
        return Refusal("choices", "the question does not offer two different choices, each on its own line")
    answer = qa.answer.strip().lower().rstrip(".")
    letter = re.match(r"\(?([a-h])(?:[.):]\s*|$)(.*)", answer, re.DOTALL)
    if letter:
        text = offered.get(letter[1].upper())
        named = letter[2].strip()
        if text is not None and (not named or named.startswith(text) or text.startswith(named)):
            return None
    elif answer in offered.values():
        return None
    return Refusal("choices", "the answer is not one of the choices")


def leak(pair: Pair) -> Refusal | None:
    """No word of the instructions shows in the question or its answer."""
    shown = f"{pair.candidate.qa.question}\n{pair.candidate.qa.answer}".lower()
    before = f"{pair.parent.question}\n{pair.parent.answer}".lower()
    phrase = leaked(shown, before)
    return Refusal("leak", f"the words {phrase!r} come from the instructions") if phrase else None


def leaked(shown: str, before: str = "") -> str | None:
    """The first phrase of the instructions in the text `shown` that is not in `before`; both in lower case."""
    return next((phrase for phrase in _LEAKS if phrase in shown and phrase not in before), None)


def copy(pair: Pair) -> Refusal | None:
    """The question is not its parent or a sibling again."""
    qa = pair.candidate.qa
    for other in (pair.parent, *pair.siblings):
        if asks_again(qa, other):
            return Refusal("copy", f"asks again what {other.id} asks")
        if near_copies(qa, other):
            return Refusal("copy", f"a near copy of {other.id}")
    return None


def duplicate(pair: Pair) -> Refusal | None:
    """No earlier round of the sample asked this already."""
    question = pair.candidate.qa.question
    for asked in pair.past:
        if words(question) == words(asked) or alike(question, asked):
            return Refusal("duplicate", f"an earlier round asked this already: {asked[:120]}")
    return None


def empty(pair: Pair) -> Refusal | None:
    """There is a question, an answer, and something said in every step."""
    qa = pair.candidate.qa
    if not (qa.question and qa.answer and all(step.description.strip() for step in qa.steps)):
        return Refusal("empty", "the question, its answer or one of its steps has no text")
    return None


def length(pair: Pair) -> Refusal | None:
    """Nothing ran away: bounded question, answer and number of steps."""
    qa = pair.candidate.qa
    for name, size, limit in (
        ("question", len(qa.question), MAX_QUESTION),
        ("answer", len(qa.answer), MAX_ANSWER),
        ("list of steps", len(qa.steps), MAX_STEPS),
    ):
        if size > limit:
            return Refusal("length", f"the {name} is {size} long, over {limit}")
    return None


SCREENS: Final[tuple[Screen, ...]] = (empty, vocabulary, length, leak, copy, duplicate, boxes, calculation, choices)


def screen(pair: Pair, screens: Sequence[Screen] = SCREENS) -> Refusal | None:
    """The first refusal of `pair`, or None when every screen lets it through."""
    return next((refusal for check in screens if (refusal := check(pair))), None)
