"""Planted defects: evolved questions spoiled on purpose, to see whether judges, screens and evidence notice.

A plant is written KIND:RATE, the rate a share of the evolved questions (0 to 1). A question that a kind does not suit
(no number, no choices) is left sound. What was spoiled is told by the server's /planted alone, never in a reply.
"""

import difflib
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import EvolgraphError
from .colours import NAMES
from .faults import share
from .words import NUMBER_WORDS

Row = dict[str, Any]
Spoil = Callable[[Row, Mapping[str, Any], random.Random], Row | None]
"""From an evolved question and its parent to the spoiled question; None where the kind does not suit it."""

_BOX: Final = re.compile(r"\[\s*\d\.\d+(?:,\s*\d\.\d+){3}\s*\]")
_WORDS: Final = {number: word for word, number in NUMBER_WORDS.items()}
_COUNT: Final = re.compile(rf"(?<![\w.,%$-])(\d{{1,2}}|{'|'.join(_WORDS[n] for n in range(2, 13))})(?![\w%.,-]*\d)\b")
_COLOUR: Final = re.compile(rf"\b({'|'.join(NAMES)})\b")
_SUM: Final = re.compile(r"(=\s*|≈\s*)(-?\d+(?:\.\d+)?)")
_OPPOSITES: Final = {
    one: other
    for pair in (
        ("left", "right"), ("above", "below"), ("larger", "smaller"), ("largest", "smallest"), ("closer", "farther"),
        ("higher", "lower"), ("highest", "lowest"), ("more", "fewer"), ("inside", "outside"), ("top", "bottom"),
        ("wider", "narrower"), ("taller", "shorter"), ("darker", "brighter"),
    )
    for one, other in (pair, pair[::-1])
}  # fmt: skip
_RELATION: Final = re.compile(rf"\b({'|'.join(_OPPOSITES)})\b")
_LEAKED: Final = (
    "As the facts say, ",
    "According to the caption, ",
    "Improving on the original question: ",
    "Using the given box from the data block, ",
)


class PlantError(EvolgraphError):
    """A planted defect that cannot be read as it is written."""

    kind = "plant"


