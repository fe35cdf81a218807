"""What a judge may take as given beside the pixels: the boxes, the caption, and the sample's present questions."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from . import geometry
from .geometry import BBox
from .reading import Posed, tokens
from .scene import PARTS, Scene
from .words import singular

_WHOLE: Final = frozenset(
    ("image", "picture", "photo", "photograph", "scene", "drawing", "colour", "color", "background", "foreground")
)
_TEXTS: Final = ("title", "heading", "text", "label", "caption", "word")


@dataclass(frozen=True, eq=False)
class Told:
    """The facts for one pair: its scene, its own parent, and the sample's further questions in `others`."""

    scene: Scene
    parent: Posed
    others: tuple[Posed, ...]

    @cached_property
    def words(self) -> frozenset[str]:
        """Every content word of the caption, the topic, the labels and the sample's questions."""
        asked = [f"{known.question} {known.answer} {' '.join(known.objects)}" for known in (self.parent, *self.others)]
        labels = [f"{region.label} {region.name}" for region in self.scene.regions]
        return frozenset().union(*map(tokens, [self.scene.caption, *self.scene.topic, *asked, *labels]))

    @cached_property
    def _lines(self) -> list[frozenset[str]]:
        """The content words of each statement that counts as given."""
        known = (self.parent, *self.others)
        text = " ".join([self.scene.caption, *(f"{one.work} {one.answer}" for one in known)])
        pairs = [tokens(f"{one.question} {one.answer}") for one in known]
        return [*map(tokens, re.split(r"(?<=[.!?])\s+", text)), *pairs]

    def restates(self, words: frozenset[str]) -> bool:
        """Whether one given statement holds all of these words."""
        return any(words <= line for line in self._lines)

    def gives(self, evolved: Posed) -> str:
        """The texts whose numbers and colours the answer may use: caption, parent, answers that it repeats whole."""
        said = tokens(evolved.answer)
        repeated = [known.answer for known in self.others if tokens(known.answer) and tokens(known.answer) <= said]
        return " ".join([self.scene.caption, self.parent.answer, *repeated])

    def boxed(self, box: BBox) -> bool:
        """Whether a box is a known one, or one that the sample's questions already cite."""
        if self.scene.boxed_as(box) is not None:
            return True
        return any(geometry.same(box, cited) for known in (self.parent, *self.others) for cited in known.boxes)

    def exists(self, name: str) -> bool:
        """Whether it is a region, a part of the image, an entry of the caption's numbers, or named in what is given."""
        key = singular(re.sub(r"^(?:the|a|an)\s+", "", name.strip().lower()))
        if key in _WHOLE or (self.scene.facts.quoted and key in _TEXTS):
            return True
        bare = re.sub(r" (?:at|in) \[.*| of the image$", "", key)
        if self.scene.named(bare) or self.scene.with_label(bare) or bare in PARTS or self.scene.value(bare) is not None:
            return True
        return bool(tokens(bare)) and tokens(bare) <= self.words
