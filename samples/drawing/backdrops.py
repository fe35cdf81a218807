"""Where scenes take place: how each place is painted, what may be in it and where things stand."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from .palette import RGB, mixed, shade

_SKY: Final[RGB] = (150, 200, 240)
_LOW_SKY: Final[RGB] = (222, 238, 250)


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of a place. `levels` are the heights (fractions of the image) on which things stand; none: they float."""

    names: tuple[str, ...]
    top: float = 0.0
    bottom: float = 1.0
    levels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of scene. `told` completes "The picture shows ..."; `taken` are the colours of its background."""

    told: tuple[str, ...]
    topic: str
    taken: frozenset[str]
    zones: tuple[Zone, ...]
    paint: Callable[[Random, int, int], Image.Image]
    scale: float = 0.21
    """Usual height of a thing as a fraction of the image's height."""


def gradient(width: int, height: int, top: RGB, bottom: RGB) -> Image.Image:
    """A vertical blend of two colours."""
    share = np.linspace(0, 1, height)[:, None, None]
    rows = (np.array(top) * (1 - share) + np.array(bottom) * share).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3))))


def _band(canvas: Image.Image, start: float, top: RGB, bottom: RGB) -> None:
    """Paint everything below `start` (a fraction of the height)."""
    y = round(start * canvas.height)
    canvas.paste(gradient(canvas.width, canvas.height - y, top, bottom), (0, y))


def _hills(rng: Random, canvas: Image.Image, base: float, colour: RGB) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    for number in range(rng.randint(2, 4)):
        half = width * rng.uniform(0.22, 0.45)
        middle, rise = width * rng.random(), height * rng.uniform(0.06, 0.16)
        box = (middle - half, base * height - rise, middle + half, base * height + rise)
        draw.ellipse(box, fill=shade(colour, 1 + 0.12 * number))


def _meadow(rng: Random, width: int, height: int) -> Image.Image:
    canvas = gradient(width, height, rng.choice([_SKY, (132, 188, 236), (178, 214, 240)]), _LOW_SKY)
    if rng.random() < 0.6:
        _hills(rng, canvas, 0.56, (150, 190, 130))
    grass = rng.choice([(164, 206, 120), (150, 200, 112), (182, 212, 128)])
    _band(canvas, 0.54, grass, shade(grass, 0.84))
    draw = ImageDraw.Draw(canvas)
    for _ in range(40):
        x, y = rng.random() * width, height * rng.uniform(0.58, 1)
        draw.line((x, y, x + rng.uniform(-3, 3), y - 5), fill=shade(grass, 0.76), width=1)
    return canvas


def _street(rng: Random, width: int, height: int) -> Image.Image:
    canvas = gradient(width, height, rng.choice([(196, 214, 228), (240, 218, 196), (188, 208, 232)]), (246, 240, 232))
    draw = ImageDraw.Draw(canvas)
    x = -10.0
    wall: RGB = (206, 200, 196)
    while x < width:
        wide, tall = rng.uniform(40, 90), height * rng.uniform(0.16, 0.34)
        draw.rectangle((x, 0.5 * height - tall, x + wide, 0.55 * height), fill=shade(wall, rng.uniform(0.92, 1.2)))
        x += wide + rng.uniform(0, 14)
    _band(canvas, 0.52, (198, 194, 186), (188, 184, 178))
    _band(canvas, 0.7, (126, 128, 134), (112, 114, 120))
    for left in range(-10, width, 70):
        draw.rectangle((left, height * 0.84, left + 34, height * 0.84 + 4), fill=(226, 224, 214))
    return canvas


def _sea(rng: Random, width: int, height: int) -> Image.Image:
    canvas = gradient(width, height, rng.choice([_SKY, (250, 214, 170), (190, 216, 240)]), (250, 244, 232))
    water = rng.choice([(96, 170, 214), (84, 158, 204), (112, 184, 220)])
    _band(canvas, 0.42, shade(water, 1.2), shade(water, 0.82))
    draw = ImageDraw.Draw(canvas)
    for _ in range(36):
        x, y, long = rng.random() * width, height * rng.uniform(0.46, 1), rng.uniform(8, 26)
        draw.arc((x, y, x + long, y + 6), 200, 340, fill=shade(water, 1.35), width=1)
    return canvas


