"""What is said of a chart: a caption with its numbers, and simple questions with true answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .picture import Fact
from .telling import listed, number, with_article
from .topics import Topic

_CALLED: Final = {"bar": "bar chart", "lying": "horizontal bar chart", "line": "line chart", "pie": "pie chart"}
_MARK: Final = {"bar": "bar", "lying": "bar", "line": "point", "pie": "slice"}


@dataclass(frozen=True, slots=True)
class Series:
    """The values of a chart, all different, with the names in full and as they are shown."""

    topic: Topic
    kind: str
    title: str
    names: tuple[str, ...]
    values: tuple[int, ...]
    shown: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the boxes of the marks are called ("Jan bar")."""
        return tuple(f"{name} {_MARK[self.kind]}" for name in self.shown)

    def inside(self, index: int) -> str:
        """A name as it is written inside a sentence: names of things in lower case."""
        proper = self.topic.noun in {"months", "days", "children", "towns"}
        return self.names[index] if proper else self.names[index].lower()


def told(rng: Random, series: Series, colours: Sequence[str]) -> tuple[str, tuple[Fact, ...]]:
    """The caption, and every question that may be asked, in a random order. `colours` has a name for every value."""
    facts = [*_reading(series), *_comparing(rng, series), *_looking(series, colours)]
    rng.shuffle(facts)
    return _caption(rng, series, colours), tuple(facts)


def _caption(rng: Random, series: Series, colours: Sequence[str]) -> str:
    called, unit, quantity = _CALLED[series.kind], series.topic.unit, series.topic.quantity
    numbers = listed([f"{name} {value}" for name, value in zip(series.names, series.values, strict=True)])
    opening = rng.choice(
        [
            f"A {called} titled '{series.title}' shows {quantity} in {unit}: {numbers}.",
            f"The {called} '{series.title}' shows the {quantity} in {unit}: {numbers}.",
            f"This {called} has the title '{series.title}' and shows {quantity} in {unit}: {numbers}.",
            f"'{series.title}' is a {called}. It shows {quantity} in {unit}: {numbers}.",
        ]
    )
    odd = _odd(colours)
    if odd is None or rng.random() < 0.4:
        return opening
    other = next(colour for index, colour in enumerate(colours) if index != odd)
    return f"{opening} The {series.names[odd]} {_MARK[series.kind]} is {colours[odd]}, the others are {other}."


def _odd(colours: Sequence[str]) -> int | None:
    """The index of the one value that has another colour than all others, or None."""
    single = [index for index, colour in enumerate(colours) if colours.count(colour) == 1]
    return single[0] if len(single) == 1 and len(set(colours)) == 2 else None


def _reading(series: Series) -> Iterator[Fact]:
    yield Fact("OCR", ("chart",), "What is the title of the chart?", f"The title is '{series.title}'.")
    for index, value in enumerate(series.values):
        name = series.inside(index)
        tell = series.topic.tell.format(x=name, v=value)
        yield Fact("OCR", (series.labels[index],), series.topic.ask.format(x=name), tell[0].upper() + tell[1:])


def _comparing(rng: Random, series: Series) -> Iterator[Fact]:
    order = sorted(range(len(series.values)), key=lambda index: -series.values[index])
    top, unit = order[0], series.topic.unit
    answer = f"{series.names[top]}, with {series.values[top]} {unit}."
    yield Fact("Relationship Description", (series.labels[top],), series.topic.most, answer)
    one, other = rng.sample(range(len(series.values)), 2)
    more = one if series.values[one] > series.values[other] else other
    yield Fact(
        "Relationship Description",
        (series.labels[one], series.labels[other]),
        f"Which has the higher value, {series.inside(one)} or {series.inside(other)}?",
        f"{series.names[more]} has the higher value.",
    )


def _looking(series: Series, colours: Sequence[str]) -> Iterator[Fact]:
    mark, count = _MARK[series.kind], len(series.values)
    yield Fact("Calculating", (), f"How many {mark}s does the chart have?", f"The chart has {number(count)} {mark}s.")
    kind = _CALLED[series.kind]
    yield Fact("Context Understanding", ("chart",), "What kind of chart is this?", f"It is {with_article(kind)}.")
    odd = _odd(colours)
    shown = range(count) if len(set(colours)) == count else [] if odd is None else [odd]
    for index in shown:
        label = series.labels[index]
        yield Fact("Referencing", (label,), f"What colour is the {label}?", f"The {label} is {colours[index]}.")
