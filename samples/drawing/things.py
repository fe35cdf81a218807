"""Simple pictures of things, mostly in one colour so that a person would name that colour."""

from random import Random
from typing import Final

from .palette import RGB, shade
from .picture import Pen

_DARK: Final = (52, 44, 40)
_WOOD: Final = (112, 72, 42)
_GLASS: Final = (206, 232, 246)
_PALE: Final = (250, 248, 240)
_LEAF: Final = (60, 140, 60)


def cup(pen: Pen, colour: RGB, rng: Random) -> None:
    """A cup with its handle at the right."""
    pen.arc(0.55, 0.2, 1, 0.75, turn=(0, 360), colour=shade(colour, 0.8), width=0.11)
    pen.rectangle(0, 0.06, 0.76, 1, colour, round_by=0.16)
    pen.rectangle(0, 0.06, 0.76, 0.5, colour)
    pen.ellipse(0, 0, 0.76, 0.16, shade(colour, 0.62))


def bowl(pen: Pen, colour: RGB, rng: Random) -> None:
    """A bowl on a small foot."""
    pen.rectangle(0.34, 0.8, 0.66, 1, shade(colour, 0.75))
    pen.pie(0, -0.7, 1, 0.94, turn=(0, 180), colour=colour)
    pen.ellipse(0, 0, 1, 0.26, shade(colour, 0.7))


def bottle(pen: Pen, colour: RGB, rng: Random) -> None:
    """A bottle with a pale label."""
    pen.rectangle(0.36, 0, 0.64, 0.4, shade(colour, 0.85))
    pen.rectangle(0, 0.3, 1, 1, colour, round_by=0.3)
    pen.rectangle(0.02, 0.72, 0.98, 0.84, _PALE)


def vase(pen: Pen, colour: RGB, rng: Random) -> None:
    """A round vase with a rim."""
    pen.rectangle(0.26, 0.05, 0.74, 0.4, colour)
    pen.ellipse(0, 0.22, 1, 0.98, colour)
    pen.rectangle(0.24, 0.86, 0.76, 1, shade(colour, 0.85))
    pen.ellipse(0.16, 0, 0.84, 0.12, shade(colour, 0.65))
    pen.line([(0.04, 0.52), (0.96, 0.52)], shade(colour, 1.5), 0.06)


def apple(pen: Pen, colour: RGB, rng: Random) -> None:
    """An apple with a stalk and a leaf."""
    pen.line([(0.5, 0.3), (0.56, 0.02)], _WOOD, 0.07)
    pen.ellipse(0.56, 0.02, 0.86, 0.18, _LEAF)
    pen.ellipse(0, 0.18, 0.62, 0.96, colour)
    pen.ellipse(0.38, 0.18, 1, 0.96, colour)
    pen.ellipse(0.14, 0.5, 0.86, 1, colour)


def pear(pen: Pen, colour: RGB, rng: Random) -> None:
    """A pear with a stalk."""
    pen.line([(0.5, 0.2), (0.56, 0)], _WOOD, 0.08)
    pen.ellipse(0.22, 0.1, 0.78, 0.7, colour)
    pen.ellipse(0, 0.38, 1, 1, colour)


def book(pen: Pen, colour: RGB, rng: Random) -> None:
    """A standing book with a title field."""
    pen.rectangle(0, 0, 1, 1, colour, round_by=0.06)
    pen.rectangle(0, 0, 0.13, 1, shade(colour, 0.7))
    pen.rectangle(0.3, 0.14, 0.86, 0.28, _PALE)


def clock(pen: Pen, colour: RGB, rng: Random) -> None:
    """A round clock: a coloured face with a dark rim and two hands."""
    pen.ellipse(0, 0, 1, 1, shade(colour, 0.6))
    pen.ellipse(0.07, 0.07, 0.93, 0.93, colour)
    mark = _PALE if sum(colour) < 380 else _DARK
    for x1, y1, x2, y2 in ((0.5, 0.12, 0.5, 0.2), (0.5, 0.8, 0.5, 0.88), (0.12, 0.5, 0.2, 0.5), (0.8, 0.5, 0.88, 0.5)):
        pen.line([(x1, y1), (x2, y2)], mark, 0.045)
    pen.line([(0.5, 0.5), rng.choice([(0.68, 0.4), (0.66, 0.62), (0.34, 0.6), (0.35, 0.38)])], mark, 0.06)
    pen.line([(0.5, 0.5), rng.choice([(0.5, 0.22), (0.76, 0.5), (0.5, 0.77), (0.24, 0.5)])], mark, 0.045)


