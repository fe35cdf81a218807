"""Colour names for pixels, and which names lie so close that neither contradicts the other."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

NAMES: Final = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "purple",
    "pink",
    "brown",
)
_NEIGHBOURS: Final = frozenset(
    frozenset(pair)
    for pair in (
        ("black", "grey"),
        ("grey", "white"),
        ("black", "brown"),
        ("red", "orange"),
        ("red", "pink"),
        ("red", "brown"),
        ("orange", "yellow"),
        ("orange", "brown"),
        ("orange", "pink"),
        ("yellow", "brown"),
        ("yellow", "green"),
        ("green", "turquoise"),
        ("turquoise", "blue"),
        ("blue", "purple"),
        ("purple", "pink"),
    )
)
_SYNONYMS: Final = {
    "gray": "grey",
    "silver": "grey",
    "reddish": "red",
    "crimson": "red",
    "scarlet": "red",
    "maroon": "red",
    "bluish": "blue",
    "navy": "blue",
    "greenish": "green",
    "olive": "green",
    "violet": "purple",
    "magenta": "pink",
    "teal": "turquoise",
    "cyan": "turquoise",
    "golden": "yellow",
    "gold": "yellow",
    "tan": "brown",
    "beige": "brown",
}


_ENOUGH: Final = 6000


@lru_cache(1024)
def base_name(word: str) -> str | None:
    """The colour of NAMES that `word` stands for ("light-brown" gives "brown"), or None; blends have no base."""
    parts = [
        part
        for part in word.lower().replace("-", " ").split()
        if part not in {"light", "dark", "deep", "pale", "bright"}
    ]
    if len(parts) != 1:
        return None
    name = _SYNONYMS.get(parts[0], parts[0])
    return name if name in NAMES else None


@lru_cache(4096)
def compatible(one: str, other: str) -> bool | None:
    """True when two names mean the same colour, False when they exclude each other, None when they lie close."""
    first, second = base_name(one), base_name(other)
    if one == other:
        return True
    if first is None or second is None:
        parts = {base_name(part) for word in (one, other) for part in word.split("-")}
        return None if {first, second} & parts - {None} or first is second else False
    if first == second:
        return True
    return None if frozenset((first, second)) in _NEIGHBOURS else False


def classify(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Index into NAMES for every row of an (n, 3) array of RGB bytes, by hue, saturation and value."""
    rgb = pixels.reshape(-1, 3).astype(np.float32) / 255
    value, low = rgb.max(axis=1), rgb.min(axis=1)
    chroma = value - low
    saturation = chroma / np.maximum(value, 1e-6)
    hue = _hue(rgb, value, chroma)
    warm_dark = (hue >= 12) & (hue < 48) & (value <= 0.65)
    conditions = [
        value < 0.2,
        (saturation < 0.14) & (value > 0.82),
        (saturation < 0.14) | (chroma < 0.07),
        warm_dark,
        ((hue < 20) | (hue >= 330)) & (saturation < 0.45) & (value > 0.7),
        (hue < 14) | (hue >= 340),
        hue < 42,
        hue < 68,
        hue < 160,
        hue < 192,
        hue < 255,
        hue < 292,
    ]
    names = (
        "black",
        "white",
        "grey",
        "brown",
        "pink",
        "red",
        "orange",
        "yellow",
        "green",
        "turquoise",
        "blue",
        "purple",
    )
    return np.select(conditions, [np.int64(NAMES.index(name)) for name in names], default=np.int64(NAMES.index("pink")))


def _hue(rgb: NDArray[np.floating], value: NDArray[np.floating], chroma: NDArray[np.floating]) -> NDArray[np.floating]:
    """Hue in degrees, 0 to 360 (the usual hexcone formula); 0 for greys."""
    red, green, blue = rgb.T
    safe = np.maximum(chroma, 1e-6)
    sector = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return np.where(chroma < 1e-6, 0, sector * 60)


def shares(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Share (0 to 1) of each colour name among the pixels, largest first; empty for no pixels."""
    if pixels.size == 0:
        return {}
    # Some thousand pixels tell the shares as well as all of them; an odd step falls into no pattern of rows.
    step = pixels.reshape(-1, 3).shape[0] // _ENOUGH | 1
    counts = np.bincount(classify(pixels.reshape(-1, 3)[::step]), minlength=len(NAMES))
    order = np.argsort(-counts, kind="stable")
    return {NAMES[i]: float(counts[i] / counts.sum()) for i in order if counts[i]}
