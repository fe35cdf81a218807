"""Boxes as geometry: centres, areas, parts of the image, and relations that are clear enough to state."""

from itertools import pairwise
from typing import Final

BBox = tuple[float, float, float, float]
CLEAR_STEP: Final = 0.08
"""Centres closer than this share of the image's side are not called left, right, above or below."""
_EDGE: Final = 0.035
_COLUMNS: Final = ("left", "middle", "right")
_ROWS: Final = ("upper", "middle", "lower")


def centre(box: BBox) -> tuple[float, float]:
    """The middle point of a box, in fractions."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def area(box: BBox) -> float:
    """The share of the image that a box covers, 0 to 1."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(one: BBox, other: BBox) -> float:
    """The share of the image that both boxes cover."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def inside(inner: BBox, outer: BBox) -> bool:
    """Whether at least 95% of `inner` lies in `outer`."""
    return overlap(inner, outer) >= 0.95 * area(inner)


def nested(one: BBox, other: BBox) -> bool:
    """Whether the larger box holds at least 80% of the smaller: a thing and its part, or one in the other."""
    return overlap(one, other) >= 0.8 * min(area(one), area(other))


def _third(value: float, names: tuple[str, ...]) -> str | None:
    if any(abs(value - edge) < _EDGE for edge in (1 / 3, 2 / 3)):
        return None
    return names[min(int(value * 3), 2)]


def ninth(box: BBox) -> str | None:
    """The ninth of the image that holds the centre ("upper left", "centre"), or None near a border of the ninths."""
    x, y = centre(box)
    column, row = _third(x, _COLUMNS), _third(y, _ROWS)
    if column is None or row is None:
        return None
    if column == row == "middle":
        return "centre"
    return f"{row} {column}"


def half(box: BBox, axis: str) -> str | None:
    """ "left"/"right" (axis x) or "upper"/"lower" (axis y) by the centre; None when it lies within 4% of the middle."""
    value = centre(box)[0 if axis == "x" else 1]
    if abs(value - 0.5) < 0.04:
        return None
    first, second = ("left", "right") if axis == "x" else ("upper", "lower")
    return first if value < 0.5 else second


def beside(one: BBox, other: BBox, side: str) -> bool | None:
    """Whether `one` lies on that `side` ("left", "right", "above", "below") of `other`; None when it is not clear.

    Clear means: the centres are far enough apart and the boxes overlap there by less than half of the
    narrower one.
    """
    axis = 0 if side in {"left", "right"} else 1
    gap = centre(one)[axis] - centre(other)[axis]
    if side in {"right", "below"}:
        gap = -gap
    shared = min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis])
    narrow = min(one[axis + 2] - one[axis], other[axis + 2] - other[axis])
    if abs(gap) < CLEAR_STEP or shared > 0.5 * narrow:
        return None
    return gap < 0


def distance(one: BBox, other: BBox, axis: str) -> float:
    """The distance of two centres along x or y, in fractions of that side."""
    at = 0 if axis == "x" else 1
    return abs(centre(one)[at] - centre(other)[at])


def spaced(values: list[float], gap: float) -> bool:
    """Whether sorted `values` differ by at least `gap` from one to the next."""
    return all(second - first >= gap for first, second in pairwise(sorted(values)))


def literal(box: BBox) -> str:
    """A box as text, three decimals: "[0.100, 0.200, 0.300, 0.400]"."""
    return "[" + ", ".join(f"{value:.3f}" for value in box) + "]"


def same(one: BBox, other: BBox, tolerance: float = 0.01) -> bool:
    """Whether two boxes agree in every number within `tolerance`."""
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))
