"""What is said of a scene: a caption that leaves some things out, and simple questions with true answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .backdrops import Place
from .figures import FIGURES, Figure
from .picture import Fact, PixelBox

_NUMBERS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_CLEAR: Final = 0.08
"""How far, as a fraction of the image, a centre lies from the border between two parts for the part to be named."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing in a scene, its colour's name, and its box in pixels."""

    figure: Figure
    colour: str
    box: PixelBox

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def told(rng: Random, place: Place, seen: Sequence[Seen], size: tuple[int, int]) -> tuple[str, tuple[Fact, ...]]:
    """The caption, and every question that may be asked, in a random order."""
    groups: dict[str, list[Seen]] = {}
    for one in sorted(seen, key=lambda one: one.box[0]):
        groups.setdefault(one.figure.name, []).append(one)
    facts = [
        *_counts(rng, groups),
        *_colours(rng, groups),
        *_existence(rng, place, groups),
        *_uses(rng, groups),
        *_positions(groups, size),
        *_relations(rng, groups),
    ]
    rng.shuffle(facts)
    return _caption(rng, place, groups, size), tuple(facts)


def number(count: int) -> str:
    """A small number in words."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def with_article(noun: str) -> str:
    """`noun` with "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _common_colour(group: Sequence[Seen]) -> str | None:
    colours = {one.colour for one in group}
    return colours.pop() if len(colours) == 1 else None


def _caption(rng: Random, place: Place, groups: dict[str, list[Seen]], size: tuple[int, int]) -> str:
    where = rng.choice(place.told)
    names = [_phrase(rng, group) for group in groups.values()]
    rng.shuffle(names)
    things = listed(names)
    many = "are" if len(next(iter(groups.values()))) > 1 or len(names) > 1 else "is"
    opening = rng.choice(
        [
            f"The picture shows {where} with {things}.",
            f"A drawing of {where}, with {things}.",
            f"This is {where}. There {many} {things}.",
            f"The image shows {where}. In it {many} {things}.",
            f"A simple picture of {where}; it holds {things}.",
        ]
    )
    extra = [*_placed(groups, size), *_side_by_side(groups)]
    rng.shuffle(extra)
    return " ".join([opening, *extra[: rng.randint(0, 2)]])


def _phrase(rng: Random, group: Sequence[Seen]) -> str:
    """ "three red cups", "a clock": the colour is often told when all have it."""
    figure, colour = group[0].figure, _common_colour(group)
    adjective = f"{colour} " if colour and rng.random() < 0.6 else ""
    if len(group) == 1:
        return with_article(f"{adjective}{figure.name}")
    return f"{number(len(group))} {adjective}{figure.several}"


def part(one: Seen, size: tuple[int, int]) -> str | None:
    """The part of the image that a thing lies in ("upper left", "centre"), or None when it lies between two."""
    columns, rows = ("left", "middle", "right"), ("upper", "middle", "lower")
    found: list[int] = []
    for middle, whole in zip(one.centre, size, strict=True):
        share = middle / whole
        if min(abs(share - 1 / 3), abs(share - 2 / 3)) < _CLEAR / 2:
            return None
        found.append(min(int(share * 3), 2))
    return "centre" if found == [1, 1] else f"{rows[found[1]]} {columns[found[0]]}"


def _single(groups: dict[str, list[Seen]]) -> list[Seen]:
    return [group[0] for group in groups.values() if len(group) == 1]


def _placed(groups: dict[str, list[Seen]], size: tuple[int, int]) -> Iterator[str]:
    for one in _single(groups):
        if where := part(one, size):
            yield f"The {one.figure.name} is in the {where} of the image."


def _pairs(groups: dict[str, list[Seen]]) -> Iterator[tuple[Seen, str, Seen]]:
    """Pairs of single things that lie clearly beside or above each other."""
    single = _single(groups)
    for one in single:
        for other in single:
            if one.box[2] < other.box[0]:
                yield one, "to the left of", other
            if one.box[3] < other.box[1]:
                yield one, "above", other


def _side_by_side(groups: dict[str, list[Seen]]) -> Iterator[str]:
    for one, relation, other in _pairs(groups):
        yield f"The {one.figure.name} is {relation} the {other.figure.name}."


def _counts(rng: Random, groups: dict[str, list[Seen]]) -> Iterator[Fact]:
    for name, group in groups.items():
        many, verb = group[0].figure.several, "is" if len(group) == 1 else "are"
        question = rng.choice(
            [f"How many {many} are there?", f"How many {many} can be seen?", f"How many {many} are there in the image?"]
        )
        noun = name if len(group) == 1 else many
        yield Fact("Calculating", (name,), question, f"There {verb} {number(len(group))} {noun}.")


def _colours(rng: Random, groups: dict[str, list[Seen]]) -> Iterator[Fact]:
    for name, group in groups.items():
        colour = _common_colour(group)
        if colour is None:
            continue
        noun, verb = (name, "is") if len(group) == 1 else (group[0].figure.several, "are")
        question = rng.choice([f"What colour {verb} the {noun}?", f"Which colour {verb} the {noun}?"])
        yield Fact("Referencing", (name,), question, f"The {noun} {verb} {colour}.")


def _existence(rng: Random, place: Place, groups: dict[str, list[Seen]]) -> Iterator[Fact]:
    for name in groups:
        yield Fact(
            "Existence", (name,), f"Is there {with_article(name)} in the image?", f"Yes, there is {with_article(name)}."
        )
    near = {name for zone in place.zones for name in zone.names}
    absent = sorted(near - set(groups)) or sorted(set(FIGURES) - set(groups))
    name = rng.choice(absent)
    yield Fact("Existence", (), f"Is there {with_article(name)} in the image?", f"No, there is no {name} in the image.")


def _uses(rng: Random, groups: dict[str, list[Seen]]) -> Iterator[Fact]:
    useful = [name for name in groups if FIGURES[name].use]
    if useful:
        name = rng.choice(useful)
        use = FIGURES[name].use
        yield Fact("Knowledge Integration", (name,), f"What is {with_article(name)} used for?", f"It is used {use}.")


def _positions(groups: dict[str, list[Seen]], size: tuple[int, int]) -> Iterator[Fact]:
    for one in _single(groups):
        where = part(one, size)
        if where:
            name = one.figure.name
            corners = ", ".join(f"{v / whole:.3f}" for v, whole in zip(one.box, (*size, *size), strict=True))
            answer = f"The {name} is in the {where} of the image, at [{corners}]."
            yield Fact("Grounding", (name,), f"Where is the {name}?", answer)


def _relations(rng: Random, groups: dict[str, list[Seen]]) -> Iterator[Fact]:
    pairs = list(_pairs(groups))
    for one, relation, other in rng.sample(pairs, min(2, len(pairs))):
        names = one.figure.name, other.figure.name
        question = f"Is the {names[0]} {relation} the {names[1]}?"
        yield Fact("Relationship Description", names, question, f"Yes, the {names[0]} is {relation} the {names[1]}.")
    single = sorted(_single(groups), key=lambda one: -one.area)
    if len(single) > 1 and single[0].area > 1.5 * single[1].area:
        names = single[0].figure.name, single[1].figure.name
        first, second = names if rng.random() < 0.5 else names[::-1]
        question = f"Which is larger in the image, the {first} or the {second}?"
        yield Fact("Relationship Description", names, question, f"The {names[0]} is larger.")
