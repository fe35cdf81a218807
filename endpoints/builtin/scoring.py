"""How complex a question is, 1 to 10, from what solving it really takes. Never from its length, style or praise.

    score = 1 + abilities + work + extent + comparison + form, rounded and kept within 1 and 10

`abilities`: 0.8 for each of the first two abilities that the question shows, 0.4 for each further one; Existence, a
single glance, adds nothing.
`work`: 0.5 for each useful step, 0.3 for one that only finds a box; what exceeds 2 counts half, at most 4 in all.
`extent`: half the binary logarithm of the number of objects involved (boxes or objects named), a quarter of it for
things that are only counted. `comparison`: 0.5 when the solution compares or reckons. `form`: what the task form itself
asks on top, 0 to 0.4, or takes away by offering the answer among few others, down to -1.

A step is useful when it finds something new and the answer rests on it: the answer or a later useful step uses what it
found, it is the first to find the box of a thing that is asked about, or it measures one of several things alike that
are then compared. The score depends on the question alone, so it is the same on either side of a pair.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ...samples.vocabulary import OPEN
from .reading import BOX, RESULT_NAME, Posed, tokens
from .words import number_of, singular

_STEP: Final = 0.5
_FINDING_A_BOX: Final = 0.3
_FULL_WORK: Final = 2.0
_MOST_WORK: Final = 4.0
_ABILITY: Final = 0.8
_FURTHER_ABILITY: Final = 0.4
_COMPARISON: Final = 0.5
_GROUNDS: Final = re.compile(r"grounding\w*\s*\(([^)]*)\)", re.IGNORECASE)
_COMPARES: Final = re.compile(
    r"\b(?:than|as \w+ as|differences?|differ|ratios?|averages?|mean|sum|total|altogether|combined|together|order|"
    r"rank\w*|sorted|twice|half as|percent|percentage|share|the (?:most|least)|fewest|closest|nearest|farthest|(?:"
    r"small|larg|bigg|tall|wid|short|high|low|bright|dark|long|clos|near|dri|wett|narrow)est)\b|\d\s*[-+*/<>]\s*\d",
)
_RELATES: Final = re.compile(
    r"\b(?:left of|right of|above|below|between|beside|behind|under|overlaps?|inside|next to|in front of|standing on|"
    r"mounted on|lies? on|rests? on|on top|arranged|facing|nearer|closer|farther|relation|\w+er than|\w+est)\b",
)
_SHOWS: Final = {
    "Grounding": re.compile(r"\bwhere\b|\bbox(?:es)?\b|\bregions?\b|\blocat\w+|" + BOX.pattern),
    "Referencing": re.compile(
        r"\bcolou?rs?\b|\bbright\w*|\bdark\w*|\bwearing\b|\bmaterial\b|\bkind of\b|\btgt_\d", re.IGNORECASE
    ),
    "Calculating": re.compile(
        r"\bhow many\b|\bnumber of\b|\btotal\b|\bsum\b|\bdifferences?\b|\baverage\b|\bcount\w*|\btimes as\b|"
        r"\bpercent\w*|\d\s*[-+*/]\s*\d|\bfewer than\b",
    ),
    "OCR": re.compile(
        r"\btitled?\b|\bnumber\b(?! of)|\breads?\b|\bwritten\b|\btext\b|\bprinted\b|\blabell?ed\b|\bhow much\b|"
        r"\btxt_\d",
    ),
    "Relationship Description": _RELATES,
    "Existence": re.compile(r"\b(?:is|are) there\b|\bmissing\b|\bshown?\b|\bappears?\b"),
}
_ORDER: Final = re.compile(
    r"\s*(?:explain|answer|give|name|state|say|list|describe|count|compare|show|write|tell|put|also)\b", re.I
)
_COUNTS_UP: Final = re.compile(r"\b1(?: \+ 1)+\b")
_MARK: Final = re.compile(r" (?:bar|slice|point|row)$")
_SOFT: Final = ("Context Understanding", "Behavior Prediction", "Knowledge Integration")
_FORMS: Final = {
    OPEN: 0.0,
    "fill_in_the_blank": -0.3,
    "text_detection": 0.1,
    "image_style_classification": -1.0,
    "art_type": -1.0,
    "multi_choice": -0.5,
    "text_image_matching": -0.2,
    "missing_object_selection": -0.5,
    "region_selection": 0.0,
    "coreference_resolution": 0.1,
    "instruction_following": 0.2,
    "object_region_matching": 0.1,
    "depth_order": 0.2,
    "relative_distance": 0.2,
    "completeness_of_response": 0.3,
    "text_translation": 0.3,
    "creative_content_generation": 0.3,
    "rationales_generation": 0.4,
}


@dataclass(frozen=True, slots=True)
class Complexity:
    """What a question takes: the parts of the formula above."""

    useful: tuple[str, ...]
    """The useful steps, each as "manipulation description"."""
    work: float
    abilities: tuple[str, ...]
    extent: float
    compares: bool
    form: str
    asked: tuple[str, ...] = ()
    """The abilities that the wording of the question alone shows."""
    asked_extent: float = 1
    asked_compares: bool = False

    @property
    def steps(self) -> int:
        """How many steps are useful."""
        return len(self.useful)

    @property
    def exact(self) -> float:
        """The score before rounding; at least 1."""
        count = len(self.abilities) - ("Existence" in self.abilities)
        return weighed(count, self.work, self.extent, compares=self.compares, form=self.form)

    @property
    def demand(self) -> float:
        """What the wording alone demands, whatever its solution and form: the score without `work` and `form`."""
        asked = len(self.asked) - ("Existence" in self.asked)
        return weighed(asked, 0.0, self.asked_extent, compares=self.asked_compares, form=OPEN)

    @property
    def score(self) -> int:
        """The score, 1 to 10."""
        return max(1, min(10, math.floor(self.exact + 0.5)))


@lru_cache(4096)
def complexity(question: Posed) -> Complexity:
    """What `question` takes."""
    steps = useful_steps(question)
    work = " ".join([question.question, question.answer, *steps])
    finding = sum(step.lower().startswith("grounding") for step in steps)
    asking = _asking(question.question)
    stem = asking.partition("\n")[0].lower()
    low = asking.lower()
    asked = tuple(ability for ability, pattern in _SHOWS.items() if pattern.search(low))
    compares = bool(_COMPARES.search(stem))
    return Complexity(
        useful=tuple(steps),
        work=work_of(finding, len(steps) - finding),
        abilities=_abilities(question, asked, work.lower()),
        extent=_extent(question, work),
        compares=compares or bool(_COMPARES.search(_COUNTS_UP.sub("", " ".join(steps).lower()))),
        form=question.form,
        asked=asked,
        asked_extent=_extent(question, asking),
        asked_compares=compares,
    )


def _asking(text: str) -> str:
    """A question without what is said behind its question mark, unless that is an order: praise asks for nothing."""
    first, newline, choices = text.partition("\n")
    asked, mark, behind = first.rpartition("?")
    if not mark or _ORDER.match(behind):
        return text
    return f"{asked}{mark}{newline}{choices}"


def work_of(finding: int, other: int) -> float:
    """The part `work` of the formula for so many useful steps that find a box, and others."""
    plain = _FINDING_A_BOX * finding + _STEP * other
    return min(plain, _FULL_WORK + (plain - _FULL_WORK) / 2, _MOST_WORK)


def weighed(abilities: int, work: float, extent: float, *, compares: bool, form: str) -> float:
    """The formula's sum before rounding, for so many abilities (Existence left out) and objects; at least 1."""
    shown = _ABILITY * min(abilities, 2) + _FURTHER_ABILITY * max(abilities - 2, 0)
    reach = 0.5 * math.log2(max(extent, 1))
    return max(1.0, 1 + shown + work + reach + _COMPARISON * compares + _FORMS.get(form, 0.0))


