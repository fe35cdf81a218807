"""All drafts of a scene, in a fixed order, each question once."""

from typing import Final
from weakref import WeakKeyDictionary

from ..scene import Region, Scene
from .counts import counts
from .draft import Draft
from .looks import looks, parts
from .places import pairs_and_more, places
from .series import series
from .sizes import sizes
from .tables import tables

_MANY = 7
_FEW = 2
_GROUNDS: Final = frozenset(("lawn", "sky", "sea", "water", "table", "floor", "wall", "ground", "road", "background"))
_MOST_STEPS = 13
_POOLS: Final[WeakKeyDictionary[Scene, list[Draft]]] = WeakKeyDictionary()


def pool(scene: Scene) -> list[Draft]:
    """Every question that the rules know how to ask about `scene`, true of it and solved; worked out once a scene."""
    if scene not in _POOLS:
        _POOLS[scene] = _collected(scene)
    return _POOLS[scene]


def _collected(scene: Scene) -> list[Draft]:
    drafts: dict[str, Draft] = {}
    regions = worth_combining(scene)
    groups = pairs_and_more(regions)
    # A name that is a box tells where the thing is and how large, so only its looks can be asked about.
    in_words = [group for group in groups if not any(" at [" in region.name for region in group)]
    families = [series(scene), tables(scene), counts(scene)]
    if not scene.charted:
        families += [places(scene, in_words), sizes(scene, in_words), looks(scene, groups)]
    if len(in_words) < _FEW and scene.facts.table is None and not scene.charted:
        families.append(parts(scene))
    for family in families:
        for draft in family:
            if draft.depth <= _MOST_STEPS:
                drafts.setdefault(draft.question, draft)
    return list(drafts.values())


def worth_combining(scene: Scene) -> list[Region]:
    """The regions that can be named in words, at most seven of them, and no background that fills the image."""
    regions = [r for r in scene.regions if r.image == 0 and r.area < 0.9]
    things = [r for r in regions if r.label.lower() not in _GROUNDS]
    regions = things if len(things) >= 3 else regions
    in_words = [r for r in regions if " at [" not in r.name]
    regions = in_words if len(in_words) >= 3 else regions
    return regions[:: max(1, len(regions) // _MANY)][:_MANY]