def candle(pen: Pen, colour: RGB, rng: Random) -> None:
    """A burning candle."""
    pen.ellipse(0.2, 0, 0.8, 0.22, (250, 196, 60))
    pen.line([(0.5, 0.16), (0.5, 0.3)], _DARK, 0.09)
    pen.rectangle(0, 0.26, 1, 1, colour, round_by=0.14)


def lamp(pen: Pen, colour: RGB, rng: Random) -> None:
    """A table lamp; the shade carries the colour."""
    pen.rectangle(0.45, 0.6, 0.55, 0.96, _DARK)
    pen.rectangle(0.26, 0.93, 0.74, 1, _DARK)
    pen.polygon([(0.24, 0), (0.76, 0), (1, 0.66), (0, 0.66)], colour)


def ball(pen: Pen, colour: RGB, rng: Random) -> None:
    """A ball with a highlight."""
    pen.ellipse(0, 0, 1, 1, shade(colour, 0.86))
    pen.ellipse(0.03, 0.01, 0.95, 0.93, colour)
    pen.ellipse(0.24, 0.16, 0.42, 0.32, shade(colour, 1.6))


def house(pen: Pen, colour: RGB, rng: Random) -> None:
    """A house; the walls carry the colour."""
    pen.rectangle(0.72, 0.04, 0.84, 0.4, _WOOD)
    pen.polygon([(0, 0.38), (0.5, 0), (1, 0.38)], (92, 60, 52))
    pen.rectangle(0.07, 0.36, 0.93, 1, colour)
    pen.rectangle(0.42, 0.66, 0.6, 1, _WOOD)
    pen.rectangle(0.16, 0.48, 0.32, 0.64, _GLASS)
    pen.rectangle(0.68, 0.48, 0.84, 0.64, _GLASS)


def tree(pen: Pen, colour: RGB, rng: Random) -> None:
    """A tree with a round crown."""
    pen.rectangle(0.43, 0.6, 0.57, 1, _WOOD)
    pen.ellipse(0.16, 0, 0.84, 0.5, colour)
    pen.ellipse(0, 0.2, 0.58, 0.68, colour)
    pen.ellipse(0.42, 0.2, 1, 0.68, colour)
    pen.ellipse(0.2, 0.3, 0.8, 0.72, colour)


def fir(pen: Pen, colour: RGB, rng: Random) -> None:
    """A fir tree of three tiers."""
    pen.rectangle(0.42, 0.84, 0.58, 1, _WOOD)
    for top, bottom, half in ((0, 0.4, 0.32), (0.2, 0.64, 0.41), (0.42, 0.88, 0.5)):
        pen.polygon([(0.5, top), (0.5 + half, bottom), (0.5 - half, bottom)], shade(colour, 0.94 + top / 8))


def car(pen: Pen, colour: RGB, rng: Random) -> None:
    """A car from the side."""
    pen.polygon([(0.16, 0.46), (0.3, 0), (0.7, 0), (0.86, 0.46)], colour)
    pen.polygon([(0.27, 0.4), (0.35, 0.1), (0.48, 0.1), (0.48, 0.4)], _GLASS)
    pen.polygon([(0.53, 0.4), (0.53, 0.1), (0.66, 0.1), (0.76, 0.4)], _GLASS)
    pen.rectangle(0, 0.4, 1, 0.82, colour, round_by=0.18)
    for x in (0.12, 0.66):
        pen.ellipse(x, 0.58, x + 0.22, 1, _DARK)
        pen.ellipse(x + 0.07, 0.71, x + 0.15, 0.87, (190, 190, 190))


def bus(pen: Pen, colour: RGB, rng: Random) -> None:
    """A bus from the side."""
    pen.rectangle(0, 0, 1, 0.86, colour, round_by=0.12)
    for x in (0.06, 0.29, 0.52, 0.75):
        pen.rectangle(x, 0.13, x + 0.18, 0.38, _GLASS)
    for x in (0.14, 0.68):
        pen.ellipse(x, 0.66, x + 0.18, 1, _DARK)


