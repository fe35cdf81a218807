"""Questions about where things are."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from .. import geometry
from ..claims.places import Beside, Ordered, Placed
from ..scene import Region, Scene
from ..words import figure, listed
from .draft import Chain, Draft, fineness, in_words, phrasing, sentence

_PAIRS = 21
_GROUPS = 14
_NINTHS = (
    "upper left",
    "upper middle",
    "upper right",
    "middle left",
    "centre",
    "middle right",
    "lower left",
    "lower middle",
    "lower right",
)
_SIDES = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_AXES = {"x": ("from left to right", "width", 0), "y": ("from top to bottom", "height", 1)}


def places(scene: Scene, groups: Sequence[tuple[Region, ...]]) -> Iterator[Draft]:
    """Parts of the image, sides, orders, gaps and halves; `groups` are the regions to combine."""
    for region in scene.regions:
        yield from _place(scene, region)
    for group in groups:
        if len(group) == 2:
            yield from _side(scene, *group)
        if len(group) == 3:
            yield from _gap_choice(scene, *group)
        if len(group) >= 3:
            yield from _order(scene, group, "x")
            yield from _order(scene, group, "y")
        if len(group) >= 4:
            yield from _half(scene, group)


def _place(scene: Scene, region: Region) -> Iterator[Draft]:
    place = geometry.ninth(region.bbox)
    if place is None or region.area > 0.5 or " at [" in region.name:
        return
    rng = phrasing(scene, "place", region.name)
    chain = Chain()
    chain.ground(region)
    x, y = geometry.centre(region.bbox)
    claim = Placed(region.name, place)
    chain.think(
        f"its centre lies at ({figure(x, 3)}, {figure(y, 3)}), which is in the {place} when the image "
        "is cut into three columns and three rows"
    )
    question = rng.choice(
        (
            "If the image is divided into three columns and three rows, in which part is the centre of the {}?",
            "In which part of the image, of nine equal ones, does the centre of the {} lie?",
        )
    ).format(region.name)
    yield Draft(
        "place",
        (region.label,),
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say(rng)),
        place,
        tuple(name for name in _NINTHS if set(name.split()) != set(place.split())),
        fineness=fineness([region]),
    )


def _side(scene: Scene, one: Region, other: Region) -> Iterator[Draft]:
    for side, opposite in (("left", "right"), ("above", "below")):
        clear = None if one.label == other.label else geometry.beside(one.bbox, other.bbox, side)
        if clear is None:
            continue
        rng = phrasing(scene, "side", side, one.name, other.name)
        true, false = (side, opposite) if clear else (opposite, side)
        chain = Chain("Relationship Description")
        chain.ground(one)
        chain.ground(other)
        at = 0 if side == "left" else 1
        first, second = (figure(geometry.centre(r.bbox)[at], 3) for r in (one, other))
        chain.think(
            f"the centre {'x' if at == 0 else 'y'} of the {one.name} is {first} and that of the {other.name} "
            f"is {second}"
        )
        choice = "to the left or to the right of" if side == "left" else "above or below"
        question = rng.choice(("Is the {} {} the {}?", "Comparing their centres, is the {} {} the {}?")).format(
            one.name, choice, other.name
        )
        yield Draft(
            "side",
            (one.label, other.label),
            chain.skills,
            question,
            tuple(chain.steps),
            sentence(Beside(one.name, _SIDES[true], other.name).say(rng)),
            _SIDES[true],
            (_SIDES[false],),
            fineness=fineness([one, other]),
        )


def _ordered(group: Sequence[Region], axis: str) -> list[Region] | None:
    at = _AXES[axis][2]
    if any(_spans(region, at) for region in group) or told_by_name(group):
        return None
    if not geometry.spaced([geometry.centre(region.bbox)[at] for region in group], geometry.CLEAR_STEP):
        return None
    return sorted(group, key=lambda region: geometry.centre(region.bbox)[at])


def told_by_name(group: Sequence[Region]) -> bool:
    """Whether names such as "left cup" and "right cup" give an order away."""
    return len({region.label for region in group}) < len(group)


def _spans(region: Region, at: int) -> bool:
    """Whether a box runs through most of the image along an axis, so that its centre says little."""
    return region.bbox[at + 2] - region.bbox[at] > 0.7


def _order(scene: Scene, group: tuple[Region, ...], axis: str) -> Iterator[Draft]:
    """Orders along an axis, plain and with the gap between the outermost two."""
    order = _ordered(group, axis)
    if order is None or (order == list(group) and len(group) > 3 and axis == "y"):
        return
    direction, extent, at = _AXES[axis]
    rng = phrasing(scene, "order", axis, *(r.name for r in group))
    chain = Chain("Relationship Description")
    for region in group:
        chain.ground(
            region, f", with its centre at {'x' if at == 0 else 'y'} = {figure(geometry.centre(region.bbox)[at], 3)}"
        )
    claim = Ordered(direction, tuple(f"the {region.name}" for region in order))
    chain.think(claim)
    objects = tuple(dict.fromkeys(region.label for region in group))
    names = listed(in_words(group))
    question = rng.choice(
        (
            "In which order do {} come {}, going by the centres of their boxes?",
            "Put {} in order {} by their centres. What is the order?",
        )
    ).format(names, direction)
    short = listed(in_words(order))
    wrong = tuple({listed(in_words(mixed)) for mixed in _shuffled(order)} - {short})
    yield Draft(
        "order",
        objects,
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say(rng)),
        short,
        tuple(sorted(wrong)),
        fineness=fineness(group),
    )
    ends = order[0], order[-1]
    first, last = (figure(geometry.centre(region.bbox)[at], 4) for region in ends)
    share = round(100 * (float(last) - float(first)))
    chain.calculate(
        f"{last} - {first}", float(last) - float(first), f"they are about {share}% of the image {extent} apart"
    )
    question = (
        f"Put {names} in order {direction} by their centres. About what percentage of the image {extent} lies "
        "between the first and the last centre?"
    )
    answer = (
        f"{sentence(claim.say())} About {figure(share, 0)}% of the image {extent} lies between the first and the last."
    )
    if share >= 10:
        yield Draft(
            "order and gap", objects, chain.skills, question, tuple(chain.steps), answer, fineness=fineness(group)
        )


def _shuffled(order: list[Region]) -> list[list[Region]]:
    return [order[::-1], [*order[1:], order[0]], [order[1], order[0], *order[2:]], [*order[:-2], order[-1], order[-2]]]


def _gap_choice(scene: Scene, anchor: Region, one: Region, other: Region) -> Iterator[Draft]:
    """Which of two centres is nearer to a third one, along the axis where that is clear."""
    for axis, (_, extent, at) in _AXES.items():
        gaps = [geometry.distance(anchor.bbox, region.bbox, axis) for region in (one, other)]
        if any(_spans(region, at) for region in (anchor, one, other)):
            continue
        if min(gaps) < 0.03 or abs(gaps[0] - gaps[1]) < geometry.CLEAR_STEP:
            continue
        if told_by_name((one, other)):
            continue
        near, far = (one, other) if gaps[0] < gaps[1] else (other, one)
        way = "horizontally" if axis == "x" else "vertically"
        chain = Chain("Relationship Description")
        for region in (anchor, one, other):
            chain.ground(region)
        middle = figure(geometry.centre(anchor.bbox)[at], 4)
        shown: list[str] = []
        for region in (one, other):
            place = figure(geometry.centre(region.bbox)[at], 4)
            high, low = sorted((middle, place), key=float, reverse=True)
            shown.append(
                chain.calculate(
                    f"{high} - {low}",
                    float(high) - float(low),
                    f"the {region.name} is about {100 * (float(high) - float(low)):.0f}% of the image {extent} away",
                )
            )
        high, low = sorted(shown, key=float, reverse=True)
        share = round(100 * (float(high) - float(low)))
        chain.calculate(f"{high} - {low}", float(high) - float(low), f"the difference is about {share}%")
        question = (
            f"Measured {way} between centres, which is closer to the {anchor.name}: the {one.name} or the "
            f"{other.name}, and by about what percentage of the image {extent}?"
        )
        answer = (
            f"The {near.name} is closer to the {anchor.name} than the {far.name}, by about {share}% "
            f"of the image {extent}."
        )
        yield Draft(
            "gap choice",
            tuple(dict.fromkeys(r.label for r in (anchor, one, other))),
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            f"The {near.name} is closer to the {anchor.name} than the {far.name}",
            (f"The {far.name} is closer to the {anchor.name} than the {near.name}",),
            fineness=fineness([anchor, one, other]),
        )


def _half(scene: Scene, group: tuple[Region, ...]) -> Iterator[Draft]:
    """How many of the things lie in one half, compared with the other half."""
    for axis, first, second in (("x", "left", "right"), ("y", "upper", "lower")):
        sides = [geometry.half(region.bbox, axis) for region in group]
        if any(_spans(region, 0 if axis == "x" else 1) for region in group):
            continue
        if told_by_name(group) or None in sides or len(set(sides)) < 2:
            continue
        chain = Chain()
        for region, side in zip(group, sides, strict=True):
            chain.ground(region, f", so its centre is in the {side} half")
        here, there = sides.count(first), sides.count(second)
        more, fewer = (first, second) if here > there else (second, first)
        big, small = max(here, there), min(here, there)
        if big == small:
            continue
        chain.calculate(f"{big} - {small}", big - small)
        question = (
            f"Take {listed(in_words(group))}. In which half of the image, {first} or {second}, do more "
            "of their centres lie, and how many more?"
        )
        figures = f"{big} against {small}, which is {big - small} more"
        short = f"in the {more} half: {figures}"
        answer = f"More centres lie {short}."
        wrong = f"in the {fewer} half: {figures}"
        yield Draft(
            "halves",
            tuple(dict.fromkeys(r.label for r in group)),
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            short,
            (wrong,),
            fineness=fineness(group),
        )


def nested_pair(group: Sequence[Region]) -> bool:
    """Whether one of the regions holds another, so that comparing their places or sizes would say nothing."""
    return any(geometry.nested(one.bbox, other.bbox) for one, other in combinations(group, 2))


def pairs_and_more(regions: Sequence[Region], most: int = 5) -> list[tuple[Region, ...]]:
    """Groups of two to `most` regions of which none holds another, fewer of the larger ones when there are many."""
    groups: list[tuple[Region, ...]] = []
    for size in range(2, most + 1):
        found = [group for group in combinations(regions, size) if not nested_pair(group)]
        groups += found[:: max(1, -(-len(found) // (_PAIRS if size == 2 else _GROUPS)))]
    return groups
