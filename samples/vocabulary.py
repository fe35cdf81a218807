"""The closed vocabularies of MMEvol (arXiv 2409.05840, section 3 and its published prompts).

The published pipeline let model-written labels drift from 9 to 134 in three rounds. Here the sets are closed: a label
is normalised to a member or the caller is told that it could not be.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

SKILLS: Final = (
    "Grounding",
    "Referencing",
    "Calculating",
    "OCR",
    "Existence",
    "Relationship Description",
    "Context Understanding",
    "Behavior Prediction",
    "Knowledge Integration",
)
MANIPULATIONS: Final = ("Grounding", "Referring", "Calculate", "OCR")
FORMS: Final = (
    "region_selection",
    "missing_object_selection",
    "text_image_matching",
    "object_region_matching",
    "completeness_of_response",
    "fill_in_the_blank",
    "image_style_classification",
    "art_type",
    "rationales_generation",
    "text_detection",
    "text_translation",
    "coreference_resolution",
    "instruction_following",
    "depth_order",
    "relative_distance",
    "creative_content_generation",
    "multi_choice",
)
OPEN: Final = "open"
"""The form of seeds that were written freely ("Norm" in MMEvol's files); never a target of an evolution."""

_SKILL_SYNONYMS: Final = {
    "localization": "Grounding",
    "localisation": "Grounding",
    "location": "Grounding",
    "referring": "Referencing",
    "reference": "Referencing",
    "attribute recognition": "Referencing",
    "color recognition": "Referencing",
    "colour recognition": "Referencing",
    "calculation": "Calculating",
    "calculate": "Calculating",
    "counting": "Calculating",
    "count": "Calculating",
    "comparison": "Calculating",
    "arithmetic": "Calculating",
    "optical character recognition": "OCR",
    "text recognition": "OCR",
    "reading": "OCR",
    "existing": "Existence",
    "object recognition": "Existence",
    "recognition": "Existence",
    "relationship": "Relationship Description",
    "relation": "Relationship Description",
    "spatial reasoning": "Relationship Description",
    "spatial relationship": "Relationship Description",
    "context": "Context Understanding",
    "scene understanding": "Context Understanding",
    "behaviour prediction": "Behavior Prediction",
    "prediction": "Behavior Prediction",
    "knowledge": "Knowledge Integration",
    "world knowledge": "Knowledge Integration",
    "commonsense": "Knowledge Integration",
    "common sense": "Knowledge Integration",
}
_MANIPULATION_SYNONYMS: Final = {
    "ground": "Grounding",
    "refer": "Referring",
    "referencing": "Referring",
    "calculation": "Calculate",
    "calculating": "Calculate",
    "count": "Calculate",
    "counting": "Calculate",
    "optical character recognition": "OCR",
    "read": "OCR",
}
_FORM_SYNONYMS: Final = {
    "norm": OPEN,
    "normal": OPEN,
    "open ended": OPEN,
    "multiple choice": "multi_choice",
    "multichoice": "multi_choice",
    "fill in blank": "fill_in_the_blank",
    "rationale generation": "rationales_generation",
    "coreference": "coreference_resolution",
    "style classification": "image_style_classification",
}


@lru_cache(maxsize=1024)
def _key(label: str) -> str:
    """Lower-case words without punctuation, numbering or a trailing "ability" or "skill"."""
    words = re.sub(r"[^a-z]+", " ", label.lower()).split()
    while len(words) > 1 and words[-1] in {"ability", "abilities", "skill", "skills"}:
        words.pop()
    return " ".join(words)


def _lookup(members: tuple[str, ...], synonyms: Mapping[str, str]) -> dict[str, str]:
    return {_key(member): member for member in members} | {_key(word): member for word, member in synonyms.items()}


_SKILLS = _lookup(SKILLS, _SKILL_SYNONYMS)
_MANIPULATIONS = _lookup(MANIPULATIONS, _MANIPULATION_SYNONYMS)
_FORMS = _lookup((*FORMS, OPEN), _FORM_SYNONYMS)


def normalise_skill(label: str) -> str | None:
    """The ability that `label` names ("counting", "OCR ability", ...), or None when it names none of the nine."""
    return _SKILLS.get(_key(label))


def normalise_form(label: str) -> str | None:
    """The task form that `label` names, "open" for the seeds' "Norm", or None when it is none of the 17."""
    return _FORMS.get(_key(label))


def normalise_manipulation(label: str | None) -> str | None:
    """The manipulation that `label` names: "Grounding_2(cup)->bbx_2" gives "Grounding"; None for anything else."""
    return _MANIPULATIONS.get(_key((label or "").split("(")[0]))