def boat(pen: Pen, colour: RGB, rng: Random) -> None:
    """A sailing boat; hull and sail carry the colour."""
    pen.rectangle(0.47, 0, 0.52, 0.74, _WOOD)
    pen.polygon([(0.55, 0.04), (0.55, 0.64), (0.97, 0.64)], colour)
    pen.polygon([(0.44, 0.14), (0.44, 0.64), (0.1, 0.64)], colour)
    pen.polygon([(0, 0.7), (1, 0.7), (0.84, 1), (0.16, 1)], shade(colour, 0.9))


def fish(pen: Pen, colour: RGB, rng: Random) -> None:
    """A fish that looks to the left or to the right."""
    right = rng.random() < 0.5

    def x(value: float) -> float:
        return 1 - value if right else value

    pen.polygon([(x(0.66), 0.5), (x(1), 0.08), (x(1), 0.92)], shade(colour, 0.84))
    pen.polygon([(x(0.26), 0.2), (x(0.44), 0), (x(0.6), 0.24)], shade(colour, 0.84))
    pen.ellipse(min(x(0), x(0.8)), 0.1, max(x(0), x(0.8)), 0.98, colour)
    pen.ellipse(min(x(0.12), x(0.21)), 0.36, max(x(0.12), x(0.21)), 0.52, (255, 255, 255))
    pen.ellipse(min(x(0.14), x(0.19)), 0.4, max(x(0.14), x(0.19)), 0.49, _DARK)


def shell(pen: Pen, colour: RGB, rng: Random) -> None:
    """A fan-shaped shell."""
    pen.rectangle(0.36, 0.8, 0.64, 1, shade(colour, 0.85))
    pen.pie(0, 0, 1, 1.7, turn=(180, 360), colour=colour)
    pen.polygon([(0, 0.8), (1, 0.8), (0.62, 1), (0.38, 1)], colour)
    for x in (0.2, 0.4, 0.6, 0.8):
        pen.line([(0.5, 0.98), (x, 0.16)], shade(colour, 0.8), 0.025)


def plant(pen: Pen, colour: RGB, rng: Random) -> None:
    """A plant of broad upright leaves."""
    pen.ellipse(0.26, 0, 0.74, 1.1, colour)
    pen.polygon([(0, 0.3), (0.4, 0.5), (0.6, 1), (0.4, 1)], shade(colour, 0.9))
    pen.polygon([(1, 0.22), (0.6, 0.5), (0.4, 1), (0.6, 1)], shade(colour, 0.9))


def sun(pen: Pen, colour: RGB, rng: Random) -> None:
    """The sun with short rays."""
    for x1, y1, x2, y2 in ((0.5, 0, 0.5, 1), (0, 0.5, 1, 0.5), (0.15, 0.15, 0.85, 0.85), (0.15, 0.85, 0.85, 0.15)):
        pen.line([(x1, y1), (x2, y2)], colour, 0.07)
    pen.ellipse(0.17, 0.17, 0.83, 0.83, colour)


def moon(pen: Pen, colour: RGB, rng: Random) -> None:
    """A full moon with some craters."""
    pen.ellipse(0, 0, 1, 1, colour)
    for x, y, size in ((0.25, 0.3, 0.16), (0.58, 0.55, 0.2), (0.36, 0.7, 0.12)):
        pen.ellipse(x, y, x + size, y + size, shade(colour, 0.9))


def cloud(pen: Pen, colour: RGB, rng: Random) -> None:
    """A cloud."""
    for x1, y1, x2, y2 in ((0, 0.36, 0.44, 1), (0.2, 0, 0.66, 0.9), (0.5, 0.2, 0.9, 0.96), (0.62, 0.42, 1, 1)):
        pen.ellipse(x1, y1, x2, y2, colour)
    pen.rectangle(0.2, 0.6, 0.82, 1, colour)


