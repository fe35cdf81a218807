"""A question with its worked solution, and the chain that builds the solution step by step."""

import random
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final

from ....samples.vocabulary import OPEN
from ..claims.grammar import Claim
from ..claims.places import Located
from ..reading import posed
from ..scene import Region, Scene
from ..scoring import Complexity, complexity, weighed, work_of
from ..words import capital, figure, singular

Step = tuple[str | None, str]
_BY_WORDING: Final = frozenset(("taken away", "place", "colour", "largest in row"))
_NUMBERED: Final = re.compile(r"(\w+)_(\d+)\((.*)\)->([a-z]{3})_\2")


@dataclass(frozen=True)
class Draft:
    """One question that is true of a scene.

    `short` are the words of the answer that carry it, `wrong` are false ones in their place.
    """

    family: str
    objects: tuple[str, ...]
    skills: tuple[str, ...]
    question: str
    steps: tuple[Step, ...]
    answer: str
    short: str = ""
    wrong: tuple[str, ...] = ()
    form: str = OPEN
    fineness: float = 0.5
    """How small or rare the thing asked about is, 0 to 1."""

    @property
    def depth(self) -> int:
        """How many steps the solution takes."""
        return len(self.steps)

    @cached_property
    def weight(self) -> float:
        """About how complex the question is, on the scale of the scores, from its outline alone."""
        finding = sum((manipulation or "").startswith("Grounding") for manipulation, _ in self.steps)
        kinds = {(manipulation or "").partition("_")[0] for manipulation, _ in self.steps}
        compares = len(self.objects) > 1 or bool(kinds & {"Calculate"})
        work = work_of(finding, self.depth - finding)
        return weighed(len(self.skills), work, len(self.subjects), compares=compares, form=self.form)

    @cached_property
    def complexity(self) -> Complexity:
        """How complex the question is when it is read as a judge would read it."""
        return complexity(posed(self.reply("")))

    @cached_property
    def plain_text(self) -> str:
        """The question in lower case with single spaces."""
        return " ".join(self.question.lower().split())

    @cached_property
    def key(self) -> tuple[str, frozenset[str]]:
        """What it asks of which things, whatever its wording."""
        return self.family + (self.question if self.family in _BY_WORDING else ""), self.subjects

    @cached_property
    def subjects(self) -> frozenset[str]:
        """The things it is about, comparable with those of other questions."""
        return subjects(self.objects)

    def reply(self, qa_id: str) -> dict[str, Any]:
        """The evolved question as the fields of a reply."""
        return {
            "id": qa_id,
            "objects": list(self.objects),
            "skills": list(self.skills),
            "form": self.form,
            "question": self.question,
            "steps": [{"manipulation": manipulation, "description": text} for manipulation, text in self.steps],
            "answer": self.answer,
            "proposed_boxes": [],
        }


def subjects(objects: Iterable[str]) -> frozenset[str]:
    """The things a question is about, comparable: lower case, singular, without the word for a chart's mark."""
    return frozenset(_subject(name) for name in objects)


@lru_cache(4096)
def _subject(name: str) -> str:
    return singular(re.sub(r" (?:bar|slice|point)$", "", name.lower()))


class Chain:
    """Collects steps, numbers the manipulations and notes the abilities they need."""

    def __init__(self, *skills: str) -> None:
        self.steps: list[Step] = []
        self._skills = dict.fromkeys(skills)
        self._numbers: Counter[str] = Counter()

    @property
    def skills(self) -> tuple[str, ...]:
        """The abilities, in the order they were first needed."""
        return tuple(self._skills)

    def _next(self, what: str, skill: str) -> int:
        self._skills[skill] = None
        self._numbers[what] += 1
        return self._numbers[what]

    def ground(self, region: Region, note: str = "") -> str:
        """Finds a region; gives the name of its box."""
        number = self._next("Grounding", "Grounding")
        name = region.name.split(" at [")[0]
        self.steps.append(
            (f"Grounding_{number}({name})->bbx_{number}", sentence(Located(name, region.bbox).say() + note))
        )
        return f"bbx_{number}"

    def refer(self, what: str, text: str) -> None:
        """Looks closely at a box or a part of the image."""
        number = self._next("Referring", "Referencing")
        self.steps.append((f"Referring_{number}({what})->tgt_{number}", sentence(text)))

    def calculate(self, expression: str, result: float, text: str = "", places: int = 4) -> str:
        """Works out an expression; the description starts with it and its result. Gives the result as text."""
        number = self._next("Calculate", "Calculating")
        shown = figure(result, places)
        sign = "=" if abs(float(shown) - result) < 1e-9 else "≈"
        tail = f", so {text}" if text else ""
        self.steps.append((f"Calculate_{number}({expression})->res_{number}", f"{expression} {sign} {shown}{tail}."))
        return shown

    def read(self, what: str, text: str) -> None:
        """Reads a text of the image."""
        number = self._next("OCR", "OCR")
        self.steps.append((f"OCR_{number}({what})->txt_{number}", sentence(text)))

    def think(self, text: str | Claim) -> None:
        """A step of plain thought."""
        self.steps.append((None, sentence(text if isinstance(text, str) else text.say())))


def merged(*parts: Iterable[Step]) -> tuple[Step, ...]:
    """The steps of several solutions after each other, renumbered, each found fact once."""
    result: list[Step] = []
    numbers: Counter[str] = Counter()
    known: dict[str, str] = {}
    for steps in parts:
        names: dict[str, str] = {}
        for manipulation, text in steps:
            match = _NUMBERED.fullmatch(manipulation or "")
            if match and text not in known:
                what, target, kind = match.group(1), match.group(3), match.group(4)
                numbers[what] += 1
                known[text] = names[f"{kind}_{match.group(2)}"] = f"{kind}_{numbers[what]}"
                target = _renamed(target, names)
                result.append((f"{what}_{numbers[what]}({target})->{known[text]}", text))
            elif match:
                names[f"{match.group(4)}_{match.group(2)}"] = known[text]
            elif (manipulation, text) not in result:
                result.append((manipulation, text))
    return tuple(result)


def _renamed(target: str, names: dict[str, str]) -> str:
    """`target` with the results it refers to ("bbx_1") under their new names."""
    return re.sub(r"\b[a-z]{3}_\d+", lambda found: names.get(found.group(), found.group()), target)


def sentence(text: str) -> str:
    """`text` with a capital letter and a full stop."""
    return capital(text) + ("" if text.endswith((".", "!", "?")) else ".")


def phrasing(scene: Scene, *parts: object) -> random.Random:
    """A generator that depends only on the caption and `parts`: the same thing is always worded in the same way."""
    return random.Random(zlib.crc32(repr((scene.caption, parts)).encode()))


def fineness(regions: Iterable[Region]) -> float:
    """How small the regions are: 1 for tiny ones, 0 for one that fills the image."""
    return 1 - max((region.area for region in regions), default=0.5) ** 0.5


def in_words(regions: Iterable[Region]) -> list[str]:
    """The names of the regions with their articles."""
    return [f"the {region.name}" for region in regions]


def with_form(draft: Draft, form: str, **changes: Any) -> Draft:
    """The draft in another task form, with other fields replaced."""
    return replace(draft, form=form, **changes)
