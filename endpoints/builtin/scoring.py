"""How complex a question is, 1 to 10, from what solving it really takes. Never from its length, style or praise.

    score = 1 + abilities + 0.65 * useful steps + extent + comparison + form, rounded and kept within 1 and 10

`abilities`: 1 for each of the first two abilities that the question shows, 0.4 for each further one; Existence, a
single glance, adds nothing.
`useful steps`: steps that find something new which the answer, or a later useful step, uses; the ninth and further ones
add nothing.
`extent`: half the binary logarithm of the number of objects involved (boxes, objects named, or things counted).
`comparison`: 0.8 when the solution compares or reckons. `form`: what the task form itself asks on top, 0 to 0.8.

The score depends on the question alone, so it is the same on either side of a pair.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...samples.vocabulary import OPEN, normalise_form, normalise_skill
from .words import number_of, singular

_MOST_STEPS: Final = 8
_BOX: Final = re.compile(r"\[\s*\d*\.?\d+(?:\s*,\s*\d*\.?\d+){3}\s*\]")
_TOKEN: Final = re.compile(r"[a-z]+_\d+|\d+(?:\.\d+)?|[a-z]+(?:-[a-z]+)?")
_NAME: Final = re.compile(r"[a-z]+_\d+")
_WORDS: Final = """
the and are was were has have had for from with that this these those there then thus therefore its their what
which who how does did not now can let see look looking find question answer step image picture because since
while into onto also very most more than both each all any one only own
"""
_IDLE: Final = frozenset(_WORDS.split())
_COMPARES: Final = re.compile(
    r"\b(?:than|as \w+ as|differences?|differ|ratios?|averages?|mean|sum|total|altogether|combined|together|order|"
    r"rank\w*|sorted|twice|half as|percent|percentage|share|the (?:most|least)|fewest|closest|nearest|farthest|(?:"
    r"small|larg|bigg|tall|wid|short|high|low|bright|dark|long|clos|near|dri|wett|narrow)est)\b|\d\s*[-+*/<>]\s*\d",
    re.IGNORECASE,
)
_RELATES: Final = re.compile(
    r"\b(?:left of|right of|above|below|between|beside|behind|under|overlaps?|inside|next to|in front of|standing on|"
    r"mounted on|lies? on|rests? on|on top|arranged|facing|nearer|closer|farther|relation|\w+er than|\w+est)\b",
    re.IGNORECASE,
)
_SHOWS: Final = {
    "Grounding": re.compile(r"\bwhere\b|\bbox(?:es)?\b|\bregions?\b|\blocat\w+|" + _BOX.pattern, re.IGNORECASE),
    "Referencing": re.compile(
        r"\bcolou?rs?\b|\bbright\w*|\bdark\w*|\bwearing\b|\bmaterial\b|\bkind of\b|\btgt_\d", re.IGNORECASE
    ),
    "Calculating": re.compile(
        r"\bhow many\b|\bnumber of\b|\btotal\b|\bsum\b|\bdifferences?\b|\baverage\b|\bcount\w*|\btimes as\b|"
        r"\bpercent\w*|\d\s*[-+*/]\s*\d|\bfewer than\b",
        re.IGNORECASE,
    ),
    "OCR": re.compile(
        r"\btitled?\b|\bnumber\b(?! of)|\breads?\b|\bwritten\b|\btext\b|\bprinted\b|\blabell?ed\b|\bhow much\b|"
        r"\btxt_\d",
        re.IGNORECASE,
    ),
    "Relationship Description": _RELATES,
    "Existence": re.compile(r"\b(?:is|are) there\b|\bmissing\b|\bshown?\b|\bappears?\b", re.IGNORECASE),
}
_SOFT: Final = ("Context Understanding", "Behavior Prediction", "Knowledge Integration")
_FORMS: Final = {
    OPEN: 0.0,
    "fill_in_the_blank": 0.3,
    "text_detection": 0.3,
    "image_style_classification": 0.2,
    "art_type": 0.2,
    "multi_choice": 0.4,
    "text_image_matching": 0.5,
    "missing_object_selection": 0.5,
    "region_selection": 0.5,
    "coreference_resolution": 0.5,
    "instruction_following": 0.6,
    "object_region_matching": 0.6,
    "depth_order": 0.6,
    "relative_distance": 0.6,
    "completeness_of_response": 0.6,
    "text_translation": 0.6,
    "creative_content_generation": 0.6,
    "rationales_generation": 0.8,
}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Complexity:
    """What a question takes: the parts of the formula above."""

    steps: int
    abilities: tuple[str, ...]
    extent: int
    compares: bool
    form: str

    @property
    def exact(self) -> float:
        """The score before rounding; at least 1."""
        count = len(self.abilities) - ("Existence" in self.abilities)
        abilities = min(count, 2) + 0.4 * max(count - 2, 0)
        extent = 0.5 * math.log2(max(self.extent, 1))
        steps = 0.65 * min(self.steps, _MOST_STEPS)
        return 1 + abilities + steps + extent + 0.8 * self.compares + _FORMS.get(self.form, 0.0)

    @property
    def score(self) -> int:
        """The score, 1 to 10."""
        return max(1, min(10, math.floor(self.exact + 0.5)))


def complexity(row: Row) -> Complexity:
    """What the question in `row` (its plain JSON) takes."""
    question, answer = str(row.get("question", "")), str(row.get("answer", ""))
    steps = useful_steps(row)
    work = " ".join([question, answer, *steps])
    return Complexity(
        steps=len(steps),
        abilities=_abilities(row, question, work),
        extent=_extent(row, question, answer, work),
        compares=bool(_COMPARES.search(" ".join([question.partition("\n")[0], *steps]))),
        form=normalise_form(str(row.get("form", ""))) or OPEN,
    )


def useful_steps(row: Row) -> list[str]:
    """The steps, as text, that find something new which the answer or a later useful step uses; in their order."""
    texts = [_step_text(step) for step in row.get("steps") or ()]
    known = _tokens(str(row.get("question", "")))
    novel: list[frozenset[str]] = []
    for text in texts:
        found = _tokens(text)
        novel.append(frozenset(found - known))
        known = known | found
    answer = _tokens(str(row.get("answer", "")))
    needed, useful = set(answer), list[str]()
    for text, new in zip(reversed(texts), reversed(novel), strict=True):
        finds = any(not _NAME.fullmatch(token) for token in new)
        concludes = not useful and bool(_tokens(text) & answer)
        if finds and (concludes or new & needed):
            useful.append(text)
            needed |= _tokens(text)
    return useful[::-1]


def _step_text(step: Any) -> str:
    if not isinstance(step, Mapping):
        return ""
    return f"{step.get('manipulation') or ''} {step.get('description') or ''}"


def _tokens(text: str) -> frozenset[str]:
    """The words, numbers and result names that carry content; number words as figures, nouns in the singular."""
    return frozenset(_tokens_of(text))


def _tokens_of(text: str) -> set[str]:
    tokens: set[str] = set()
    for token in _TOKEN.findall(text.lower()):
        number = number_of(token)
        if number is not None:
            tokens.add(str(number))
        elif token[0].isdigit():
            tokens.add(f"{float(token):g}")
        elif len(token) > 2 and token not in _IDLE:
            tokens.add(singular(token))
    return tokens


def _abilities(row: Row, question: str, work: str) -> tuple[str, ...]:
    """The abilities that the question or its useful work shows; of the three that no wording shows, one if claimed."""
    claimed = {normalise_skill(str(skill)) for skill in row.get("skills") or ()}
    shown = [ability for ability, pattern in _SHOWS.items() if pattern.search(question)]
    shown += [a for a, pattern in _SHOWS.items() if a in claimed and a not in shown and pattern.search(work)]
    soft = next((ability for ability in _SOFT if ability in claimed), None)
    return (*shown, soft) if soft else tuple(shown)


def _extent(row: Row, question: str, answer: str, work: str) -> int:
    """How many objects are involved, 1 to 64: distinct boxes cited, objects named in the work, or things counted."""
    text = work.lower()
    boxes = len({re.sub(r"\s", "", box) for box in _BOX.findall(work)})
    names = {str(name).lower().strip() for name in row.get("objects") or ()} - {""}
    named = sum(singular(name) in text for name in names)
    counted, read = 0, "OCR" in {normalise_skill(str(skill)) for skill in row.get("skills") or ()}
    if not read and re.search(r"\bhow many\b|\bnumber of\b", question, re.IGNORECASE):
        counted = max((number for token in _tokens(answer) if (number := number_of(token)) is not None), default=0)
    return min(max(boxes, named, counted, 1), 64)
