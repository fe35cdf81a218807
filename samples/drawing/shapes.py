"""Plain geometric figures. Each fills its layer with one colour."""

import math
from random import Random

from .palette import RGB
from .picture import Pen, Point


def circle(pen: Pen, colour: RGB, rng: Random) -> None:
    """A disc."""
    pen.ellipse(0, 0, 1, 1, colour)


def square(pen: Pen, colour: RGB, rng: Random) -> None:
    """A filled square."""
    pen.rectangle(0, 0, 1, 1, colour)


def triangle(pen: Pen, colour: RGB, rng: Random) -> None:
    """A triangle that stands on a side."""
    pen.polygon([(0.5, 0), (1, 1), (0, 1)], colour)


def diamond(pen: Pen, colour: RGB, rng: Random) -> None:
    """A square on its corner."""
    pen.polygon([(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)], colour)


def hexagon(pen: Pen, colour: RGB, rng: Random) -> None:
    """A regular hexagon."""
    pen.polygon([(0.25, 0), (0.75, 0), (1, 0.5), (0.75, 1), (0.25, 1), (0, 0.5)], colour)


def cross(pen: Pen, colour: RGB, rng: Random) -> None:
    """An upright cross with thick arms."""
    pen.rectangle(0.32, 0, 0.68, 1, colour)
    pen.rectangle(0, 0.32, 1, 0.68, colour)


def star(pen: Pen, colour: RGB, rng: Random) -> None:
    """A star with five points."""
    pen.polygon(_rays(5, 0.5, -90), colour)


def heart(pen: Pen, colour: RGB, rng: Random) -> None:
    """A heart."""
    pen.ellipse(0, 0, 0.54, 0.56, colour)
    pen.ellipse(0.46, 0, 1, 0.56, colour)
    pen.polygon([(0.045, 0.4), (0.955, 0.4), (0.5, 1)], colour)
    pen.rectangle(0.3, 0.2, 0.7, 0.45, colour)


def arrow(pen: Pen, colour: RGB, rng: Random) -> None:
    """A thick arrow to the right or to the left."""
    points: list[Point] = [(0, 0.28), (0.5, 0.28), (0.5, 0), (1, 0.5), (0.5, 1), (0.5, 0.72), (0, 0.72)]
    if rng.random() < 0.5:
        points = [(1 - x, y) for x, y in points]
    pen.polygon(points, colour)


def _rays(count: int, inner: float, start: float) -> list[Point]:
    """The corners of a star; `inner` is the radius of the inner corners as a share of the outer radius."""
    corners: list[Point] = []
    for corner in range(2 * count):
        radius = 0.5 * (inner if corner % 2 else 1)
        angle = math.radians(start + corner * 180 / count)
        corners.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
    return corners