def balloon(pen: Pen, colour: RGB, rng: Random) -> None:
    """A toy balloon on its string."""
    pen.line([(0.5, 0.7), (0.46, 0.85), (0.53, 1)], _DARK, 0.035)
    pen.polygon([(0.5, 0.66), (0.58, 0.76), (0.42, 0.76)], shade(colour, 0.8))
    pen.ellipse(0, 0, 1, 0.72, colour)
    pen.ellipse(0.24, 0.12, 0.38, 0.26, shade(colour, 1.5))


def kite(pen: Pen, colour: RGB, rng: Random) -> None:
    """A kite with a tail."""
    pen.line([(0.5, 0.7), (0.66, 0.8), (0.42, 0.9), (0.56, 1)], _DARK, 0.04)
    pen.polygon([(0.5, 0), (1, 0.34), (0.5, 0.78), (0, 0.34)], colour)
    pen.line([(0.5, 0), (0.5, 0.76)], shade(colour, 0.7), 0.03)
    pen.line([(0, 0.34), (1, 0.34)], shade(colour, 0.7), 0.03)


def flower(pen: Pen, colour: RGB, rng: Random) -> None:
    """A flower; the petals carry the colour."""
    pen.line([(0.5, 0.4), (0.5, 1)], _LEAF, 0.08)
    pen.ellipse(0.5, 0.72, 0.86, 0.84, _LEAF)
    for x, y in ((0.3, 0), (0.56, 0.1), (0.56, 0.3), (0.3, 0.38), (0.06, 0.3), (0.06, 0.1)):
        pen.ellipse(x, y, x + 0.4, y + 0.26, colour)
    pen.ellipse(0.36, 0.22, 0.64, 0.42, shade(colour, 0.7))


def mushroom(pen: Pen, colour: RGB, rng: Random) -> None:
    """A mushroom; the cap carries the colour."""
    pen.rectangle(0.34, 0.48, 0.66, 1, (240, 230, 210), round_by=0.12)
    pen.pie(0, 0, 1, 1.24, turn=(180, 360), colour=colour)
    for x, y in ((0.2, 0.34), (0.47, 0.12), (0.7, 0.36)):
        pen.ellipse(x, y, x + 0.12, y + 0.12, (252, 250, 246))


def umbrella(pen: Pen, colour: RGB, rng: Random) -> None:
    """An open umbrella."""
    pen.rectangle(0.47, 0, 0.53, 0.9, _DARK)
    pen.arc(0.33, 0.78, 0.53, 0.99, turn=(0, 180), colour=_DARK, width=0.06)
    pen.pie(0, 0.06, 1, 1.12, turn=(180, 360), colour=colour)


def hat(pen: Pen, colour: RGB, rng: Random) -> None:
    """A hat with a brim and a dark band."""
    pen.ellipse(0, 0.66, 1, 1, shade(colour, 0.9))
    pen.rectangle(0.2, 0, 0.8, 0.84, colour, round_by=0.2)
    pen.rectangle(0.2, 0.58, 0.8, 0.72, _DARK if sum(colour) > 200 else _PALE)


def butterfly(pen: Pen, colour: RGB, rng: Random) -> None:
    """A butterfly seen from above."""
    for x1, x2 in ((0, 0.5), (0.5, 1)):
        pen.ellipse(x1, 0, x2, 0.6, colour)
        pen.ellipse(x1 + (0.08 if x1 == 0 else 0), 0.5, x2 - (0.08 if x1 else 0), 1, colour)
    pen.rectangle(0.46, 0.1, 0.54, 0.92, _DARK, round_by=0.04)


def block(pen: Pen, colour: RGB, rng: Random) -> None:
    """A toy block with a lighter frame."""
    pen.rectangle(0, 0, 1, 1, colour, round_by=0.08)
    pen.rectangle(0.14, 0.14, 0.86, 0.86, shade(colour, 0.9), round_by=0.05)


def rocket(pen: Pen, colour: RGB, rng: Random) -> None:
    """A rocket that points up."""
    pen.polygon([(0.2, 0.6), (0, 1), (0.3, 0.9)], _DARK)
    pen.polygon([(0.8, 0.6), (1, 1), (0.7, 0.9)], _DARK)
    pen.ellipse(0.2, 0, 0.8, 0.7, colour)
    pen.rectangle(0.2, 0.35, 0.8, 0.92, colour)
    pen.ellipse(0.38, 0.3, 0.62, 0.44, _GLASS)
