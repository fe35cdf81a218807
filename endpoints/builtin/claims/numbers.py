"""Claims about numbers: counts, values read from charts and tables, sums, differences, means, extremes, arithmetic."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from ..colours import base_name
from ..scene import Scene
from ..words import number_word, plural, singular
from .grammar import Claim

_OPERATIONS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Counted(Claim):
    """There are so many things of a kind."""

    count: int
    label: str
    templates: ClassVar = (
        "there are {count:count} {label:name}",
        "{count:count} {label:name} are visible",
        "{count:count} {label:name} can be seen",
        "{count:count} {label:name} are shown",
    )

    def _written(self, name: str, kind: str) -> str:
        if name == "label":
            return plural(self.label) if self.count != 1 else self.label
        return number_word(self.count)

    def check(self, scene: Scene) -> bool | None:
        """By the caption's number; else by the boxes: fewer than they are is False. A colour before it counts too."""
        label = singular(self.label.lower())
        colour, _, kind = label.partition(" ")
        boxed = len(scene.with_label(label))
        told = scene.facts.counts.get(label)
        if told is None and kind and base_name(colour) and not boxed:
            return self._of_colour(scene, colour, kind)
        told = scene.facts.counts.get(label.rsplit(maxsplit=1)[-1]) if told is None else told
        if told is not None:
            return told == self.count
        if not boxed:
            return None
        return True if boxed == self.count else False if self.count < boxed or boxed > 1 else None

    def _of_colour(self, scene: Scene, colour: str, kind: str) -> bool | None:
        """By what the boxes of that kind show: so many surely have the colour, so many may have it."""
        having = [scene.could_be(region, colour) for region in scene.with_label(kind)]
        if not having or scene.facts.counts.get(kind, len(having)) > len(having):
            return None
        surely, maybe = having.count(True), len(having) - having.count(False)
        if surely <= self.count <= maybe:
            return True if surely == maybe else None
        return False


@dataclass(frozen=True)
class Valued(Claim):
    """A chart's or table's entry has a value."""

    name: str
    number: float
    unit: str = ""
    templates: ClassVar = (
        "the value for {name:name} is {number:number}{unit:unit}",
        "{name:name} stands at {number:number}{unit:unit}",
        "the {name:name} is {number:number}{unit:unit}",
        "{name:name} reads {number:number}{unit:unit}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption."""
        known = scene.value(self.name)
        return None if known is None else abs(known - self.number) < 1e-6


@dataclass(frozen=True)
class Summed(Claim):
    """The values of several entries add up to a number."""

    names: tuple[str, ...]
    number: float
    unit: str = ""
    templates: ClassVar = (
        "{names:names} together make {number:number}{unit:unit}",
        "the total of {names:names} is {number:number}{unit:unit}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption, within rounding."""
        known = [scene.value(name) for name in self.names]
        values = [value for value in known if value is not None]
        return None if len(values) < len(known) else abs(sum(values) - self.number) < 0.006


@dataclass(frozen=True)
class Averaged(Claim):
    """The mean of several entries is a number."""

    names: tuple[str, ...]
    number: float
    unit: str = ""
    templates: ClassVar = ("the mean of {names:names} is {number:number}{unit:unit}",)

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption, within the rounding of two decimals."""
        known = [scene.value(name) for name in self.names]
        values = [value for value in known if value is not None]
        return None if len(values) < len(known) else abs(sum(values) / len(values) - self.number) < 0.011


@dataclass(frozen=True)
class Exceeds(Claim):
    """One entry is higher than another by a number."""

    one: str
    other: str
    number: float
    unit: str = ""
    templates: ClassVar = (
        "the value for {one:name} is {number:number}{unit:unit} higher than the value for {other:name}",
        "{one:name} is {number:number}{unit:unit} higher than {other:name}",
        "{one:name} exceeds {other:name} by {number:number}{unit:unit}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By the numbers of the caption."""
        one, other = scene.value(self.one), scene.value(self.other)
        return None if one is None or other is None else abs(one - other - self.number) < 0.006


@dataclass(frozen=True)
class Extreme(Claim):
    """Among several things or entries, one has the most or the least of something."""

    name: str
    kind: str
    names: tuple[str, ...]
    templates: ClassVar = (
        "of {names:names}, {name:name} has the {kind:extreme}",
        "{name:name} has the {kind:extreme} of {names:names}",
    )

    def check(self, scene: Scene) -> bool | None:
        """By value, box area or brightness, as the kind says; None when something is unknown or there is a tie."""
        amounts = [_amount(scene, self.kind, name) for name in self.names]
        mine = _amount(scene, self.kind, self.name)
        known = [amount for amount in amounts if amount is not None]
        if mine is None or len(known) < len(amounts) or not known:
            return None
        best = max(known) if self.kind.split()[0] in {"highest", "largest"} else min(known)
        return mine == best and known.count(best) == 1


@dataclass(frozen=True)
class Calculation(Claim):
    """An arithmetic expression has a result."""

    expression: str
    result: float
    templates: ClassVar = ("{expression:any} = {result:number}",)

    def check(self, scene: Scene) -> bool | None:
        """Exactly, or within the rounding that the result's decimals allow; None for what is no plain arithmetic."""
        value = evaluate(self.expression)
        if value is None:
            return None
        decimals = len(str(self.result).partition(".")[2].rstrip("0"))
        return abs(value - self.result) <= 0.5 * 10 ** -max(decimals, 2) + 1e-9


@dataclass(frozen=True)
class Reads(Claim):
    """A text stands in the image."""

    what: str
    text: str
    templates: ClassVar = ("the {what:name} reads '{text:text}'", "the {what:name} is '{text:text}'")

    def check(self, scene: Scene) -> bool | None:
        """By the caption's quotations; None when it quotes nothing."""
        quoted = [quote.lower() for quote in scene.facts.quoted]
        return None if not quoted else any(self.text.lower() in quote for quote in quoted)


def evaluate(expression: str) -> float | None:
    """The value of plain arithmetic (+, -, *, /, brackets, numbers up to 200 characters), or None for anything else."""
    if len(expression) > 200:
        return None
    try:
        return _evaluate(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, ValueError, RecursionError):
        return None


def _evaluate(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand)
    raise ValueError("not plain arithmetic")


def _amount(scene: Scene, kind: str, name: str) -> float | None:
    what = kind.rsplit(maxsplit=1)[-1]
    if what == "value":
        return scene.value(name)
    region = scene.named(name)
    if region is None:
        return None
    return region.area if what == "box" else scene.brightness(region.bbox, region.image)