def useful_steps(posed: Posed) -> list[str]:
    """The steps, each as "manipulation description", on which the answer rests; in their order."""
    # What a choice says is nothing known: finding which one holds is the work.
    question, answer = tokens(posed.stem), tokens(posed.answer)
    texts = [f"{manipulation} {description}".strip() for manipulation, description in posed.steps]
    novel = _novelties(question, texts)
    patterns = Counter(_pattern(text, question | answer) for text in texts)
    needed, useful = set(answer), list[str]()
    for index in reversed(range(len(texts))):
        text, own = texts[index], tokens(texts[index])
        new = {token for token in novel[index] if not RESULT_NAME.fullmatch(token)}
        if not useful:
            used = _meets(own, answer) and (bool(new) or _bare(text) not in map(_bare, texts[:index]))
        else:
            alike = patterns[_pattern(text, question | answer)] > 1 and bool(own & (question | answer))
            used = bool(new) and (_meets(novel[index], needed) or _finds_thing(text, question | needed) or alike)
        if used:
            useful.append(text)
            needed |= own
    return useful[::-1]


def _bare(text: str) -> str:
    """A step without its running numbers, by which a repeated one is known."""
    return re.sub(r"[a-z]+_\d+", "", text.lower())


def _novelties(question: frozenset[str], texts: Sequence[str]) -> list[frozenset[str]]:
    """What each step brings that neither the question nor an earlier step held."""
    known, novel = question, list[frozenset[str]]()
    for text in texts:
        novel.append(tokens(text) - known)
        known |= tokens(text)
    return novel


