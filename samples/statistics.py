"""What a set of samples holds, counted as it is read."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from .sample import Sample

_SHOWN: Final = 20
"""Objects that are told by name."""


@dataclass(slots=True)
class Statistics:
    """Counts over samples. Memory grows with the distinct images and object names only."""

    samples: int = 0
    rejected: int = 0
    questions: int = 0
    boxes: int = 0
    captions: int = 0
    captions_only: int = 0
    steps: int = 0
    words: int = 0
    images_each: Counter[int] = field(default_factory=Counter)
    images: set[bytes] = field(default_factory=set)
    sides: Counter[int] = field(default_factory=Counter)
    converted: Counter[str] = field(default_factory=Counter)
    skills: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)

    def add(self, sample: Sample) -> None:
        """Counts `sample`."""
        self.samples += 1
        self.boxes += len(sample.boxes)
        self.captions += bool(sample.caption)
        self.captions_only += not sample.qas
        self.images_each[len(sample.images)] += 1
        for image in sample.images:
            digest = bytes.fromhex(image.sha256)[:12]
            if digest not in self.images:
                self.images.add(digest)
                self.sides[max(image.width, image.height)] += 1
                self.converted.update(image.converted)
        for qa in sample.qas:
            self.questions += 1
            self.steps += len(qa.steps)
            self.words += len(qa.question.split())
            self.skills.update(qa.skills)
            self.objects.update(qa.objects)
            self.forms[qa.form] += 1

    def told(self) -> dict[str, Any]:
        """The counts as plain JSON: of objects the commonest, of sizes the longer sides in pixels."""
        sides = sorted(self.sides.elements())
        sizes = {"least": sides[0], "median": sides[len(sides) // 2], "greatest": sides[-1]} if sides else {}
        each = max(self.questions, 1)
        return {
            "rows": self.samples + self.rejected,
            "samples": self.samples,
            "quarantined": self.rejected,
            "images": len(self.images),
            "images_per_sample": {str(count): times for count, times in sorted(self.images_each.items())},
            "longer_sides": sizes,
            "converted": dict(self.converted.most_common()),
            "with_caption": self.captions,
            "captions_only": self.captions_only,
            "boxes": self.boxes,
            "questions": self.questions,
            "words_per_question": round(self.words / each, 2),
            "steps_per_question": round(self.steps / each, 2),
            "skills": dict(self.skills.most_common()),
            "forms": dict(self.forms.most_common()),
            "different_objects": len(self.objects),
            "objects": dict(self.objects.most_common(_SHOWN)),
        }
