"""Claims about where things are: boxes, parts of the image, sides, orders, distances, nesting."""

from dataclasses import dataclass
from typing import ClassVar

from .. import geometry
from ..geometry import BBox
from ..scene import Scene
from .grammar import Claim

_SIDES = {"to the left of": "left", "to the right of": "right", "above": "above", "below": "below"}
_ROWS = {"higher": "upper", "top": "upper", "bottom": "lower"}
_ORDERS = {
    "from left to right": (0, False),
    "from right to left": (0, True),
    "from top to bottom": (1, False),
    "from bottom to top": (1, True),
}


@dataclass(frozen=True)
class Located(Claim):
    """A thing lies at a box; the box must be known, and be that thing's when the thing is known."""

    name: str
    box: BBox
    templates: ClassVar = ("the {name:name} is at {box:any}",)

    def _written(self, name: str, kind: str) -> str:
        return geometry.literal(self.box) if name == "box" else super()._written(name, kind)

    def check(self, scene: Scene) -> bool | None:
        """False for a box that nobody gave or that belongs to something else."""
        region = scene.boxed_as(self.box)
        if region is None:
            return False
        named = scene.named(self.name)
        if named is not None:
            return geometry.same(named.bbox, self.box)
        return True if self.name and region.label.lower() in self.name.lower() else None


@dataclass(frozen=True)
class Placed(Claim):
    """The centre of a thing lies in a named part of the image ("upper left", "centre", "right half")."""

    name: str
    place: str
    templates: ClassVar = (
        "the {name:name} is in the {place:place} of the image",
        "the {name:name} lies in the {place:place} of the image",
        "the {name:name} can be found in the {place:place} of the image",
        "the {name:name} is at the {place:place} of the image",
    )

    def check(self, scene: Scene) -> bool | None:
        """True in that ninth or half; False when the centre is clearly elsewhere."""
        region = scene.named(self.name)
        if region is None:
            return None
        said = self.place.lower().removesuffix(" part").removesuffix(" corner")
        place = " ".join(_ROWS.get(word, word) for word in said.split())
        if place.endswith(" half"):
            side = place.removesuffix(" half")
            known = geometry.half(region.bbox, "x" if side in {"left", "right"} else "y")
            return None if known is None else known == side
        known = geometry.ninth(region.bbox)
        return None if known is None else set(known.split()) == set(place.split())


@dataclass(frozen=True)
class Beside(Claim):
    """One thing lies to the left of, to the right of, above or below another."""

    one: str
    side: str
    other: str
    templates: ClassVar = (
        "the {one:name} is {side:side} the {other:name}",
        "the {one:name} lies {side:side} the {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the centres, when they are clearly apart."""
        one, other = scene.named(self.one), scene.named(self.other)
        return (
            None if one is None or other is None else geometry.beside(one.bbox, other.bbox, _SIDES[self.side.lower()])
        )


@dataclass(frozen=True)
class Ordered(Claim):
    """The centres of several things follow each other in a direction."""

    direction: str
    names: tuple[str, ...]
    templates: ClassVar = (
        "{direction:direction}, the order is {names:names}",
        "{direction:direction} come {names:names}",
        "{direction:direction}: {names:names}",
    )

    def check(self, scene: Scene) -> bool | None:
        """True when every centre lies beyond the one before it; None for unknown names."""
        regions = [scene.named(name) for name in self.names]
        axis, backwards = _ORDERS[self.direction.lower()]
        places = [geometry.centre(region.bbox)[axis] for region in regions if region]
        if len(places) < len(regions) or not places:
            return None
        return places == sorted(places, reverse=backwards)


@dataclass(frozen=True)
class Apart(Claim):
    """The centres of two things are so far apart, as a share of the image's width or height."""

    one: str
    other: str
    amount: float
    side: str
    templates: ClassVar = (
        "the centres of the {one:name} and the {other:name} are about {amount:number} of the image {side:extent} apart",
        "the {one:name} and the {other:name} lie about {amount:number} of the image {side:extent} apart",
    )

    def check(self, scene: Scene) -> bool | None:
        """Within 0.011, the rounding of two decimals on each side."""
        one, other = scene.named(self.one), scene.named(self.other)
        if one is None or other is None:
            return None
        known = geometry.distance(one.bbox, other.bbox, "x" if self.side == "width" else "y")
        return abs(known - self.amount) <= 0.011


@dataclass(frozen=True)
class Nearer(Claim):
    """Of two things, one lies nearer to a third, by the straight distance of the centres in the image's own units."""

    one: str
    other: str
    anchor: str
    templates: ClassVar = ("the {one:name} is nearer to the {anchor:name} than the {other:name} is",)

    def check(self, scene: Scene) -> bool | None:
        """By the centres; None when the distances differ by less than a tenth."""
        regions = [scene.named(name) for name in (self.one, self.other, self.anchor)]
        one, other, anchor = regions
        if one is None or other is None or anchor is None:
            return None
        near, far = (straight(scene, region.bbox, anchor.bbox) for region in (one, other))
        return None if abs(near - far) < 0.1 * max(near, far) else near < far


@dataclass(frozen=True)
class Within(Claim):
    """The box of one thing lies inside the box of another."""

    inner: str
    outer: str
    templates: ClassVar = ("the {inner:name} lies inside the box of the {outer:name}",)

    def check(self, scene: Scene) -> bool | None:
        """True when at least 95% of the inner box is covered."""
        inner, outer = scene.named(self.inner), scene.named(self.outer)
        return None if inner is None or outer is None else geometry.inside(inner.bbox, outer.bbox)


def straight(scene: Scene, one: BBox, other: BBox) -> float:
    """The distance of two centres as a share of the image's width, with the aspect ratio respected."""
    width, height = scene.sizes[0] if scene.sizes else (1, 1)
    dx, dy = geometry.distance(one, other, "x"), geometry.distance(one, other, "y") * height / width
    return (dx * dx + dy * dy) ** 0.5
