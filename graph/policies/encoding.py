"""Feature set v1 as named numbers, which weights and linear models work on."""

import math
from collections.abc import Mapping
from typing import Any, Final

NAMES: Final = (
    "bias", "first", "round", "complexity", "unjudged", "objects", "skills", "steps", "boxes", "questions", "images",
    "caption", "megapixels",
)  # fmt: skip
"""The numbers that every round has."""
PREFIXES: Final = ("kind=", "form=", "last=", "accepted:")
"""How the names of the others begin."""


def encode(features: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of `features`, most of them between 0 and 1; a name that is missing counts 0.

    | name | value |
    |---|---|
    | bias | 1 |
    | first | 1 in the first round |
    | round | (round - 1) / 3 |
    | complexity | complexity / 10, 0 while unjudged |
    | unjudged | 1 while the complexity is unknown |
    | objects, skills, steps | the mean number / 5 |
    | boxes | log(1 + boxes) / 3 |
    | questions | log(questions) / 2 |
    | images | log(images) |
    | caption | 1 with a caption |
    | megapixels | log(1 + megapixels) |
    | kind=KIND | 1 for an image of that kind |
    | form=FORM | 1 when a question has that form |
    | last=DIRECTION | 1 when the round before went that way |
    | accepted:DIRECTION | the share of that round's pairs that were accepted |
    """
    score, last = features["complexity"], features["last_direction"]
    found = {
        "bias": 1.0,
        "first": float(features["round"] == 1),
        "round": (features["round"] - 1) / 3,
        "complexity": 0.0 if score is None else score / 10,
        "unjudged": float(score is None),
        "objects": features["objects"] / 5,
        "skills": features["skills"] / 5,
        "steps": features["steps"] / 5,
        "boxes": math.log1p(features["boxes"]) / 3,
        "questions": math.log(max(1, features["questions"])) / 2,
        "images": math.log(max(1, features["images"])),
        "caption": float(features["has_caption"]),
        "megapixels": math.log1p(features["megapixels"]),
        f"kind={features['kind']}": 1.0,
    }
    found |= {f"form={form}": 1.0 for form in features["forms"]}
    if last is not None:
        found |= {f"last={last}": 1.0, f"accepted:{last}": features["last_accepted"]}
    return found
