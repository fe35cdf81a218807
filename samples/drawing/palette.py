"""Colours by the name a person would give them, each in a few tones that keep the name."""

from random import Random
from typing import Final

RGB = tuple[int, int, int]

TONES: Final[dict[str, tuple[RGB, ...]]] = {
    "red": ((208, 36, 42), (224, 58, 50), (182, 26, 36)),
    "orange": ((240, 130, 30), (248, 142, 48), (230, 116, 22)),
    "yellow": ((245, 210, 50), (250, 220, 80), (236, 198, 32)),
    "green": ((50, 160, 70), (72, 178, 62), (32, 126, 60)),
    "turquoise": ((40, 190, 185), (32, 166, 164), (66, 204, 200)),
    "blue": ((40, 90, 210), (60, 120, 225), (32, 62, 172)),
    "purple": ((120, 60, 190), (142, 80, 200), (96, 46, 152)),
    "pink": ((240, 112, 178), (246, 122, 186), (232, 98, 168)),
    "brown": ((130, 80, 40), (148, 94, 54), (110, 66, 36)),
    "white": ((250, 250, 250), (240, 240, 242)),
    "grey": ((130, 131, 134), (150, 150, 150), (110, 112, 115)),
    "black": ((24, 24, 27), (36, 34, 37)),
}
VIVID: Final = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
ANY: Final = (*VIVID, "brown", "white", "grey", "black")


def tone(rng: Random, name: str) -> RGB:
    """One of the tones of the colour `name`, varied a little."""
    red, green, blue = rng.choice(TONES[name])
    shift = rng.randint(-4, 4)
    return _byte(red + shift), _byte(green + shift), _byte(blue + shift)


def shade(colour: RGB, factor: float) -> RGB:
    """`colour` darker (factor below 1) or mixed with white (above 1: 1.3 is 30% white)."""
    if factor <= 1:
        return _byte(colour[0] * factor), _byte(colour[1] * factor), _byte(colour[2] * factor)
    white = min(factor - 1, 1.0)
    return mixed(colour, (255, 255, 255), white)


def mixed(one: RGB, other: RGB, share: float) -> RGB:
    """`one` with a share (0 to 1) of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _byte(value: float) -> int:
    return min(max(round(value), 0), 255)
