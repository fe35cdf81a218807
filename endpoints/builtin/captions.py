"""What a caption states plainly: titles, numeric series, tables, counts, colours and simple relations.

The grammar is small on purpose. A sentence that it does not know gives no fact, never a guess.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .colours import base_name
from .words import NUMBER, number_of, singular

_QUOTED: Final = re.compile(r"(?:'((?:[^']|'(?=\w))+)'(?!\w))|(?:\"([^\"]+)\")|(?:“([^”]+)”)")
_ENTRY: Final = re.compile(
    rf"([A-Z][\w-]*(?: [A-Z0-9][\w-]*)?|[a-z]+)(?::| is| at| with| has| reaches|)?"
    rf" \(?({NUMBER})(?: ?(%|[a-z]+))?\)?(?=,|;|\.(?:\s|$)| and |$)"
)
_ROW: Final = re.compile(rf"([a-z]+(?: [a-z]+)?) (\d+) at ({NUMBER}) for ({NUMBER})")
_UNITS: Final = {
    "millimetres": "mm",
    "millimeters": "mm",
    "mm": "mm",
    "centimetres": "cm",
    "kilograms": "kg",
    "kg": "kg",
    "litres": "litres",
    "degrees": "degrees",
    "percent": "percent",
    "%": "percent",
    "dollars": "dollars",
    "euros": "euros",
    "hours": "hours",
    "visitors": "visitors",
    "units": "units",
    "tonnes": "tonnes",
    "metres": "m",
    "kilometres": "km",
    "minutes": "minutes",
}
_STOP: Final = frozenset(
    (
        *("is", "are", "was", "lies", "lie", "stands", "stand", "rests", "rest", "shows", "show", "spread", "wears"),
        *("in", "on", "at", "of", "with", "without", "under", "over", "above", "below", "and", "or", "the", "a", "an"),
        *("to", "from", "by", "can", "be", "that", "which", "its", "their", "it", "has", "have", "near", "around"),
        *("behind", "beside", "between", "into", "onto", "hangs", "sits", "sit", "shine", "shines"),
    )
)
_PLACES: Final = r"(?:stands?|rests?|lies?|sits?|hangs?|is|are|mounted|(?:is|are) mounted)"
_RELATION: Final = re.compile(
    rf"\b(?:a|an|the|one) ([a-z-]+(?: [a-z-]+){{0,2}}?)(?: with [a-z ]+?)? {_PLACES} (?:upright )?"
    r"(on|under|beside|behind|inside|above|below) (?:a|an|the) ([a-z-]+(?: [a-z-]+){0,2}?)"
    r"(?= at |,|\.| with| under| and| in |$)",
    re.I,
)


@dataclass(frozen=True)
class Series:
    """Named numbers with one unit, in the order of the caption ("January 82, February 64")."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    unit: str = ""
    quantity: str = ""

    def value(self, name: str) -> float | None:
        """The number called `name`, by full name or by an abbreviation of at least three letters; None when unknown."""
        key = (
            name.lower().removeprefix("the ").removesuffix(" bar").removesuffix(" slice").removesuffix(" point").strip()
        )
        for known, value in zip(self.names, self.values, strict=True):
            low = known.lower()
            if key == low or (len(key) >= 3 and low.startswith(key)) or (len(low) >= 3 and key.startswith(low + " ")):
                return value
        return None


@dataclass(frozen=True)
class Table:
    """The rows of a priced list: item, quantity, unit price and amount, as the caption writes them."""

    items: tuple[str, ...]
    quantities: tuple[int, ...]
    prices: tuple[float, ...]
    amounts: tuple[float, ...]
    currency: str = ""


