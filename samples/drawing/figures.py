"""The figures that scenes are made of: how each is drawn, called, coloured and sized."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from . import shapes, things
from .palette import ANY, RGB, VIVID
from .picture import Pen

_PAINTED: Final = (*VIVID, "white", "black")
_WALLS: Final = ("red", "orange", "yellow", "white", "blue", "pink", "grey")


@dataclass(frozen=True, slots=True)
class Figure:
    """A kind of thing. `aspect` is width by height, `size` its height by the usual height in a scene."""

    name: str
    draw: Callable[[Pen, RGB, Random], None]
    colours: tuple[str, ...] = VIVID
    aspect: float = 1.0
    size: float = 1.0
    plural: str = ""
    use: str = ""
    """What the thing is for, to complete "It is used ...", or empty."""

    @property
    def several(self) -> str:
        """The plural."""
        return self.plural or f"{self.name}s"


_ALL: Final = (
    Figure("circle", shapes.circle, ANY),
    Figure("square", shapes.square, ANY),
    Figure("triangle", shapes.triangle, ANY, aspect=1.1),
    Figure("diamond", shapes.diamond, ANY, aspect=0.8),
    Figure("hexagon", shapes.hexagon, ANY, aspect=1.15),
    Figure("cross", shapes.cross, ANY, plural="crosses"),
    Figure("star", shapes.star, ANY, size=1.15),
    Figure("starfish", shapes.star, ("red", "orange", "yellow", "pink", "purple"), plural="starfish"),
    Figure("heart", shapes.heart),
    Figure("arrow", shapes.arrow, ANY, aspect=1.5, size=0.8, use="to point in a direction"),
    Figure("cup", things.cup, ANY, aspect=1.1, size=0.8, use="to drink from"),
    Figure("bowl", things.bowl, ANY, aspect=1.7, size=0.6, use="to hold food"),
    Figure(
        "bottle", things.bottle, ("green", "brown", "blue", "purple", "turquoise"), 0.36, 1.3, use="to hold liquids"
    ),
    Figure("vase", things.vase, ANY, aspect=0.66, size=1.15, use="to hold flowers"),
    Figure("apple", things.apple, ("red", "green", "yellow"), size=0.62),
    Figure("pear", things.pear, ("green", "yellow"), aspect=0.68, size=0.75),
    Figure("book", things.book, ANY, aspect=0.68, size=1.05, use="to read"),
    Figure("clock", things.clock, _PAINTED, use="to tell the time"),
    Figure("candle", things.candle, (*VIVID, "white"), aspect=0.3, size=1.05, use="to give light"),
    Figure("lamp", things.lamp, (*VIVID, "white"), aspect=0.72, size=1.35, use="to give light"),
    Figure("ball", things.ball, VIVID, size=0.7, use="to play"),
    Figure("house", things.house, _WALLS, aspect=1.15, size=1.6, use="as a home"),
    Figure("tree", things.tree, ("green", "orange", "yellow", "red"), aspect=0.8, size=1.6),
    Figure("fir", things.fir, ("green",), aspect=0.66, size=1.6),
    Figure("car", things.car, _PAINTED, aspect=2.1, size=0.72, use="to drive"),
    Figure("bus", things.bus, VIVID, aspect=2.3, size=0.9, plural="buses", use="to carry passengers"),
    Figure("boat", things.boat, _PAINTED, aspect=0.92, size=1.25, use="to travel on water"),
    Figure("fish", things.fish, VIVID, aspect=1.7, size=0.66, plural="fish"),
    Figure("shell", things.shell, ("red", "orange", "pink", "purple", "white"), aspect=1.15, size=0.6),
    Figure("plant", things.plant, ("green",), aspect=0.5, size=1.3),
    Figure("sun", things.sun, ("yellow", "orange"), size=0.95),
    Figure("moon", things.moon, ("white", "yellow"), size=0.9),
    Figure("cloud", things.cloud, ("white", "grey"), aspect=1.9, size=0.62),
    Figure("balloon", things.balloon, VIVID, aspect=0.62, size=1.2, use="to decorate parties"),
    Figure("kite", things.kite, VIVID, aspect=0.7, size=1.2, use="to fly in the wind"),
    Figure("flower", things.flower, ("red", "orange", "yellow", "pink", "purple", "blue", "white"), 0.56, 0.95),
    Figure("mushroom", things.mushroom, ("red", "brown", "orange"), aspect=1.05, size=0.6),
    Figure("umbrella", things.umbrella, VIVID, aspect=1.0, size=1.05, use="to keep off the rain"),
    Figure("hat", things.hat, _PAINTED, aspect=1.3, size=0.62, use="to cover the head"),
    Figure("butterfly", things.butterfly, VIVID, aspect=1.15, size=0.55, plural="butterflies"),
    Figure("block", things.block, VIVID, size=0.66, use="to build with"),
    Figure(
        "rocket",
        things.rocket,
        ("red", "white", "blue", "orange", "grey"),
        aspect=0.42,
        size=1.4,
        use="to fly into space",
    ),
)
FIGURES: Final = {figure.name: figure for figure in _ALL}
"""By name."""
