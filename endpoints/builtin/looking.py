"""Evidence by the embedded model: what the pixels of an image or of a part show, and nothing else.

It names colours and plain outlines, finds a patch of a colour, and reads printed figures. What it cannot make out it
leaves empty, as it is asked to.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .colours import NAMES, base_name, classify, shares
from .digits import read_digits
from .pictures import Picture
from .request import Row
from .scene import Scene

_CLEAR: Final = 0.5
"""Share of a part's middle from which on its leading colour is told."""
_SECOND: Final = 0.2
_CELLS: Final = 48
"""Cells along each side of the grid in which patches of one colour are looked for."""
_LEAST_PATCH: Final = 4


def looked(row: Row, scene: Scene, pictures: Sequence[Picture]) -> dict[str, Any]:
    """The reply to one evidence request, whose `look` block is `row`."""
    match row.get("manipulation"):
        case "Grounding":
            return {"boxes": _found(str(row.get("target") or ""), scene), "image": 0}
        case "OCR":
            return {"text": _read(row, pictures[0].pixels) if pictures else ""}
    return {"description": _described(pictures[0].pixels) if pictures else ""}


def _read(row: Row, pixels: NDArray[np.uint8]) -> str:
    """The number on a part of an image that holds nothing else: what belongs to a target only letters would tell."""
    text = read_digits(pixels) if row.get("shown") == "a part" else ""
    return text if " " not in text or row.get("target") == "image" else ""


def _found(target: str, scene: Scene) -> list[list[float]]:
    """The box of the target: a known one of that name, or the largest patch of the colour that is named."""
    region = scene.named(target)
    if region is not None:
        return [list(region.bbox)]
    colour = next((base for word in re.findall(r"[a-z-]+", target.lower()) if (base := base_name(word))), None)
    box = _patch(scene.images[0], colour) if colour and scene.images else None
    return [box] if box else []


def _patch(pixels: NDArray[np.uint8], colour: str) -> list[float] | None:
    """The box around the largest connected patch of a colour, in fractions; None where there is none to speak of."""
    height, width = pixels.shape[:2]
    rows = np.linspace(0, height - 1, _CELLS).astype(int)
    columns = np.linspace(0, width - 1, _CELLS).astype(int)
    names = classify(pixels[np.ix_(rows, columns)].reshape(-1, 3)).reshape(_CELLS, _CELLS)
    left = {(int(y), int(x)) for y, x in np.argwhere(names == NAMES.index(colour))}
    best: set[tuple[int, int]] = set()
    while left:
        patch, open_cells = set[tuple[int, int]](), [left.pop()]
        while open_cells:
            y, x = open_cells.pop()
            patch.add((y, x))
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= near
            open_cells += near
        best = max(best, patch, key=len)
    if len(best) < _LEAST_PATCH:
        return None
    ys, xs = [y for y, _ in best], [x for _, x in best]
    ends = (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    return [round(value / _CELLS, 3) for value in ends]


def _described(pixels: NDArray[np.uint8]) -> str:
    """The colours of the part's middle and the outline that its leading colour has; empty where none leads."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 5 : max(height * 4 // 5, 1), width // 5 : max(width * 4 // 5, 1)]
    found = [*shares(middle.reshape(-1, 3)).items()]
    if not found or found[0][1] < _CLEAR:
        told = [name for name, share in found if share >= _SECOND]
        return f"Several colours, among them {' and '.join(told)}." if told else ""
    name = found[0][0]
    further = [other for other, share in found[1:] if share >= _SECOND]
    second = f" with some {further[0]}" if further else ""
    outline = _outline(pixels, name)
    return f"Something {name}{second}{', ' + outline if outline else ''}."


def _outline(pixels: NDArray[np.uint8], colour: str) -> str:
    """What the pixels of a colour fill of the box around them: all, or as much as a disc does."""
    mask = (classify(pixels.reshape(-1, 3)) == NAMES.index(colour)).reshape(pixels.shape[:2])
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size < 8 or columns.size < 8:
        return ""
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    filled = float(part.mean())
    corners = [part[0, 0], part[0, -1], part[-1, 0], part[-1, -1]]
    if filled > 0.97:
        return "with a straight, four-cornered outline"
    if 0.74 <= filled <= 0.82 and not any(corners) and 0.8 <= part.shape[0] / part.shape[1] <= 1.25:
        return "with a round outline"
    return ""
