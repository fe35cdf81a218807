"""Plain arithmetic in text, evaluated without `eval`."""

import ast
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_BINARY: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_EQUAL_SIGN: Final = re.compile("[=≈]")
_SIGNS: Final = str.maketrans({"×": "*", "÷": "/", "\u2212": "-", "\u2013": "-"})  # noqa: RUF001
_EXPRESSION: Final = re.compile(r"[\d.\s+\-*/()]{1,200}")
_EQUALITY: Final = re.compile(
    r"(?<![\w.,])(-?)\s?((?:\(\s*)*\d[\d.,]*(?:[\s)]*[+\-*/][\s(]*\d[\d.,]*)+[\s)]*)[=≈]\s*(-?\d[\d.,]*)(%?)"
)
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")


@lru_cache(maxsize=4096)
def evaluate(text: str) -> float | None:
    """The value of the arithmetic expression `text` (+, -, *, /, parentheses), or None when it is not one."""
    plain = text.translate(_SIGNS).strip()
    if not _EXPRESSION.fullmatch(plain) or not re.search(r"\d", plain):
        return None
    try:
        return _value(ast.parse(plain, mode="eval").body)
    except (SyntaxError, ZeroDivisionError, RecursionError, OverflowError, ValueError):
        return None


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("not arithmetic")


def false_equality(text: str) -> str | None:
    """The first "expression = number" in `text` that does not work out, as "expression is value, not number".

    A minus before an expression may be a dash, a per cent sign may scale the result: either reading is enough.
    """
    if not _EQUAL_SIGN.search(text):  # most texts have none, and the pattern below is slow to find out
        return None
    for sign, expression, stated, percent in _EQUALITY.findall(_THOUSANDS.sub("", text.translate(_SIGNS))):
        number = stated.rstrip(".,")
        values = [value for start in {"", sign} if (value := evaluate(start + expression)) is not None]
        if not values or not _NUMBER.fullmatch(number):
            continue
        readings = [*values, *(100 * value for value in values if percent)]
        if not any(agrees(value, number) for value in readings):
            return f"{(sign + expression).strip()} is {values[-1]:g}, not {number}{percent}"
    return None


def agrees(value: float, stated: str) -> bool:
    """Whether the number `stated` is `value`, rounded to as many decimals as it shows."""
    decimals = len(stated.partition(".")[2])
    tolerance = 0.5 * 10**-decimals + 1e-9 if decimals else 1e-6
    return abs(value - float(stated)) <= tolerance