def _depths(rng: Random, width: int, height: int) -> Image.Image:
    water = rng.choice([(120, 190, 226), (104, 176, 220), (134, 196, 232)])
    canvas = gradient(width, height, shade(water, 1.3), shade(water, 0.8))
    _band(canvas, 0.86, (226, 208, 160), (206, 184, 132))
    draw = ImageDraw.Draw(canvas)
    for _ in range(9):
        x, y, size = rng.random() * width, height * rng.uniform(0.05, 0.8), rng.uniform(2, 6)
        draw.ellipse((x, y, x + size, y + size), outline=(238, 248, 252))
    return canvas


def _night(rng: Random, width: int, height: int) -> Image.Image:
    canvas = gradient(width, height, rng.choice([(18, 20, 46), (26, 18, 50), (12, 26, 50)]), (52, 54, 92))
    draw = ImageDraw.Draw(canvas)
    for _ in range(60):
        x, y = rng.random() * width, height * 0.66 * rng.random()
        draw.point((x, y), fill=(214, 214, 236))
    _band(canvas, 0.72, (46, 52, 56), (30, 34, 38))
    return canvas


def _wall(rng: Random, canvas: Image.Image, colour: RGB, bottom: float) -> None:
    """Wallpaper: plain, striped, dotted or panelled."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.width, round(canvas.height * bottom)
    draw.rectangle((0, 0, width, height), fill=colour)
    other, kind = shade(colour, 0.95), rng.randrange(4)
    if kind == 1:
        for x in range(0, width, 40):
            draw.rectangle((x, 0, x + 19, height), fill=other)
    elif kind == 2:
        for y in range(12, height, 26):
            for x in range(12 + y % 4 * 6, width, 30):
                draw.ellipse((x, y, x + 5, y + 5), fill=other)
    elif kind == 3:
        for y in range(0, height, 34):
            draw.line((0, y, width, y), fill=other, width=2)


_WALLS: Final[tuple[RGB, ...]] = ((236, 226, 208), (222, 230, 232), (240, 228, 226), (228, 234, 216), (244, 238, 214))


def _table(rng: Random, width: int, height: int) -> Image.Image:
    canvas = Image.new("RGB", (width, height))
    _wall(rng, canvas, rng.choice(_WALLS), 0.5)
    wood = rng.choice([(214, 180, 136), (196, 158, 116), (226, 200, 160), (206, 190, 176)])
    _band(canvas, 0.48, shade(wood, 1.1), wood)
    draw = ImageDraw.Draw(canvas)
    for _ in range(12):
        y = height * rng.uniform(0.52, 0.99)
        x = width * rng.uniform(-0.2, 0.7)
        draw.line((x, y, x + width * rng.uniform(0.2, 0.5), y), fill=shade(wood, 0.93), width=1)
    return canvas


def _shelf(rng: Random, width: int, height: int) -> Image.Image:
    canvas = Image.new("RGB", (width, height))
    _wall(rng, canvas, rng.choice(_WALLS), 1)
    draw = ImageDraw.Draw(canvas)
    board = rng.choice([(176, 136, 96), (206, 196, 186), (150, 112, 80)])
    for level in (0.46, 0.9):
        y = level * height
        draw.rectangle((width * 0.03, y, width * 0.97, y + 9), fill=board)
        draw.rectangle((width * 0.03, y + 9, width * 0.97, y + 12), fill=shade(board, 0.7))
    return canvas


def _floor(rng: Random, width: int, height: int) -> Image.Image:
    canvas = Image.new("RGB", (width, height))
    _wall(rng, canvas, rng.choice(_WALLS), 0.45)
    rug = rng.choice([(206, 212, 222), (222, 206, 196), (212, 220, 204)])
    _band(canvas, 0.42, (214, 196, 170), (200, 180, 150))
    ImageDraw.Draw(canvas).ellipse((width * 0.04, height * 0.5, width * 0.96, height * 1.02), fill=rug)
    return canvas


def _paper(rng: Random, width: int, height: int) -> Image.Image:
    light: RGB = rng.choice([(250, 248, 240), (234, 240, 244), (246, 236, 228), (236, 242, 230), (226, 224, 234)])
    other = shade(light, 0.94)
    kind = rng.randrange(4)
    if kind == 0:
        return gradient(width, height, light, shade(light, 0.88))
    canvas = Image.new("RGB", (width, height), light)
    draw = ImageDraw.Draw(canvas)
    if kind == 1:
        for step in range(-height, width, 44):
            draw.polygon([(step, 0), (step + 22, 0), (step + 22 + height, height), (step + height, height)], fill=other)
    elif kind == 2:
        for y in range(18, height, 26):
            draw.line((0, y, width, y), fill=other, width=2)
    else:
        draw.rectangle((10, 10, width - 11, height - 11), outline=mixed(light, (90, 90, 110), 0.4), width=3)
    return canvas


_ON_GRASS: Final = ("house", "tree", "fir", "flower", "mushroom", "car", "ball", "umbrella")
_IN_SKY: Final = ("sun", "cloud", "balloon", "kite", "butterfly")
_SHAPES: Final = ("circle", "square", "triangle", "diamond", "hexagon", "cross", "star", "heart", "arrow")
_DISHES: Final = ("cup", "bowl", "bottle", "vase", "apple", "pear", "book", "candle", "lamp", "hat")

PLACES: Final = (
    Place(
        ("a green meadow under a blue sky", "a meadow on a bright day", "the countryside on a fine day"),
        "landscape",
        frozenset({"green", "blue", "turquoise"}),
        (Zone(_ON_GRASS, levels=(0.68, 0.8, 0.95)), Zone(_IN_SKY, 0.03, 0.46)),
        _meadow,
    ),
    Place(
        ("a street in a town", "a road in front of a row of buildings", "a quiet street"),
        "street",
        frozenset({"grey", "white", "brown"}),
        (
            Zone(("car", "bus"), levels=(0.8, 0.96)),
            Zone(("tree", "fir", "umbrella"), levels=(0.64,)),
            Zone(_IN_SKY, 0.03, 0.28),
        ),
        _street,
        0.19,
    ),
    Place(
        ("the sea in calm weather", "a wide bay", "open water with small waves"),
        "sea",
        frozenset({"blue", "turquoise", "white"}),
        (Zone(("boat",), levels=(0.56, 0.72, 0.92)), Zone(("sun", "cloud", "kite", "balloon"), 0.03, 0.34)),
        _sea,
    ),
    Place(
        ("an underwater scene", "clear water above sand", "the inside of an aquarium"),
        "animal",
        frozenset({"blue", "turquoise", "brown"}),
        (Zone(("fish",), 0.05, 0.66), Zone(("starfish", "shell", "plant"), levels=(0.89, 0.97))),
        _depths,
        0.2,
    ),
    Place(
        ("a landscape at night", "a night scene", "a clear night"),
        "night",
        frozenset({"black", "grey", "blue", "purple"}),
        (
            Zone(("house", "car", "fir", "tree", "rocket", "bus"), levels=(0.82, 0.95)),
            Zone(("moon", "balloon", "rocket"), 0.04, 0.56),
        ),
        _night,
    ),
    Place(
        ("a table in front of a wall", "a table in a room", "a table top"),
        "still life",
        frozenset({"brown", "grey", "white", "orange"}),
        (Zone(_DISHES, levels=(0.66, 0.8, 0.94)), Zone(("clock",), 0.05, 0.36)),
        _table,
        0.22,
    ),
    Place(
        ("two shelves on a wall", "a wall with two shelves", "a corner with two shelves"),
        "interior",
        frozenset({"brown", "grey", "white"}),
        (Zone((*_DISHES, "clock", "ball", "block"), levels=(0.458, 0.898)),),
        _shelf,
        0.23,
    ),
    Place(
        ("a playroom floor", "the floor of a playroom", "a child's room"),
        "toys",
        frozenset({"brown", "grey", "white"}),
        (
            Zone(("ball", "block", "car", "bus", "book", "hat", "rocket"), levels=(0.66, 0.8, 0.95)),
            Zone(("clock", "balloon", "kite"), 0.04, 0.36),
        ),
        _floor,
        0.2,
    ),
    Place(
        ("a page of geometric shapes", "a sheet with coloured shapes", "a design of simple shapes"),
        "shapes",
        frozenset({"white", "grey"}),
        (Zone(_SHAPES, 0.05, 0.95),),
        _paper,
        0.21,
    ),
    Place(
        ("a card with small pictures", "a sheet of simple pictures", "a sheet of stickers"),
        "stickers",
        frozenset({"white", "grey"}),
        (
            Zone(
                (
                    "hat",
                    "umbrella",
                    "butterfly",
                    "apple",
                    "pear",
                    "flower",
                    "kite",
                    "star",
                    "heart",
                    "cup",
                    "clock",
                    "fish",
                ),
                0.05,
                0.95,
            ),
        ),
        _paper,
        0.23,
    ),
)
