"""What a drawing is: pixels, and all that is known of them. And the pen that draws smooth figures."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from .palette import RGB

Point = tuple[float, float]
PixelBox = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels; the right and lower borders are just outside."""

_SMOOTH: Final = 2
"""Figures are drawn this many times larger and then reduced, so that their edges are smooth."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A simple question with its answer."""

    skill: str
    objects: tuple[str, ...]
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with its truth. `facts` are all the questions that may be asked, in a random order."""

    pixels: Image.Image
    boxes: tuple[tuple[str, PixelBox], ...]
    caption: str
    topic: str
    facts: tuple[Fact, ...]
    photographic: bool = False
    """Saved as JPEG (true) or as PNG."""


class Pen:
    """Draws one figure on a layer of its own; coordinates are fractions of the figure's width and height."""

    def __init__(self, width: float, height: float, colour: RGB) -> None:
        self.width = max(round(width * _SMOOTH), _SMOOTH)
        self.height = max(round(height * _SMOOTH), _SMOOTH)
        # Transparent pixels carry the colour too, or reducing would darken the edges.
        self._layer = Image.new("RGBA", (self.width, self.height), (*colour, 0))
        self._draw = ImageDraw.Draw(self._layer)

    def _at(self, x: float, y: float) -> Point:
        return x * (self.width - 1), y * (self.height - 1)

    def ellipse(self, x1: float, y1: float, x2: float, y2: float, colour: RGB) -> None:
        """A filled ellipse in the rectangle from (x1, y1) to (x2, y2)."""
        self._draw.ellipse((*self._at(x1, y1), *self._at(x2, y2)), fill=colour)

    def rectangle(self, x1: float, y1: float, x2: float, y2: float, colour: RGB, *, round_by: float = 0) -> None:
        """A filled rectangle; `round_by` is the corners' radius as a fraction of the figure's shorter side."""
        radius = round_by * min(self.width, self.height)
        self._draw.rounded_rectangle((*self._at(x1, y1), *self._at(x2, y2)), radius, fill=colour)

    def polygon(self, points: list[Point], colour: RGB) -> None:
        """A filled polygon."""
        self._draw.polygon([self._at(x, y) for x, y in points], fill=colour)

    def line(self, points: list[Point], colour: RGB, width: float) -> None:
        """A line through `points`; `width` is a fraction of the figure's shorter side."""
        thick = max(round(width * min(self.width, self.height)), 1)
        self._draw.line([self._at(x, y) for x, y in points], fill=colour, width=thick, joint="curve")

    def arc(
        self, x1: float, y1: float, x2: float, y2: float, *, turn: tuple[float, float], colour: RGB, width: float
    ) -> None:
        """Part of an ellipse's border, between two angles in degrees, clockwise from three o'clock."""
        thick = max(round(width * min(self.width, self.height)), 1)
        self._draw.arc((*self._at(x1, y1), *self._at(x2, y2)), *turn, fill=colour, width=thick)

    def pie(self, x1: float, y1: float, x2: float, y2: float, *, turn: tuple[float, float], colour: RGB) -> None:
        """A filled sector between two angles in degrees, clockwise from three o'clock."""
        self._draw.pieslice((*self._at(x1, y1), *self._at(x2, y2)), *turn, fill=colour)

    def finished(self) -> Image.Image:
        """The figure at its own size."""
        return self._layer.reduce(_SMOOTH)


def stamp(canvas: Image.Image, figure: Image.Image, left: int, top: int) -> PixelBox:
    """Put `figure` on `canvas` and return the exact box of what it covers (by at least half)."""
    canvas.paste(figure, (left, top), figure)
    covered = figure.getchannel("A").point([0] * 128 + [255] * 128).getbbox()
    x1, y1, x2, y2 = covered or (0, 0, figure.width, figure.height)
    return left + x1, top + y1, left + x2, top + y2


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, `size` pixels high."""
    return ImageFont.load_default(size)
