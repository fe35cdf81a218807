"""Whether an evolved question gained what its direction aims at: the judge's `improved`."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ...samples.vocabulary import FORMS
from . import geometry
from .reading import BOX, Posed, tokens
from .scene import Region, Scene
from .scoring import Complexity
from .words import plural

_COPY: Final = 0.9
_NO_EASIER: Final = 0.5
"""How far a form may fall below its parent's exact score and still count as no easier: less than one point."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and the one evolved from it, with what each takes; `others` are the sample's further questions."""

    direction: str
    parent: Posed
    evolved: Posed
    others: tuple[Posed, ...]
    before: Complexity
    after: Complexity


def shortfall(scene: Scene, pair: Pair) -> str | None:
    """Why the evolved question did not gain what its direction aims at, or None when it did."""
    if any(_copies(pair.evolved, known) for known in (pair.parent, *pair.others)):
        return "it asks again what is asked already"
    match pair.direction:
        case "reasoning":
            return _deeper(pair.before, pair.after)
        case "perception":
            return _finer(scene, pair)
        case "interaction":
            return _other_form(pair.before, pair.after)
    return None if pair.after.exact >= pair.before.exact - _NO_EASIER else "it is easier than its parent"


def _copies(evolved: Posed, known: Posed) -> bool:
    """Whether both ask the same; another form of the same question is a copy only when its wording is the same too."""
    one, other = _words(evolved.question), _words(known.question)
    if one == other:
        return True
    if evolved.form != known.form or evolved.choices:
        return False
    # Numbers and boxes tell two questions of one wording apart.
    if sorted(BOX.findall(evolved.question)) != sorted(BOX.findall(known.question)):
        return False
    shared = sum((one & other).values())
    return shared >= _COPY * max(one.total(), other.total(), 1) and tokens(evolved.question) == tokens(known.question)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[a-z]+|\d+(?:\.\d+)?", text.lower()))


def _deeper(before: Complexity, after: Complexity) -> str | None:
    if after.steps > before.steps or set(after.abilities) - set(before.abilities):
        return None
    return f"it takes no more useful steps ({after.steps} after {before.steps}) and no further ability"


def _other_form(before: Complexity, after: Complexity) -> str | None:
    if after.form == before.form:
        return f"its form is still {after.form}"
    if after.form not in FORMS:
        return "its form is none of the task forms"
    return None if after.exact >= before.exact - _NO_EASIER else "the new form is easier"


def _finer(scene: Scene, pair: Pair) -> str | None:
    """Finer: a thing that no question touched, a rarer or smaller one, or words for a detail that no question had."""
    parent, evolved = pair.parent, pair.evolved
    asked = " ".join(other.question + " " + other.answer for other in (parent, *pair.others))
    mine, theirs = _touched(scene, evolved), _touched(scene, parent)
    if any(region not in _touched_by_text(scene, asked) for region in mine):
        return None
    if mine and (not theirs or _rarity(scene, mine) > _rarity(scene, theirs)):
        return None
    fresh = tokens(f"{evolved.question} {' '.join(pair.after.useful)}") - tokens(f"{asked} {parent.work}")
    return None if len(fresh) >= 2 else "it looks at nothing rarer and nothing finer than the questions before"


def _touched(scene: Scene, question: Posed) -> list[Region]:
    return _touched_by_text(scene, question.question + " " + question.work + " " + " ".join(question.objects))


def _touched_by_text(scene: Scene, text: str) -> list[Region]:
    """The regions that a text cites by box or calls by their own name or sole label."""
    found = {region for literal in BOX.findall(text) if (region := scene.boxed_as(_numbers(literal)))}
    low = text.lower()
    for region in scene.regions:
        called = {region.name.lower(), region.label.lower(), plural(region.label.lower())}
        if any(re.search(rf"\b{re.escape(name)}\b", low) for name in called):
            found.add(region)
    return sorted(found, key=lambda region: region.index)


def _numbers(literal: str) -> geometry.BBox:
    x1, y1, x2, y2 = (float(part) for part in literal.strip("[] ").split(","))
    return x1, y1, x2, y2


def _rarity(scene: Scene, regions: list[Region]) -> float:
    """The rarest thing's score: few boxes of its label and a small area count."""
    return max(1 / len(scene.with_label(region.label)) + (1 - region.area) for region in regions)