def _meets(found: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether something found is wanted, as a word, or as a number up to its rounding (1%)."""
    have, want = set(found), set(wanted)
    if have & want:
        return True
    values = [float(token) for token in want if token[0].isdigit()]
    return any(abs(float(t) - value) <= 0.01 * abs(value) for t in have if t[0].isdigit() for value in values)


def _finds_thing(text: str, wanted: Iterable[str]) -> bool:
    """Whether a step finds the box of something that is asked about or used later, in full or shortened ("Jan")."""
    match = _GROUNDS.match(text)
    thing = tokens(match.group(1)) if match else frozenset[str]()
    return any(word.startswith(token) for token in thing for word in wanted)


def _pattern(text: str, names: frozenset[str]) -> tuple[str, ...]:
    """A step's wording without numbers and the names asked about: the same for one measurement of two things."""
    words = re.findall(r"[a-z]+", BOX.sub(" ", RESULT_NAME.sub(" ", text.lower())))
    return tuple(word for word in words if singular(word) not in names)


def _abilities(question: Posed, asked: tuple[str, ...], work: str) -> tuple[str, ...]:
    """The abilities that the question or its useful work shows; of the three that no wording shows, one if claimed."""
    claimed = [ability for ability in _SHOWS if ability in question.skills and ability not in asked]
    shown = [*asked, *(ability for ability in claimed if _SHOWS[ability].search(work))]
    soft = next((ability for ability in _SOFT if ability in question.skills), None)
    return (*shown, soft) if soft else tuple(shown)


def _extent(question: Posed, work: str) -> float:
    """How many objects are involved, 1 to 64: distinct boxes cited or objects named; of things counted the root."""
    text = work.lower()
    boxes = len({re.sub(r"\s", "", box) for box in BOX.findall(work)})
    names = {name.lower().strip() for name in question.objects} - {""}
    named = sum(_MARK.sub("", singular(name)) in text for name in names)
    counted = 0
    if "OCR" not in question.skills and re.search(r"\bhow many\b|\bnumber of\b", question.question, re.IGNORECASE):
        counted = max(
            (number for token in tokens(question.answer) if (number := number_of(token)) is not None), default=0
        )
    return min(max(boxes, named, counted**0.5, 1), 64)