def _invented_box(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    cited = sorted(set(_BOX.findall(_all_text(row))))
    if not cited:
        return None
    x, y = rng.uniform(0.02, 0.6), rng.uniform(0.02, 0.6)
    made = f"[{x:.3f}, {y:.3f}, {x + rng.uniform(0.1, 0.35):.3f}, {y + rng.uniform(0.1, 0.35):.3f}]"
    old = rng.choice(cited)
    return _everywhere(row, lambda text: text.replace(old, made))


def _wrong_count(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    found = _COUNT.search(row["answer"])
    if not found:
        return None
    said = found[1]
    number = int(said) if said.isdigit() else NUMBER_WORDS[said]
    wrong = number + (1 if number < 2 else rng.choice((-1, 1)))
    made = str(wrong) if said.isdigit() else _WORDS[wrong]
    return row | {"answer": row["answer"][: found.start()] + made + row["answer"][found.end() :]}


def _wrong_colour(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    found = _COLOUR.search(row["answer"])
    if not found:
        return None
    old = found[1]
    asked = set(_COLOUR.findall(row["question"]))
    far = [name for name in _FAR[old] if name not in asked]
    if not far:
        return None
    new = rng.choice(far)
    return _told(row, lambda text: re.sub(rf"\b{old}\b", new, text))


def _wrong_sum(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    for index, step in enumerate(row["steps"]):
        found = _SUM.search(step["description"])
        if found and str(step["manipulation"] or "").startswith("Calculate"):
            wrong = _off(found[2], rng)
            text = step["description"][: found.start(2)] + wrong + step["description"][found.end(2) :]
            steps = [*row["steps"]]
            steps[index] = step | {"description": text}
            return row | {"steps": steps}
    return None


def _not_a_choice(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    if row["form"] != "multi_choice" or "\nA. " not in row["question"]:
        return None
    return row | {"answer": rng.choice(("F. None of these", "The lantern behind the door", "E. The grey bicycle"))}


def _blind(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    del rng
    answer = row["answer"].rstrip(".")
    return row | {"question": f"It is known that {answer[:1].lower()}{answer[1:]}. {row['question']}"}


def _copied_parent(row: Row, parent: Mapping[str, Any], _: random.Random) -> Row | None:
    steps = [{"manipulation": s.get("manipulation"), "description": s["description"]} for s in parent.get("steps", ())]
    same = {name: parent[name] for name in ("objects", "skills", "form", "question", "answer")}
    return row | same | {"steps": steps, "proposed_boxes": []}


def _leaked_words(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    question = row["question"]
    return row | {"question": f"{rng.choice(_LEAKED)}{question[:1].lower()}{question[1:]}"}


def _wrong_relation(row: Row, _: Mapping[str, Any], rng: random.Random) -> Row | None:
    del rng
    # A word that the question uses too may only name a thing ("the left cup").
    found = next((word for word in _RELATION.findall(row["answer"]) if word not in row["question"]), None)
    if found is None:
        return None
    return _told(row, lambda text: re.sub(rf"\b{found}\b", _OPPOSITES[found], text))


PLANTS: Final[Mapping[str, Spoil]] = {
    "invented-box": _invented_box,
    "wrong-count": _wrong_count,
    "wrong-colour": _wrong_colour,
    "wrong-sum": _wrong_sum,
    "not-a-choice": _not_a_choice,
    "blind": _blind,
    "copied-parent": _copied_parent,
    "leaked-words": _leaked_words,
    "wrong-relation": _wrong_relation,
}


@dataclass(frozen=True, slots=True)
class Plant:
    """A kind of defect and the share of evolved questions that shall have it."""

    kind: str
    rate: float


def parse_plants(texts: Iterable[str]) -> tuple[Plant, ...]:
    """The plants that `texts` write; `all:RATE` spreads the rate over every kind. Raises PlantError."""
    found: list[Plant] = []
    for text in texts:
        kind, _, amount = text.partition(":")
        try:
            rate = float(amount)
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= 1:
            raise PlantError(f"{text!r} is no plant", where="--plant", remedy="write KIND:RATE, the rate from 0 to 1")
        if kind == "all":
            found += [Plant(name, rate / len(PLANTS)) for name in PLANTS]
        elif kind in PLANTS:
            found.append(Plant(kind, rate))
        else:
            near = difflib.get_close_matches(kind, PLANTS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: all, {', '.join(PLANTS)}"
            raise PlantError(f"no defect is called {kind!r}", where="--plant", remedy=hint)
    if sum(plant.rate for plant in found) > 1 + 1e-9:
        raise PlantError("the rates add up to more than 1", where="--plant", remedy="at most 1 in all")
    return tuple(found)


def planted(
    evolved: Sequence[Row], questions: Sequence[Mapping[str, Any]], plants: Sequence[Plant], seed: int
) -> tuple[list[Row], dict[str, str]]:
    """The reply's rows, some of them spoiled, and the kinds of those by question id.

    Which ones depends on `seed` and the rows alone. A row that came back as it was is left alone.
    """
    parents = {str(parent["id"]): parent for parent in questions}
    rows, kinds = [], dict[str, str]()
    for row in evolved:
        parent = parents[row["id"]]
        kind = None if row["question"] == parent["question"] else _drawn(plants, seed, row)
        rng = random.Random(repr((seed, row["id"], kind)))
        spoiled = PLANTS[kind](row, parent, rng) if kind else None
        if kind and spoiled is not None and spoiled != row:
            kinds[row["id"]] = kind
            rows.append(spoiled)
        else:
            rows.append(row)
    return rows, kinds


def _drawn(plants: Sequence[Plant], seed: int, row: Row) -> str | None:
    left = share(seed, row["id"], row["question"])
    for plant in plants:
        left -= plant.rate
        if left < 0:
            return plant.kind
    return None


def _off(number: str, rng: random.Random) -> str:
    decimals = len(number.partition(".")[2])
    value = float(number)
    step = max(abs(value) * rng.uniform(0.15, 0.6), 2 * 10**-decimals)
    return f"{value + rng.choice((-1, 1)) * step:.{decimals}f}"


def _all_text(row: Row) -> str:
    return "\n".join([row["question"], row["answer"], *(step["description"] for step in row["steps"])])


def _told(row: Row, change: Callable[[str], str]) -> Row:
    """The row with its answer and steps changed, as a model that errs would write both."""
    steps = [step | {"description": change(step["description"])} for step in row["steps"]]
    return row | {"answer": change(row["answer"]), "steps": steps}


def _everywhere(row: Row, change: Callable[[str], str]) -> Row:
    return _told(row, change) | {"question": change(row["question"])}


_FAR: Final = {
    "black": ("white", "yellow", "green"), "grey": ("red", "green", "purple"), "white": ("black", "red", "blue"),
    "red": ("green", "blue", "white"), "orange": ("blue", "green", "white"), "yellow": ("blue", "purple", "black"),
    "green": ("red", "purple", "white"), "turquoise": ("red", "orange", "black"), "blue": ("red", "yellow", "orange"),
    "purple": ("green", "yellow", "white"), "pink": ("green", "blue", "black"), "brown": ("blue", "turquoise", "white"),
}  # fmt: skip
