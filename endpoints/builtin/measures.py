"""Places of centres that a step states beside a box or of a named thing, read with the thing they belong to."""

import re
from collections.abc import Iterator
from typing import Final

from . import geometry
from .claims.grammar import Claim
from .claims.places import Placed
from .reading import BOX, box_of
from .scene import Region, Scene

_TOLERANCE: Final = 0.006
_VALUE: Final = r"-?\d+(?:\.\d+)?"
_OF_BOX: Final = re.compile(
    rf"(?P<box>{BOX.pattern}),? (?:with|so|and) (?:that )?its centre (?:is |lies )?"
    rf"(?:at (?P<axis>[xy]) = (?P<value>{_VALUE})|in the (?P<place>(?:upper|lower|left|right) half))",
    re.IGNORECASE,
)
_OF_NAME: Final = re.compile(
    rf"centre (?P<axis>[xy]) of the (?P<one>[^,.\[]+?)(?: at (?P<box>{BOX.pattern}))? is (?P<value>{_VALUE})"
    rf"(?: and that of the (?P<other>[^,.\[]+?)(?: at (?P<second>{BOX.pattern}))? is (?P<further>{_VALUE}))?",
    re.IGNORECASE,
)


def misplaced(scene: Scene, text: str) -> Iterator[str]:
    """Why a stated centre is not where the text says, one reason for each; unknown things give none."""
    for match in _OF_BOX.finditer(text):
        region = scene.boxed_as(box_of(match["box"]))
        if region and match["place"]:
            yield from _refuted(scene, Placed(region.name, match["place"].lower()))
        elif region:
            yield from _off(region, match["axis"], match["value"])
    for match in _OF_NAME.finditer(text):
        for name, box, value in (
            (match["one"], match["box"], match["value"]),
            (match["other"], match["second"], match["further"]),
        ):
            region = scene.boxed_as(box_of(box)) if box else scene.named(name or "")
            if region:
                yield from _off(region, match["axis"], value)


def _refuted(scene: Scene, claim: Claim) -> Iterator[str]:
    if claim.check(scene) is False:
        yield f'"{claim.say()}" is not true of the image'


def _off(region: Region, axis: str, value: str) -> Iterator[str]:
    known = geometry.centre(region.bbox)[0 if axis.lower() == "x" else 1]
    if abs(known - float(value)) > _TOLERANCE:
        yield f"the centre of the {region.name} is at {axis.lower()} = {known:.3f}, not {value}"
