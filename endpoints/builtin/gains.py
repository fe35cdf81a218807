"""Whether an evolved question gained what its direction aims at: the judge's `improved`."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from ...samples.vocabulary import FORMS
from . import geometry
from .claims.looks import Brighter, Larger, Times
from .claims.places import Apart, Beside, Ordered
from .reading import BOX, Posed, claims_in, tokens
from .scene import Region, Scene
from .scoring import Complexity
from .words import plural, whole

_COPY: Final = 0.9
_MORE: Final = 0.3
"""By how much, in points before rounding, an evolved question must take more to count as harder."""
_RICHER: Final = 0.35
"""By how much the wording alone must demand more to count as a finer question about the same things."""
_RICHER_OF_RARER: Final = 0.2
"""The same about a smaller or rarer thing that no question touched."""
_SMALLER: Final = 0.6
"""The share of the parent's smallest thing below which another one counts as clearly smaller."""
_COMPARED: Final = (Larger, Times, Brighter, Beside, Apart, Ordered)


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
    if nested := _with_its_own_part(scene, pair.evolved):
        return f"it compares the {nested[1]} with the {nested[0]}, which holds it"
    match pair.direction:
        case "reasoning":
            return _deeper(pair.before, pair.after)
        case "perception":
            return _finer(scene, pair)
        case "interaction":
            return _other_form(pair.before, pair.after)
    return None if pair.after.exact >= pair.before.exact + _MORE else "it is no harder than its parent"


def _with_its_own_part(scene: Scene, evolved: Posed) -> tuple[str, str] | None:
    """A thing and another inside its box whose size, light, place or order the solution compares."""
    for claim in (claim for text in (*(t for _, t in evolved.steps), evolved.answer) for claim in claims_in(text)):
        if isinstance(claim, _COMPARED):
            named = claim.names if isinstance(claim, Ordered) else (claim.one, claim.other)
            regions = [region for name in named if (region := scene.named(name))]
            for one, other in combinations(regions, 2):
                if geometry.nested(one.bbox, other.bbox):
                    outer, inner = sorted((one, other), key=lambda region: -region.area)
                    return outer.name, inner.name
    return None


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
    if after.exact < before.exact + _MORE:
        return f"it is no harder ({after.exact:.1f} after {before.exact:.1f})"
    if after.steps > before.steps or set(after.abilities) - set(before.abilities):
        return None
    return f"it takes no more useful steps ({after.steps} after {before.steps}) and no further ability"


def _other_form(before: Complexity, after: Complexity) -> str | None:
    if after.form == before.form:
        return f"its form is still {after.form}"
    if after.form not in FORMS:
        return "its form is none of the task forms"
    return None if after.exact >= before.exact + _MORE else "in its new form it asks for no more than before"


def _finer(scene: Scene, pair: Pair) -> str | None:
    """Finer, and no easier: about a smaller or rarer thing that no question touched, or demanding more by its words."""
    parent, evolved = pair.parent, pair.evolved
    if pair.after.exact < pair.before.exact:
        return f"it is easier than its parent ({pair.after.exact:.1f} after {pair.before.exact:.1f})"
    asked = " ".join(other.question + " " + other.answer for other in (parent, *pair.others))
    known, theirs = _touched_by_text(scene, asked), _touched(scene, parent)
    fresh = [region for region in _touched(scene, evolved) if region not in known]
    rarer = fresh and (not theirs or _rarer(scene, fresh, theirs))
    # One detail for another of the same kind is no gain, however small the second: the wording must ask for more.
    if pair.after.demand >= pair.before.demand + (_RICHER_OF_RARER if rarer else _RICHER):
        return None
    return "it looks at nothing rarer and for nothing finer than its parent"


def _rarer(scene: Scene, fresh: list[Region], theirs: list[Region]) -> bool:
    """Whether one of the new regions is clearly smaller than all of the parent's, or its label has fewer boxes."""
    small, few = min(r.area for r in theirs), min(len(scene.with_label(r.label)) for r in theirs)
    return any(r.area <= _SMALLER * small or len(scene.with_label(r.label)) < few for r in fresh)


def _touched(scene: Scene, question: Posed) -> list[Region]:
    return _touched_by_text(scene, question.question + " " + question.work + " " + " ".join(question.objects))


def _touched_by_text(scene: Scene, text: str) -> list[Region]:
    """The regions that a text cites by box or calls by their own name or sole label."""
    found = {region for literal in BOX.findall(text) if (region := scene.boxed_as(_numbers(literal)))}
    low = text.lower()
    for region in scene.regions:
        called = {region.name.lower(), region.label.lower(), plural(region.label.lower())}
        if any(name in low and whole(name).search(low) for name in called):
            found.add(region)
    return sorted(found, key=lambda region: region.index)


def _numbers(literal: str) -> geometry.BBox:
    x1, y1, x2, y2 = (float(part) for part in literal.strip("[] ").split(","))
    return x1, y1, x2, y2
