"""The base of all claims: one list of templates both writes a claim and reads it back."""

import random
import re
from dataclasses import dataclass, fields
from functools import cache
from itertools import zip_longest
from typing import ClassVar, Final, Self

from ..colours import NAMES
from ..geometry import BBox
from ..scene import Scene
from ..words import NUMBER_WORDS, ORDINALS, figure, listed, number_of, split_list

NUMBER: Final = r"-?\d[\d,]*(?:\.\d+)?"
_COLOUR_WORDS: Final = "|".join(NAMES)
_SLOTS: Final = {
    "name": r"[\w][\w'\u2019/ -]*?(?: at \[[\d. ]+\])?",
    "names": r"[\w][\w'\u2019/, .\[\]-]*?",
    "number": NUMBER,
    "count": rf"\d+|{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))}|no",
    "colour": rf"(?:(?:light|dark|deep|pale|bright)[- ])?(?:[a-z]+-)?(?:{_COLOUR_WORDS}|gray|reddish|bluish|greenish)",
    "unit": r"(?: (?!times|higher|lower|more|less|of )(?:percentage points|[a-z%]+))?",
    "text": r"[^'\"“”]+(?:'\w[^'\"“”]*)*",
    "any": r".+?",
    "ordinal": "|".join(ORDINALS),
    "place": r"(?:(?:upper|middle|lower|higher|top|bottom) (?:left|middle|right)|centre"
    r"|(?:upper|lower|higher|top|bottom|left|right) half)"
    r"(?: part| corner)?",
    "side": r"to the left of|to the right of|above|below",
    "direction": r"from (?:left to right|right to left|top to bottom|bottom to top)",
    "extent": r"width|height",
    "extreme": r"(?:highest|lowest) value|(?:largest|smallest) box|(?:highest|lowest) mean brightness",
    "part": r"(?:upper|lower|left|right) half|(?:upper|lower)-(?:left|right) quarter",
    "tone": r"(?:a )?(?:black-and-white|colour)(?: photograph| image)?|in (?:black and white|colour)",
    "shape": r"wider than it is tall|taller than it is wide",
}


@dataclass(frozen=True)
class Claim:
    """A statement that is true or false of a scene.

    `templates` hold slots `{field:kind}`; the kinds are those of the grammar.
    """

    templates: ClassVar[tuple[str, ...]] = ()

    def say(self, rng: random.Random | None = None) -> str:
        """The claim without capital and full stop: in one of its phrasings when `rng` is given, else in the first."""
        template = rng.choice(self.templates) if rng else self.templates[0]
        return "".join(self._written(name, kind) if kind else name for name, kind in _pieces(template))

    def _written(self, name: str, kind: str) -> str:
        value = getattr(self, name)
        if kind == "names":
            return listed(value)
        if kind == "unit":
            return f" {value}" if value else ""
        return figure(value, 4) if kind == "number" else str(value)

    @classmethod
    def read(cls, clause: str) -> Self | None:
        """The claim that a clause states in one of the templates, or None."""
        for pattern, kinds in _patterns(cls):
            if match := pattern.fullmatch(clause):
                values = {name: _value(kinds[name], text or "") for name, text in match.groupdict().items()}
                known = {field.name for field in fields(cls)}
                return cls(**{name: value for name, value in values.items() if name in known})
        return None

    def check(self, scene: Scene) -> bool | None:
        """True or False as the scene shows it; None when it cannot be known."""
        raise NotImplementedError


@cache
def _pieces(template: str) -> tuple[tuple[str, str], ...]:
    """The template in pieces: (field, kind) for a slot, (text, "") for what stands between."""
    parts = re.split(r"\{(\w+):(\w+)\}", template)
    slots = zip(parts[1::3], parts[2::3], strict=True)
    return tuple(piece for text, slot in zip_longest(parts[::3], slots) for piece in ((text, ""), slot) if piece)


@cache
def _patterns(claim: type[Claim]) -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """The templates as patterns, the wordiest first, so that no slot swallows words of another template."""
    return [_pattern(template) for template in sorted(claim.templates, key=len, reverse=True)]


def _pattern(template: str) -> tuple[re.Pattern[str], dict[str, str]]:
    kinds: dict[str, str] = {}
    parts: list[str] = []
    for text, name, kind in re.findall(r"([^{]*)(?:\{(\w+):(\w+)\})?", template):
        parts.append(re.escape(text).replace(r"\ ", " "))
        if name:
            kinds[name] = kind
            parts.append(f"(?P<{name}>{_SLOTS[kind]})")
    return re.compile("".join(parts), re.I), kinds


def _value(kind: str, text: str) -> object:
    if kind == "number":
        return float(text.replace(",", ""))
    if kind == "count":
        return 0 if text.lower() == "no" else number_of(text)
    if kind == "names":
        return tuple(split_list(text))
    return text.strip().lower() if kind in {"colour", "unit"} else text.strip()


def parse_box(text: str) -> BBox:
    """The four numbers of a box literal."""
    x1, y1, x2, y2 = (float(part) for part in text.strip("[] ").split(","))
    return x1, y1, x2, y2


def all_known(*verdicts: bool | None) -> bool | None:
    """False when one is False, else None when one is None, else True."""
    if False in verdicts:
        return False
    return None if None in verdicts else True
