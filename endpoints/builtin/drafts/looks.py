"""Questions about colours and brightness, of boxed things, of things the caption names, and of parts of the image."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from .. import geometry
from ..claims.looks import Brighter, Coloured, Light, Prevailing, Shaped
from ..claims.places import Beside
from ..colours import NAMES, base_name, compatible
from ..scene import PARTS, Region, Scene
from ..words import capital, listed, number_word, plural
from .draft import Chain, Draft, fineness, in_words, phrasing, sentence
from .places import told_by_name

_QUARTERS = tuple(name for name in PARTS if name.endswith("quarter"))


def looks(scene: Scene, groups: Sequence[tuple[Region, ...]]) -> Iterator[Draft]:
    """Colours of boxed and named things, and of things found through their place; brightness of things."""
    for region in scene.regions:
        yield from _colour(scene, region)
    for noun, colour in scene.facts.colours.items():
        if not scene.with_label(noun) and scene.named(noun) is None and noun not in {"silhouette", "image"}:
            yield _named_colour(scene, noun, colour)
    for group in groups:
        yield from _found_by_place(scene, group)
        yield from _count_by_colour(scene, group)
        if len(group) == 2:
            yield from _brighter(scene, *group)
            yield from _of_two(scene, *group)


def wrong_colours(colour: str) -> tuple[str, ...]:
    """Colour names that exclude `colour`."""
    return tuple(name for name in NAMES if compatible(name, colour) is False)


def _colour(scene: Scene, region: Region) -> Iterator[Draft]:
    colour = scene.colour(region)
    if colour is None or base_name(region.label.split()[0]):
        return
    rng = phrasing(scene, "colour", region.name)
    chain = Chain()
    box = chain.ground(region)
    claim = Coloured(region.name, colour)
    chain.refer(box, claim.say())
    place = geometry.ninth(region.bbox)
    where = f" in the {place} of the image" if place and region.area < 0.3 and region.name == region.label else ""
    question = rng.choice(("What colour is the {}{}?", "Which colour does the {}{} have?")).format(region.name, where)
    yield Draft(
        "colour",
        (region.label,),
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say(rng)),
        colour,
        wrong_colours(colour),
        fineness=fineness([region]) + 0.1,
    )


def _named_colour(scene: Scene, noun: str, colour: str) -> Draft:
    chain = Chain()
    chain.refer(noun, Coloured(noun, colour).say())
    many = not any(word == noun for word in scene.caption.lower().replace(",", " ").replace(".", " ").split())
    question = f"What colour are the {plural(noun)}?" if many else f"What colour is the {noun}?"
    answer = f"The {plural(noun)} are {colour}." if many else f"The {noun} is {colour}."
    return Draft(
        "named colour",
        (noun,),
        chain.skills,
        question,
        tuple(chain.steps),
        answer,
        colour,
        wrong_colours(colour),
        fineness=0.9,
    )


def _found_by_place(scene: Scene, group: tuple[Region, ...]) -> Iterator[Draft]:
    """The colour of the thing that lies furthest to one side."""
    if len(group) not in {3, 4} or told_by_name(group) or any(" at [" in region.name for region in group):
        return
    for at, side, last in ((0, "left", False), (0, "right", True), (1, "top", False), (1, "bottom", True)):
        places = [geometry.centre(region.bbox)[at] for region in group]
        found = group[places.index(max(places) if last else min(places))]
        colour = scene.colour(found)
        if (
            colour is None
            or not geometry.spaced(places, geometry.CLEAR_STEP)
            or base_name(found.label.split()[0])
            or side in found.name
        ):
            continue
        chain = Chain("Relationship Description")
        boxes = {region: chain.ground(region) for region in group}
        chain.think(f"the centre of the {found.name} is the one closest to the {side} edge of the image")
        chain.refer(boxes[found], Coloured(found.name, colour).say())
        question = (
            f"Of {listed(in_words(group))}, find the one whose centre is closest to the {side} edge of "
            "the image. What colour is it?"
        )
        answer = f"It is the {found.name}, and the {found.name} is {colour}."
        yield Draft(
            "found by place",
            tuple(dict.fromkeys(r.label for r in group)),
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            f"the {found.name} is {colour}",
            tuple(f"the {found.name} is {other}" for other in wrong_colours(colour)),
            fineness=fineness([found]),
        )


def _of_two(scene: Scene, one: Region, other: Region) -> Iterator[Draft]:
    """Which of two things lies further to a side, and its colour."""
    if one.label == other.label or any(" at [" in region.name for region in (one, other)):
        return
    for at, side, way in ((0, "left", "further to the left"), (1, "above", "higher up in the image")):
        first = geometry.beside(one.bbox, other.bbox, side)
        if first is None:
            continue
        found, rest = (one, other) if first else (other, one)
        colour = scene.colour(found)
        if colour is None or base_name(found.label.split()[0]):
            continue
        chain = Chain("Relationship Description")
        boxes = {region: chain.ground(region) for region in (one, other)}
        chain.think(Beside(found.name, "to the left of" if at == 0 else "above", rest.name))
        chain.refer(boxes[found], Coloured(found.name, colour).say())
        yield Draft(
            "of two",
            (one.label, other.label),
            chain.skills,
            f"Which is {way}, the {one.name} or the {other.name}, and what colour is it?",
            tuple(chain.steps),
            f"The {found.name} is {way} than the {rest.name}, and the {found.name} is {colour}.",
            colour,
            wrong_colours(colour),
            fineness=fineness([found]),
        )


def _count_by_colour(scene: Scene, group: tuple[Region, ...]) -> Iterator[Draft]:
    """How many of the things share a colour."""
    colours = [scene.colour(region) for region in group]
    if len(group) < 3 or None in colours:
        return
    for colour in dict.fromkeys(colours):
        same = [region for region, one in zip(group, colours, strict=True) if one == colour]
        clear = all(one == colour or (one and colour and compatible(one, colour) is False) for one in colours)
        if (
            not clear
            or not colour
            or not 1 < len(same) < len(group)
            or any(base_name(r.label.split()[0]) for r in group)
        ):
            continue
        chain = Chain("Relationship Description")
        for region in group:
            chain.refer(chain.ground(region), Coloured(region.name, scene.colour(region) or "").say())
        chain.calculate(" + ".join("1" for _ in same), len(same))
        question = f"How many of {listed(in_words(group))} are {colour}, and which ones are they?"
        answer = f"{number_word(len(same)).capitalize()} of them are {colour}: {listed(in_words(same))}."
        yield Draft(
            "count by colour",
            tuple(r.label for r in group),
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            fineness=fineness(group),
        )


def _brighter(scene: Scene, one: Region, other: Region) -> Iterator[Draft]:
    values = {region: scene.brightness(region.bbox, region.image) for region in (one, other)}
    shared = geometry.overlap(one.bbox, other.bbox)
    if min(one.area, other.area) < 0.01 or not scene.natural:
        return
    if (
        abs(values[one] - values[other]) < 0.15
        or shared > 0.05 * min(one.area, other.area)
        or {"chart", "document"} & set(scene.topic)
    ):
        return
    chain = Chain()
    boxes = {region: chain.ground(region) for region in (one, other)}
    for region in (one, other):
        chain.refer(boxes[region], Light(region.name, round(values[region] * 100)).say())
    bright, dark = (one, other) if values[one] > values[other] else (other, one)
    claim = Brighter(bright.name, dark.name)
    question = f"On average, which area is brighter: the box around the {one.name} or the one around the {other.name}?"
    yield Draft(
        "brighter",
        tuple(dict.fromkeys((one.label, other.label))),
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say()),
        claim.say(),
        (Brighter(dark.name, bright.name).say(),),
        fineness=fineness([one, other]),
    )


def parts(scene: Scene) -> Iterator[Draft]:
    """Questions that the pixels alone answer: halves, quarters, prevailing colours, the shape of the image."""
    if not scene.images:
        return
    yield from _halves(scene)
    yield from _quarters(scene)
    for part in PARTS:
        yield from _prevailing(scene, part)
    yield from _shape(scene)


def _percent(scene: Scene, part: str) -> int:
    return round(scene.brightness(PARTS[part]) * 100)


def _halves(scene: Scene) -> Iterator[Draft]:
    for one, other in combinations(PARTS, 2):
        low, high = sorted((one, other), key=lambda part: _percent(scene, part))
        related = one.split()[-1] == other.split()[-1] == "half" and {one.split()[0], other.split()[0]} in (
            {"left", "right"},
            {"upper", "lower"},
        )
        if not (related or {one, other} <= set(_QUARTERS)) or _percent(scene, high) - _percent(scene, low) < 8:
            continue
        chain = Chain()
        for part in (one, other):
            chain.refer(part, Light(part, _percent(scene, part)).say())
        claim = Brighter(high, low)
        objects = (one, other)
        question = f"Which is brighter on average, the {one} or the {other} of the image?"
        yield Draft(
            "halves by light",
            objects,
            chain.skills,
            question,
            tuple(chain.steps),
            sentence(claim.say()),
            claim.say(),
            (Brighter(low, high).say(),),
            fineness=0.4,
        )
        yield from _nested(scene, high, low, chain)


def _nested(scene: Scene, half: str, other: str, chain: Chain) -> Iterator[Draft]:
    """The brighter quarter within the brighter half."""
    if not half.endswith("half"):
        return
    side = half.split(" ", maxsplit=1)[0]
    inner = [part for part in _QUARTERS if side in part.split(" ")[0].split("-")]
    low, high = sorted(inner, key=lambda part: _percent(scene, part))
    if _percent(scene, high) - _percent(scene, low) < 8:
        return
    for part in inner:
        chain.refer(part, Light(part, _percent(scene, part)).say())
    sides = "left or right" if side in {"upper", "lower"} else "upper or lower"
    question = (
        f"Which is brighter on average, the {half if half < other else other} or the {other if half < other else half} "
        f"of the image, and which quarter of that brighter half, {sides}, is the brighter one?"
    )
    answer = f"{sentence(Brighter(half, other).say())} Within the {half}, the {high} is the brighter one."
    wrong = tuple(part for part in _QUARTERS if part != high)
    yield Draft(
        "nested light", (half, other), chain.skills, question, tuple(chain.steps), answer, high, wrong, fineness=0.5
    )


def _quarters(scene: Scene) -> Iterator[Draft]:
    order = sorted(_QUARTERS, key=lambda part: _percent(scene, part))
    values = [_percent(scene, part) for part in order]
    if values[1] - values[0] < 3 or values[3] - values[2] < 3:
        return
    chain = Chain()
    for part in _QUARTERS:
        chain.refer(part, Light(part, _percent(scene, part)).say())
    dark = order[0]
    question = "When the image is cut into four equal quarters, which one is the darkest on average?"
    answer = f"The {dark} is the darkest on average."
    yield Draft(
        "darkest quarter",
        _QUARTERS,
        chain.skills,
        question,
        tuple(chain.steps),
        answer,
        dark,
        tuple(order[1:]),
        fineness=0.5,
    )
    if values[2] - values[1] < 3:
        return
    chain.think(f"from the darkest to the brightest, the order is {listed([f'the {part}' for part in order])}")
    question = (
        "Cut the image into four equal quarters and order them from the darkest to the brightest on "
        "average. What is the order?"
    )
    answer = f"From the darkest to the brightest: {listed([f'the {part}' for part in order])}."
    yield Draft("quarters", _QUARTERS, chain.skills, question, tuple(chain.steps), answer, fineness=0.5)


def _prevailing(scene: Scene, part: str) -> Iterator[Draft]:
    colour = scene.part_colour(part)
    if colour is None or {"chart", "document"} & set(scene.topic):
        return
    chain = Chain()
    claim = Prevailing(part, colour)
    chain.refer(part, claim.say())
    question = f"Which colour covers most of the {part} of the image?"
    yield Draft(
        "prevailing",
        (part,),
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say()),
        colour,
        wrong_colours(colour),
        fineness=0.3,
    )


def _shape(scene: Scene) -> Iterator[Draft]:
    if not scene.sizes or scene.sizes[0][0] == scene.sizes[0][1]:
        return
    width, height = scene.sizes[0]
    shape, other = (
        ("wider than it is tall", "taller than it is wide")
        if width > height
        else ("taller than it is wide", "wider than it is tall")
    )
    big, small = max(width, height), min(width, height)
    if big / small < 1.15:
        return
    chain = Chain()
    ratio = chain.calculate(f"{big} / {small}", big / small, places=2)
    sides = ("wide", "tall") if width > height else ("tall", "wide")
    question = (
        f"Is the image wider than it is tall or the other way round, and how many times as {sides[0]} "
        f"as {sides[1]} is it?"
    )
    answer = f"{capital(Shaped(shape).say())}: about {ratio} times as {sides[0]} as {sides[1]}."
    yield Draft("shape", ("image",), chain.skills, question, tuple(chain.steps), answer, shape, (other,), fineness=0.1)
