import pytest
from evolgraph.agents.arithmetic import agrees, evaluate, false_equality
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.integers(0, 10_000).map(str) | st.decimals(0, 1000, places=2).map(str)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda part: (
        st.tuples(part, st.sampled_from(["+", "-", "*", "/", " + ", " - "]), part).map("".join)
        | part.map(lambda text: f"({text})")
        | part.map(lambda text: f"-{text}")
    ),
    max_leaves=8,
)


@given(EXPRESSIONS.filter(lambda text: len(text) <= 200))
def test_an_expression_has_the_value_that_python_gives_it(text: str) -> None:
    try:
        expected = float(eval(text, {"__builtins__": {}}))  # made above, of numbers and signs alone
    except ZeroDivisionError:
        expected = None
    value = evaluate(text)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9) if expected is not None else value is None


@given(st.text())
def test_any_text_is_a_number_or_nothing(text: str) -> None:
    value = evaluate(text)
    assert value is None or isinstance(value, float)
    assert false_equality(text) is None or isinstance(false_equality(text), str)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "2 ** 3",
        "9**9**9",
        "9//2",
        "7 % 4",
        "1 if 1 else 2",
        "abs(1)",
        "(1).real",
        "[1][0]",
        "1, 2",
        "1()",
        "(1)(2)",
        "1e308",
        "0x10",
        "1_000",
        "True",
        "'1' + '1'",
        "lambda: 1",
        "1; 2",
        "1 +",
        "()",
        "",
        "   ",
        "1 / 0",
        "1.2.3",
        "٣ + 1",
        "(" * 150 + "1" + ")" * 40,
        "1 + " * 60 + "1",
    ],
)
def test_what_is_no_plain_arithmetic_has_no_value(text: str) -> None:
    assert evaluate(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 \u2212 2", 5),
        ("3 \u00d7 4 ÷ 2", 6),
        ("-3 + 5", 2),
        ("- (1 + 1)", -2),
        (".5", 0.5),
    ],
)
def test_signs_precedence_and_parentheses(text: str, value: float) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3 + 4 = 7 and 10 / 4 = 2.5.", None),
        ("So 3 + 4 = 8.", "3 + 4 is 7, not 8"),
        ("first 1 + 1 = 2, then (2 + 3) * 4 = 21", "(2 + 3) * 4 is 20, not 21"),
        ("7 / 3 ≈ 2.33", None),
        ("It fell: -3 + 5 = 2.", None),
        ("the bars - 3 + 5 = 8 - are many", None),
        ("45 / 90 = 50%", None),
        ("45 / 90 = 40%", "45 / 90 is 0.5, not 40%"),
        ("1200 + 300 = 1,500", None),
        ("It happened in 2024; x1 + 2 = y; nothing = 3.", None),
    ],
)
def test_a_false_equality_is_found_in_prose(text: str, told: str | None) -> None:
    assert false_equality(text) == told


@pytest.mark.parametrize(
    ("value", "stated", "agreed"),
    [(5.0, "5", True), (5.0, "5.0", True), (7 / 3, "2.33", True), (7 / 3, "2.3", True), (7 / 3, "2.34", False),
     (7 / 3, "2", False), (5.0, "6", False), (-2.0, "-2", True), (0.1 + 0.2, "0.3", True)],
)  # fmt: skip
def test_a_stated_number_agrees_when_it_is_the_value_as_far_as_it_shows(
    value: float, stated: str, agreed: bool
) -> None:
    assert agrees(value, stated) is agreed
