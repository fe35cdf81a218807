"""Printed figures on a plain ground, read by the shapes of their pixels. Letters are not read."""

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_ROWS, _COLUMNS = 20, 12
"""The grid that a glyph is scaled to."""
_ALIKE: Final = 0.8
"""Correlation with a figure's own shape from which on a glyph is read as it."""
_MARGIN: Final = 0.04
"""By how much the next figure must be less alike: otherwise the glyph may be either."""
_LEAST: Final = 7
"""Pixels: glyphs that are less high cannot be told apart."""
_CONTRAST: Final = 60
Mask = NDArray[Any]


def read_digits(pixels: NDArray[np.uint8]) -> str:
    """The numbers on the image, from left to right in the order of their lines; empty where more than numbers stand."""
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    apart = np.asarray(np.abs(luma - float(np.median(luma))))
    ink: Mask = np.asarray(apart > max(_CONTRAST, float(apart.max()) / 2))
    numbers: list[str | None] = []
    for top, bottom in _runs(np.any(ink, axis=1)):
        if bottom - top >= _LEAST:
            numbers += _line(ink[top:bottom])
    read = [number for number in numbers if number]
    return " ".join(read) if len(read) == len(numbers) else ""


def _line(ink: Mask) -> list[str | None]:
    """The words of one line: the number where all glyphs that stand close together are figures, else None."""
    words: list[str | None] = []
    end = None
    for left, right in _runs(np.any(ink, axis=0)):
        glyph = _figure(ink[:, left:right])
        if end is None or left - end > 0.42 * ink.shape[0]:
            words.append(glyph)
        else:
            before = words[-1]
            words[-1] = before + glyph if before is not None and glyph is not None else None
        end = right
    return words


def _figure(ink: Mask) -> str | None:
    """The figure that a glyph is, or None."""
    rows = np.flatnonzero(ink.any(axis=1))
    if rows.size == 0 or rows[-1] + 1 - rows[0] < 0.6 * ink.shape[0]:
        return None
    shape = _scaled(ink[rows[0] : rows[-1] + 1])
    alike = {name: float((shape * known).mean()) for name, known in _shapes().items()}
    best = max(alike, key=lambda name: alike[name])
    second = max(value for name, value in alike.items() if name[0] != best[0])
    return best[0] if alike[best] >= max(_ALIKE, second + _MARGIN) else None


def _scaled(ink: Mask) -> NDArray[np.float64]:
    """A glyph on the grid, centred and of unit variance; how wide it is for its height counts too."""
    height, width = ink.shape
    side = max(width, round(0.6 * height))
    square = np.zeros((height, side), np.uint8)
    start = (side - width) // 2
    square[:, start : start + width] = ink * 255
    small = Image.fromarray(square).resize((_COLUMNS, _ROWS), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float64)
    return (values - values.mean()) / (values.std() or 1.0)


@cache
def _shapes() -> dict[str, NDArray[np.float64]]:
    """The figures in the one typeface that Pillow brings, in several sizes."""
    found = {}
    for size in (12, 14, 17, 20, 24, 30, 40, 56):
        for figure in "0123456789":
            canvas = Image.new("L", (2 * size, 2 * size), 255)
            ImageDraw.Draw(canvas).text((size // 2, size // 4), figure, fill=0, font=ImageFont.load_default(size))
            ink = np.asarray(canvas) < 128
            rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
            found[f"{figure}{size}"] = _scaled(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return found


def _runs(filled: Mask) -> list[tuple[int, int]]:
    """The stretches of True, as [start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], filled, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
