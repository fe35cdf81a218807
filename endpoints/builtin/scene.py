"""What one request tells about its images: the boxes, the caption's plain facts, and what the pixels themselves show.

Everything is measured on demand and only stated when it is clear; otherwise the answer is None.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import geometry
from .captions import CaptionFacts, understand
from .colours import base_name, compatible, shares
from .geometry import BBox
from .naming import names
from .words import plural, singular

Pixels = NDArray[np.uint8]
PARTS: Final[dict[str, BBox]] = {
    "upper half": (0, 0, 1, 0.5),
    "lower half": (0, 0.5, 1, 1),
    "left half": (0, 0, 0.5, 1),
    "right half": (0.5, 0, 1, 1),
    "upper-left quarter": (0, 0, 0.5, 0.5),
    "upper-right quarter": (0.5, 0, 1, 0.5),
    "lower-left quarter": (0, 0.5, 0.5, 1),
    "lower-right quarter": (0.5, 0.5, 1, 1),
}
"""Parts of an image that need no box, by the name a reader would use."""
_CLEAR_SHARE: Final = 0.6
_CLEAR_IN_NATURE: Final = 0.75
_DOUBTFUL: Final = frozenset(("grey", "black", "white", "brown"))
"""Colours that shadow, glare and haze give to things of another colour: in a photograph only the caption tells them."""
_ENOUGH: Final = 20_000
"""Of larger parts of an image every n-th pixel is taken: a mean of so many is as good as one of all."""
_GREY_CHROMA: Final = 10.0
_FLAT_SHARE: Final = 0.42
_understand = cache(understand)


@dataclass(frozen=True)
class Region:
    """A labelled box with the name by which a reader finds it."""

    index: int
    label: str
    bbox: BBox
    image: int
    name: str
    given: bool

    @property
    def at(self) -> str:
        """The box as text."""
        return geometry.literal(self.bbox)

    @property
    def area(self) -> float:
        """Share of the image, 0 to 1."""
        return geometry.area(self.bbox)


class Scene:
    """The images and facts of one request.

    `images` are decoded RGB arrays (height, width, 3), upright; `facts` is the request's facts block; `proposed`
    are boxes that earlier rounds proposed and that were confirmed.
    """

    def __init__(
        self, images: Sequence[Pixels], facts: Mapping[str, Any], proposed: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.images = tuple(_thinned(image) for image in images)
        self.caption = str(facts.get("caption") or "")
        self.topic = tuple(str(topic) for topic in facts.get("topic") or ())
        self.sizes = tuple((int(i["width"]), int(i["height"])) for i in facts.get("images") or ())
        self.regions = _regions(list(facts.get("boxes") or ()), list(proposed), self.caption)
        self._colours: dict[int, str | None] = {}
        self._brightness: dict[tuple[int, BBox], float] = {}

    @cached_property
    def facts(self) -> CaptionFacts:
        """What the caption states plainly."""
        return _understand(self.caption)

    @cached_property
    def grey(self) -> bool:
        """Whether the first image has no colour worth naming (a black-and-white photograph)."""
        if not self.images:
            return self.facts.monochrome
        pixels = self.images[0].reshape(-1, 3)[::7].astype(np.int16)
        return float(np.percentile(pixels.max(axis=1) - pixels.min(axis=1), 98)) < _GREY_CHROMA

    @cached_property
    def natural(self) -> bool:
        """Whether the first image has the fine grain of a photograph: few neighbouring pixels are equally bright."""
        if not self.images:
            return False
        steps = np.abs(np.diff(self.images[0].astype(np.int16).sum(axis=2), axis=1))
        return float((steps < 3).mean()) < _FLAT_SHARE

    def named(self, name: str) -> Region | None:
        """The region called `name` (with or without "the"; a label counts when one box has it), or None."""
        key = re.sub(r"^the\s+", "", name.strip(), flags=re.I).lower()
        for region in self.regions:
            if region.name.lower() == key:
                return region
        if boxed := re.fullmatch(r"(.+) at \[([\d., ]+)\]", key):
            numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", boxed.group(2))]
            region = self.boxed_as(_bbox(numbers)) if len(numbers) == 4 else None
            return (
                region if region is not None and boxed.group(1) in {region.label.lower(), region.name.lower()} else None
            )
        having = [region for region in self.regions if region.label.lower() == key]
        return having[0] if len(having) == 1 else None

    @property
    def charted(self) -> bool:
        """Whether the caption gives the numbers of a chart or table."""
        return self.facts.series is not None or self.facts.table is not None

    @cached_property
    def values(self) -> dict[str, float]:
        """The numbers of the caption's table, by the name a reader would use ("quantity of apples")."""
        table = self.facts.table
        if table is None:
            return {}
        columns = (("quantity of", table.quantities), ("unit price of", table.prices), ("amount for", table.amounts))
        cells = {
            f"{what} {item}": float(value)
            for what, column in columns
            for item, value in zip(table.items, column, strict=True)
        }
        return cells | {"total amount": round(sum(table.amounts), 2), "total quantity": float(sum(table.quantities))}

    def value(self, name: str) -> float | None:
        """The number of a chart's or table's entry, or None when the caption gives none."""
        series = self.facts.series
        known = series.value(name) if series else None
        return self.values.get(name.lower().removeprefix("the ")) if known is None else known

    def with_label(self, label: str) -> list[Region]:
        """The regions that carry `label` (singular or plural)."""
        key = singular(label.lower())
        return [region for region in self.regions if singular(region.label.lower()) == key]

    def boxed_as(self, box: BBox) -> Region | None:
        """The region whose box agrees with `box` within 0.01, or None."""
        return next((region for region in self.regions if geometry.same(region.bbox, box)), None)

    def brightness(self, box: BBox, image: int = 0) -> float:
        """Mean luma (Rec. 601) of a box, 0 (black) to 1 (white); 0.5 without pixels."""
        key = (image, box)
        if key not in self._brightness:
            pixels = self._crop(box, image)
            pixels = pixels[:: len(pixels) // _ENOUGH | 1]
            value = float((pixels @ np.array([0.299, 0.587, 0.114])).mean() / 255) if pixels.size else 0.5
            self._brightness[key] = value
        return self._brightness[key]

    def colour(self, region: Region) -> str | None:
        """The colour of the object in a region: the caption's word, else what is measured and clear; else None."""
        if region.index not in self._colours:
            told = self.told_colour(region.label)
            measured = self._measured(region)
            self._colours[region.index] = told or measured
        return self._colours[region.index]

    def told_colour(self, label: str) -> str | None:
        """The colour that the caption gives to a label, or that the label itself carries ("red circle")."""
        words = label.lower().split()
        colours = self.facts.colours
        own = next((word for word in words[:-1] if base_name(word)), None)
        if own:
            return own
        for known, colour in colours.items():
            if known.lower() == label.lower() or (known[:3].lower(), known.split()[-1]) == (words[0][:3], words[-1]):
                return colour
        return colours.get(singular(words[-1]))

    def _measured(self, region: Region) -> str | None:
        """The colour that fills the middle of a box, apart from smaller boxes on it, and that does not surround it."""
        if self.grey or region.area > 0.6 or region.image >= len(self.images):
            return None
        others = [
            r.bbox
            for r in self.regions
            if r is not region
            and r.image == region.image
            and geometry.overlap(r.bbox, region.bbox) > 0.15 * region.area
        ]
        if any(geometry.area(box) < region.area * 4 and not geometry.inside(region.bbox, box) for box in others):
            return None
        name, share = _leading(self._crop(_grown(region.bbox, -0.2), region.image))
        if self.natural and (name in _DOUBTFUL or share < _CLEAR_IN_NATURE):
            return None
        ring = shares(self._ring(region.bbox, region.image))
        return name if name and share >= _CLEAR_SHARE and ring.get(name, 0) < 0.4 else None

    def could_be(self, region: Region, colour: str) -> bool | None:
        """Whether the object in a region has `colour`: True, False, or None when neither is certain."""
        known = self.colour(region)
        if known is not None:
            return compatible(known, colour)
        base = base_name(colour)
        if base and not self.grey and shares(self._crop(region.bbox, region.image)).get(base, 0) < 0.01:
            near = [name for name in shares(self._crop(region.bbox, region.image)) if compatible(name, base) is None]
            return None if near else False
        return None

    def part_colour(self, part: str) -> str | None:
        """The colour that clearly prevails in one of PARTS of the first image, or None."""
        if self.grey or not self.images:
            return None
        name, share = _leading(self._crop(PARTS[part], 0))
        return name if share >= 0.55 else None

    def _crop(self, box: BBox, image: int) -> Pixels:
        if image >= len(self.images):
            return np.zeros((0, 3), np.uint8)
        pixels = self.images[image]
        height, width = pixels.shape[:2]
        left, top = int(box[0] * width), int(box[1] * height)
        right, bottom = max(int(np.ceil(box[2] * width)), left + 1), max(int(np.ceil(box[3] * height)), top + 1)
        return pixels[top:bottom, left:right].reshape(-1, 3)

    def _ring(self, box: BBox, image: int) -> Pixels:
        """The pixels around a box: the box grown by a quarter, without the box."""
        if image >= len(self.images):
            return np.zeros((0, 3), np.uint8)
        pixels = self.images[image]
        height, width = pixels.shape[:2]
        outer = _grown(box, 0.25)
        left, top = int(outer[0] * width), int(outer[1] * height)
        around = pixels[top : int(np.ceil(outer[3] * height)), left : int(np.ceil(outer[2] * width))]
        mask = np.ones(around.shape[:2], bool)
        rows = slice(int(box[1] * height) - top, int(np.ceil(box[3] * height)) - top)
        mask[rows, int(box[0] * width) - left : int(np.ceil(box[2] * width)) - left] = False
        return around[mask]


def _thinned(image: Pixels, side: int = 640) -> Pixels:
    """Every n-th pixel, so that the longer side has at most about `side`; enough for colours and brightness."""
    step = max(1, round(max(image.shape[:2]) / side))
    return image[::step, ::step, :3]


def _leading(pixels: Pixels) -> tuple[str, float]:
    found = shares(pixels)
    return next(iter(found.items())) if found else ("", 0.0)


def _grown(box: BBox, by: float) -> BBox:
    """The box with each side moved out (or in, when negative) by a share of its width or height, kept in the image."""
    dx, dy = (box[2] - box[0]) * by, (box[3] - box[1]) * by
    return max(box[0] - dx, 0), max(box[1] - dy, 0), min(box[2] + dx, 1), min(box[3] + dy, 1)


def _regions(given: list[Mapping[str, Any]], proposed: list[Mapping[str, Any]], caption: str) -> tuple[Region, ...]:
    rows = [(row, True) for row in given] + [(row, False) for row in proposed]
    labels = [str(row["label"]) for row, _ in rows]
    boxes = [_bbox(row["bbox"]) for row, _ in rows]
    called = names(labels, boxes)
    for i, label in enumerate(labels):
        if _one_of_many(label, labels.count(label), caption):
            called[i] = f"{label} at {geometry.literal(boxes[i])}"
    return tuple(
        Region(i, labels[i], boxes[i], int(row.get("image", 0)), called[i], is_given)
        for i, (row, is_given) in enumerate(rows)
    )


def _one_of_many(label: str, boxed: int, caption: str) -> bool:
    """Whether the caption speaks of more things of this kind than have boxes: the bare label would name none."""
    kind = label.rsplit(" ", maxsplit=1)[-1]
    told = _understand(caption).counts.get(kind)
    if told is not None:
        return told > boxed
    return boxed == 1 and plural(kind) != kind and bool(re.search(rf"\b{re.escape(plural(kind))}\b", caption, re.I))


def _bbox(values: Sequence[Any]) -> BBox:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2
