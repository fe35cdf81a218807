"""Claims about how things look: colours, brightness, sizes, the kind of image."""

from dataclasses import dataclass
from typing import ClassVar

from ..colours import compatible
from ..scene import PARTS, Scene
from .grammar import Claim


@dataclass(frozen=True)
class Coloured(Claim):
    """A thing has a colour."""

    name: str
    colour: str
    templates: ClassVar = (
        "the {name:name} is {colour:colour}",
        "the colour of the {name:name} is {colour:colour}",
        "the {name:name} has the colour {colour:colour}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the region's colour, or by the caption for a thing without a box."""
        region = scene.named(self.name)
        if region is not None:
            return scene.could_be(region, self.colour)
        told = scene.told_colour(self.name)
        return None if told is None else compatible(told, self.colour)


@dataclass(frozen=True)
class Prevailing(Claim):
    """One colour prevails in a part of the image."""

    part: str
    colour: str
    templates: ClassVar = (
        "the {part:part} of the image is mostly {colour:colour}",
        "most of the {part:part} of the image is {colour:colour}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the share of the pixels; None when no colour prevails."""
        known = scene.part_colour(self.part.lower())
        return None if known is None else compatible(known, self.colour)


@dataclass(frozen=True)
class Brighter(Claim):
    """On average one thing, or part of the image, is brighter than another."""

    one: str
    other: str
    templates: ClassVar = (
        "the {one:name} is brighter on average than the {other:name}",
        "the {one:name} is clearly brighter than the {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By mean luma; None when the two differ by less than 0.03."""
        one, other = lightness(scene, self.one), lightness(scene, self.other)
        if one is None or other is None or abs(one - other) < 0.03:
            return None
        return one > other


@dataclass(frozen=True)
class Light(Claim):
    """The mean brightness of a thing or part of the image, in percent of white."""

    name: str
    percent: float
    templates: ClassVar = (
        "the mean brightness of the {name:name} is about {percent:number}%",
        "the {name:name} has a mean brightness of about {percent:number}%",
    )

    def check(self, scene: Scene) -> bool | None:
        """Within two percent points."""
        known = lightness(scene, self.name)
        return None if known is None else abs(known * 100 - self.percent) <= 2


@dataclass(frozen=True)
class Larger(Claim):
    """The box of one thing covers more of the image than that of another."""

    one: str
    other: str
    templates: ClassVar = (
        "the {one:name} covers more of the image than the {other:name}",
        "the {one:name} takes up more of the image than the {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the areas of the boxes; None when they differ by less than a tenth."""
        one, other = scene.named(self.one), scene.named(self.other)
        if one is None or other is None:
            return None
        return None if max(one.area, other.area) < 1.1 * min(one.area, other.area) else one.area > other.area


@dataclass(frozen=True)
class Times(Claim):
    """The box of one thing is so many times as large as another's."""

    one: str
    other: str
    ratio: float
    templates: ClassVar = (
        "the box of the {one:name} is about {ratio:number} times as large as the box of the {other:name}",
        "the {one:name} covers about {ratio:number} times as much of the image as the {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """Within 5% or 0.06 of the ratio of the areas."""
        one, other = scene.named(self.one), scene.named(self.other)
        if one is None or other is None:
            return None
        known = one.area / other.area
        return abs(known - self.ratio) <= max(0.06, 0.05 * known)


@dataclass(frozen=True)
class Share(Claim):
    """The box of a thing covers so many percent of the image."""

    name: str
    percent: float
    templates: ClassVar = (
        "the box of the {name:name} covers about {percent:number}% of the image",
        "the {name:name} fills about {percent:number}% of the image",
    )

    def check(self, scene: Scene) -> bool | None:
        """Within one percent point."""
        region = scene.named(self.name)
        return None if region is None else abs(region.area * 100 - self.percent) <= 1


@dataclass(frozen=True)
class Toned(Claim):
    """The image is in colour or black and white."""

    tone: str
    templates: ClassVar = ("the image is {tone:tone}", "this is {tone:tone}")

    def check(self, scene: Scene) -> bool | None:
        """By the chroma of the pixels."""
        return ("black" in self.tone) == scene.grey


@dataclass(frozen=True)
class Shaped(Claim):
    """The image is wider than tall, or taller than wide."""

    shape: str
    templates: ClassVar = ("the image is {shape:shape}",)

    def check(self, scene: Scene) -> bool | None:
        """By the image's size in pixels."""
        if not scene.sizes or scene.sizes[0][0] == scene.sizes[0][1]:
            return None
        return (scene.sizes[0][0] > scene.sizes[0][1]) == self.shape.startswith("wider")


def lightness(scene: Scene, name: str) -> float | None:
    """Mean luma (0 to 1) of a region or of a part of the image ("upper half"), or None for an unknown name."""
    key = name.lower().removeprefix("the ").removesuffix(" of the image")
    if key in PARTS:
        return scene.brightness(PARTS[key])
    region = scene.named(key)
    return None if region is None else scene.brightness(region.bbox, region.image)
