"""All formed drafts of a scene: the same facts asked for in other task forms."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from ..drafts.draft import Draft
from ..scene import Region, Scene
from . import choosing, special, telling

_BY_DRAFT: Final = (choosing.multi_choice, telling.fill_in_the_blank, telling.rationales_generation)
_BY_SCENE: Final = (
    choosing.region_selection,
    choosing.object_region_matching,
    choosing.missing_object_selection,
    telling.instruction_following,
    telling.completeness_of_response,
    telling.coreference_resolution,
    telling.creative_content_generation,
    special.image_style_classification,
    special.art_type,
    special.depth_order,
    special.relative_distance,
    special.text_detection,
    special.text_translation,
)
_MOST_REGIONS: Final = 5
_CHARTLESS: Final = frozenset(
    {
        choosing.missing_object_selection,
        choosing.region_selection,
        telling.completeness_of_response,
        telling.coreference_resolution,
        telling.creative_content_generation,
        special.relative_distance,
    }
)


def formed(scene: Scene, drafts: Sequence[Draft], regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """The drafts in every form that suits them, and the forms that come from the scene itself."""
    for draft in drafts:
        for form in _BY_DRAFT:
            if (shaped := form(scene, draft, rng)) is not None:
                yield shaped
    yield from _matched(scene, drafts, rng)
    regions = [region for region in regions if " at [" not in region.name]
    regions = sorted(rng.sample(regions, min(len(regions), _MOST_REGIONS)), key=lambda region: region.index)
    for make in _BY_SCENE:
        if not scene.charted or make not in _CHARTLESS:
            yield from make(scene, regions, rng)


def _matched(scene: Scene, drafts: Sequence[Draft], rng: random.Random) -> Iterator[Draft]:
    """Statements to be matched with the image, from drafts of different families."""
    usable = [
        draft
        for draft in drafts
        if draft.short and draft.wrong and draft.short in draft.answer and draft.depth <= 4 and len(draft.answer) < 140
    ]
    for _ in range(min(12, len(usable))):
        chosen = rng.sample(usable, min(3, len(usable)))
        if len({draft.family for draft in chosen}) > 1 or len({draft.objects for draft in chosen}) == len(chosen):
            shaped = choosing.text_image_matching(scene, chosen, rng)
            if shaped is not None:
                yield shaped