@dataclass(frozen=True)
class CaptionFacts:
    """Everything that was understood of one caption; empty fields where it says nothing plain."""

    quoted: tuple[str, ...] = ()
    series: Series | None = None
    table: Table | None = None
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers by singular noun phrase: the head noun and the phrase with its adjectives."""
    colours: dict[str, str] = field(default_factory=dict)
    """Colour words by singular head noun."""
    relations: tuple[tuple[str, str, str], ...] = ()
    grid: tuple[int, int] | None = None
    """Rows, and objects in each row."""
    monochrome: bool = False


def understand(caption: str) -> CaptionFacts:
    """The plain facts of a caption."""
    quoted = tuple(next(filter(None, match)) for match in _QUOTED.findall(caption))
    plain = _QUOTED.sub("'-'", caption)
    table = _table(plain)
    return CaptionFacts(
        quoted=quoted,
        series=None if table else _series(plain),
        table=table,
        counts=_counts(plain),
        colours=_colours(plain),
        relations=tuple(_relations(plain)),
        grid=_grid(plain),
        monochrome=bool(re.search(r"black[- ]and[- ]white|greyscale|grayscale|monochrome", plain, re.I)),
    )


def _unit(text: str) -> str:
    """The unit that is named before the numbers ("rainfall in millimetres: ..."), in its usual short form."""
    named = re.search(r"\bin ([a-z]+)(?=:)", text)
    if named:
        return _UNITS.get(named.group(1), named.group(1))
    return next((_UNITS[word] for word in re.findall(r"\bin ([a-z]+)|%", text) if word in _UNITS), "")


def _series(text: str) -> Series | None:
    """The longest run of "Name number" entries of one sentence; at least three with different names."""
    best: Series | None = None
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        tail = sentence.split(": ", 1)[-1]
        entries = _ENTRY.findall(tail)
        names = tuple(name for name, _, _ in entries if name.lower() not in _STOP)
        if len(entries) < 3 or len(set(names)) != len(entries):
            continue
        if best is None or len(names) > len(best.names):
            units = {unit for _, _, unit in entries if unit}
            unit = _UNITS.get(next(iter(units)), "") if len(units) == 1 else _unit(text)
            best = Series(names, tuple(float(value) for _, value, _ in entries), unit, _quantity(text))
    return best


def _quantity(text: str) -> str:
    match = re.search(r"\bshows? (?:the )?([a-z]+(?: [a-z]+)?) in [a-z]+", text)
    return match.group(1) if match else ""


def _table(text: str) -> Table | None:
    rows = _ROW.findall(text)
    if len(rows) < 2:
        return None
    currency = next((word for word in ("dollars", "euros", "pounds") if re.search(rf"\b{word}\b", text)), "")
    items, quantities, prices, amounts = zip(*rows, strict=True)
    return Table(
        tuple(item.split(" ")[-1] if item.startswith("and ") else item for item in items),
        tuple(int(n) for n in quantities),
        tuple(float(p) for p in prices),
        tuple(float(a) for a in amounts),
        currency,
    )


def _phrase(words: list[str]) -> list[str]:
    """The words of a noun phrase up to the first word that ends it."""
    phrase: list[str] = []
    for word in words:
        bare = word.lower().strip(",;:.")
        if bare in _STOP or not re.fullmatch(r"[a-z-]+", bare):
            break
        phrase.append(bare)
        if word[-1] in ",;:.":
            break
    return phrase


def _counts(text: str) -> dict[str, int]:
    """Numbers of things: a number word before a plural noun phrase of up to four words."""
    counts: dict[str, int] = {}
    for sentence in re.split(r"(?<=[.!?;])\s+", text):
        words = sentence.split()
        for at, word in enumerate(words):
            number = number_of(word.strip(","))
            phrase = _phrase(words[at + 1 : at + 6])
            if word.isdecimal() or number is None or number < 2 or not 1 <= len(phrase) <= 4 or word.endswith(","):
                continue
            noun = next((i for i, w in enumerate(phrase) if singular(w) != w), None)
            if noun is None or phrase[noun] in {"rows", "columns", "ones"}:
                continue
            phrase = phrase[: noun + 1]
            for name in {singular(phrase[-1]), singular(" ".join(phrase)), singular(" ".join(phrase[-2:]))}:
                counts.setdefault(name, number)
    return counts


def _colours(text: str) -> dict[str, str]:
    """Colour words by the noun they stand before, or that "is" them; mixed colours ("red and white") give nothing."""
    colours: dict[str, str] = {}
    words = text.split(" ")
    for at in range(len(words) - 2):
        if words[at + 1] == "and" and base_name(words[at]) and base_name(words[at + 2]):
            words[at] = words[at + 2] = "mixed"
    clean = re.sub(r"black-and-white", "mixed", " ".join(words), flags=re.I)
    for match in re.finditer(r"\b([a-z]+(?:-[a-z]+)?|deep [a-z]+) (?=([a-z-]+(?: [a-z-]+){0,2}))", clean, re.I):
        colour = match.group(1).lower().removeprefix("deep ")
        phrase = _phrase(match.group(2).split())
        if base_name(colour) and phrase and base_name(phrase[0]) is None:
            colours.setdefault(singular(phrase[-1]), colour)
    for match in re.finditer(r"\b([a-z]+(?: bar)?) (?:is|are) ([a-z]+(?:-[a-z]+)?)(?=[,.;]| and )", clean, re.I):
        noun, colour = match.group(1), match.group(2).lower()
        if all(base_name(part) for part in colour.split("-")[-1:]) and noun.lower() not in _STOP | {
            "some",
            "others",
            "one",
        }:
            colours.setdefault(singular(noun), colour)
    return colours


def _relations(text: str) -> Iterator[tuple[str, str, str]]:
    for match in _RELATION.finditer(text):
        if match.group(3).lower().split()[0] not in {"left", "right", "top", "bottom", "middle", "centre"}:
            yield match.group(1).lower(), match.group(2).lower(), match.group(3).lower()


def _grid(text: str) -> tuple[int, int] | None:
    match = re.search(r"\b([a-z-]+|\d+) rows of ([a-z-]+|\d+)\b", text, re.I)
    if not match:
        return None
    rows, each = number_of(match.group(1)), number_of(match.group(2))
    return (rows, each) if rows and each else None
