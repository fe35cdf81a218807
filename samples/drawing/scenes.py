"""Scenes: several things in a place, none in front of another."""

from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from .backdrops import PLACES, Place, Zone
from .figures import FIGURES, Figure
from .palette import tone
from .picture import Drawing, Pen, PixelBox, stamp
from .telling import Seen, told

_SIZES: Final = ((480, 360), (512, 384), (560, 400), (600, 400), (640, 420), (400, 400), (384, 480), (420, 560))
_MARGIN: Final = 9
"""Pixels that stay free around every thing."""
_TRIES: Final = 40
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class _Wanted:
    figure: Figure
    zone: Zone
    colour: str
    height: float
    """Pixels."""


def scene(rng: Random) -> Drawing:
    """A scene of 3 to 9 things."""
    place = rng.choice(PLACES)
    while (drawn := _drawn(rng, place)) is None:
        pass
    return drawn


def _drawn(rng: Random, place: Place) -> Drawing | None:
    """One try; None when too few things found a free spot."""
    width, height = rng.choice(_SIZES)
    canvas = place.paint(rng, width, height)
    seen: list[Seen] = []
    taken: list[PixelBox] = []
    for wanted in _wanted(rng, place, height):
        spot = _spot(rng, wanted, canvas.size, taken)
        if spot is not None:
            box = _place(rng, canvas, wanted, spot)
            taken.append(box)
            seen.append(Seen(wanted.figure, wanted.colour, box))
    if len(seen) < _FEWEST:
        return None
    caption, facts = told(rng, place, seen, canvas.size)
    boxes = tuple((one.figure.name, one.box) for one in seen)
    return Drawing(canvas, boxes, caption, place.topic, facts, photographic=True)


def _wanted(rng: Random, place: Place, height: int) -> list[_Wanted]:
    """What the scene shall hold, the largest first: a few kinds, some of them several times."""
    kinds = [(name, zone) for zone in place.zones for name in zone.names]
    typical = rng.choice(place.zones[0].names)
    others = [(name, zone) for name, zone in kinds if name != typical]
    chosen = {typical: place.zones[0]} | dict(rng.sample(others, min(len(others), rng.randint(2, 4))))
    total = rng.randint(max(4, len(chosen)), 9)
    counts = dict.fromkeys(chosen, 1)
    while sum(counts.values()) < total:
        counts[rng.choice([name for name in chosen if name not in {"sun", "moon"}])] += 1
    found: list[_Wanted] = []
    for name, count in counts.items():
        figure = FIGURES[name]
        free = [colour for colour in figure.colours if colour not in place.taken] or list(figure.colours)
        shared = rng.choice(free) if rng.random() < 0.5 else None
        size = place.scale * figure.size * height * (0.86 if total > 6 else 1.05)
        found += [
            _Wanted(figure, chosen[name], shared or rng.choice(free), size * rng.uniform(0.8, 1.25))
            for _ in range(count)
        ]
    return sorted(found, key=lambda one: -one.height * one.height * one.figure.aspect)


def _spot(rng: Random, wanted: _Wanted, size: tuple[int, int], taken: list[PixelBox]) -> PixelBox | None:
    """A free rectangle for a thing, or None when none was found."""
    (width, height), zone = size, wanted.zone
    tall = wanted.height
    for attempt in range(_TRIES):
        if attempt == _TRIES // 2:
            tall *= 0.75
        wide = tall * wanted.figure.aspect
        if zone.levels:
            bottom = rng.choice(zone.levels) * height
        else:
            low = zone.top * height + tall
            bottom = rng.uniform(low, max(low, zone.bottom * height))
        left = rng.uniform(_MARGIN, max(width - wide - _MARGIN, _MARGIN))
        box = (left, bottom - tall, left + wide, bottom)
        if (
            box[1] >= 3
            and box[2] <= width - 3
            and bottom <= height - 3
            and not any(_near(box, other) for other in taken)
        ):
            return box
    return None


def _near(one: PixelBox, other: PixelBox) -> bool:
    return (
        one[0] < other[2] + _MARGIN
        and other[0] < one[2] + _MARGIN
        and one[1] < other[3] + _MARGIN
        and other[1] < one[3] + _MARGIN
    )


def _place(rng: Random, canvas: Image.Image, wanted: _Wanted, spot: PixelBox) -> PixelBox:
    left, top, right, bottom = spot
    if wanted.zone.levels:
        _shadow(canvas, left, right, bottom)
    colour = tone(rng, wanted.colour)
    pen = Pen(right - left, bottom - top, colour)
    wanted.figure.draw(pen, colour, rng)
    return stamp(canvas, pen.finished(), round(left), round(top))


def _shadow(canvas: Image.Image, left: float, right: float, bottom: float) -> None:
    """A soft dark ellipse under a standing thing."""
    wide, high = right - left, max((right - left) * 0.09, 4)
    layer = Image.new("L", (round(wide * 1.1), round(high * 2)))
    ImageDraw.Draw(layer).ellipse((0, 0, layer.width - 1, layer.height - 1), fill=46)
    canvas.paste((0, 0, 0), (round(left - wide * 0.05), round(bottom - high * 1.3)), layer)
