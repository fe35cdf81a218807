"""Claims that set entries of charts and tables, or numbers of things, against each other."""

from dataclasses import dataclass
from typing import ClassVar

from ..scene import Scene
from ..words import ordinal_number, singular
from .grammar import Claim, all_known
from .numbers import Counted


@dataclass(frozen=True)
class Ranked(Claim):
    """An entry has the n-th highest value, which is a number."""

    name: str
    rank: str
    number: float
    unit: str = ""
    templates: ClassVar = ("{name:name} has the {rank:ordinal}-highest value, {number:number}{unit:unit}",)

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption; None for an unknown entry."""
        known, series = scene.value(self.name), scene.facts.series
        if known is None or series is None:
            return None
        higher = sum(value > known for value in series.values)
        return abs(known - self.number) < 1e-6 and higher + 1 == ordinal_number(self.rank)


@dataclass(frozen=True)
class Under(Claim):
    """One entry is lower, or smaller, than another by a number."""

    one: str
    other: str
    number: float
    unit: str = ""
    templates: ClassVar = (
        "the value for {one:name} is {number:number}{unit:unit} lower than the value for {other:name}",
        "the {one:name} is {number:number}{unit:unit} smaller than the {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption."""
        return _apart(scene, self.other, self.one, self.number)


@dataclass(frozen=True)
class Over(Claim):
    """One number of a table is larger than another by a number."""

    one: str
    other: str
    number: float
    unit: str = ""
    templates: ClassVar = ("the {one:name} is {number:number}{unit:unit} larger than the {other:name}",)

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption."""
        return _apart(scene, self.one, self.other, self.number)


@dataclass(frozen=True)
class Multiplied(Claim):
    """One entry is so many times as high as another."""

    one: str
    other: str
    ratio: float
    templates: ClassVar = (
        "the value for {one:name} is {ratio:number} times as high as the value for {other:name}",
        "the value for {one:name} is about {ratio:number} times as high as the value for {other:name}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption, to the first decimal."""
        one, other = scene.value(self.one), scene.value(self.other)
        return None if one is None or not other else abs(one / other - self.ratio) <= 0.051


@dataclass(frozen=True)
class Outnumbers(Claim):
    """There are more things of one kind than of another: so many against so many."""

    one: str
    other: str
    first: int
    second: int
    gap: int
    templates: ClassVar = (
        "there are more {one:name} than {other:name}: {first:count} against {second:count}, which is {gap:count} more",
    )

    def check(self, scene: Scene) -> bool | None:
        """By its own numbers, and by those of the things."""
        counted = (Counted(self.first, singular(self.one)), Counted(self.second, singular(self.other)))
        return all_known(self.first - self.second == self.gap > 0, *(claim.check(scene) for claim in counted))


@dataclass(frozen=True)
class Costing(Claim):
    """So many of one item and so many of another would cost a sum at the printed unit prices."""

    first: int
    one: str
    second: int
    other: str
    number: float
    unit: str = ""
    templates: ClassVar = (
        "{first:count} {one:name} and {second:count} {other:name} would cost {number:number}{unit:unit} together",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the caption's prices, to the cent."""
        prices = [scene.value(f"unit price of {item}") for item in (self.one, self.other)]
        costs = [n * price for n, price in zip((self.first, self.second), prices, strict=True) if price is not None]
        return None if len(costs) < 2 else abs(sum(costs) - self.number) < 0.006


def _apart(scene: Scene, high: str, low: str, number: float) -> bool | None:
    one, other = scene.value(high), scene.value(low)
    return None if one is None or other is None else abs(one - other - number) < 0.006
