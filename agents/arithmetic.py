"""Plain arithmetic in text, evaluated without `eval`."""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from typing import Final

_BINARY: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SIGNS: Final = str.maketrans({"×": "*", "÷": "/", "\u2212": "-", "\u2013": "-"})  # noqa: RUF001
_EXPRESSION: Final = re.compile(r"[\d.\s+\-*/()]{1,200}")
_EQUALITY: Final = re.compile(
    r"(?<![\w.,])((?:\(\s*)*\d[\d.]*(?:[\s)]*[+\-*/][\s(]*\d[\d.]*)+[\s)]*)(?:=|≈)\s*(-?\d[\d.]*)"
)


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


def equalities(text: str) -> Iterator[tuple[str, float, str]]:
    """Every "expression = number" in `text`: the expression, its true value, and the number as written."""
    for expression, stated in _EQUALITY.findall(text.translate(_SIGNS)):
        value = evaluate(expression)
        if value is not None:
            yield expression.strip(), value, stated.rstrip(".")


def agrees(value: float, stated: str) -> bool:
    """Whether the number `stated` is `value`, rounded to as many decimals as it shows."""
    decimals = len(stated.partition(".")[2])
    return abs(value - float(stated)) <= 0.5 * 10**-decimals + 1e-9 if decimals else abs(value - float(stated)) < 1e-6
