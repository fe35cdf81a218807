"""The manipulations of a solution, carried out by code."""

import pytest
from evolgraph.agents.evidence import contradiction, examine, parse
from evolgraph.samples.sample import QA, Box, Step

BOXES = (
    Box(label="cup", bbox=(0.1, 0.1, 0.3, 0.4)),
    Box(label="cup", bbox=(0.6, 0.1, 0.8, 0.4)),
    Box(label="wine glass", bbox=(0.4, 0.5, 0.5, 0.9)),
)


def solved(*steps: tuple[str | None, str]) -> QA:
    return QA(
        id="q", question="?", answer="!", steps=tuple(Step(manipulation=made, description=said) for made, said in steps)
    )


@pytest.mark.parametrize(
    ("text", "name", "argument", "result"),
    [
        ("Grounding_1(left cup)->bbx_1", "Grounding", "left cup", "bbx_1"),
        ("Calculate(res_1 + 2) -> res_2", "Calculate", "res_1 + 2", "res_2"),
        ("OCR_2(sign (top))->txt_2", "OCR", "sign (top)", "txt_2"),
        ("referring_1(bbx_1)", "Referring", "bbx_1", ""),
    ],
)
def test_a_manipulation_is_read(text: str, name: str, argument: str, result: str) -> None:
    found = parse(text)
    assert found and (found.name, found.argument, found.result) == (name, argument, result)


@pytest.mark.parametrize("text", [None, "", "think hard", "Grounding", "Levitate_1(cup)->bbx_1"])
def test_plain_thought_is_none(text: str | None) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("target", "said", "agrees"),
    [
        ("left cup", "It is at [0.100, 0.100, 0.300, 0.400].", True),
        ("the cup on the right", "It is at [0.610, 0.110, 0.800, 0.400].", True),
        ("cups", "One is at [0.100, 0.100, 0.300, 0.400].", True),
        ("cup", "It is at [0.400, 0.500, 0.500, 0.900].", False),
        ("cup", "It is at [0.010, 0.700, 0.200, 0.950].", False),
        ("glass", "It is at [0.010, 0.700, 0.200, 0.950].", None),
        ("man holding a cup", "He is at [0.010, 0.700, 0.200, 0.950].", None),
        ("handle of the cup", "It is at [0.280, 0.200, 0.330, 0.300].", None),
        ("cup", "It stands on the left.", None),
    ],
)
def test_a_grounding_is_held_against_the_boxes(target: str, said: str, agrees: bool | None) -> None:
    (found,) = examine(solved((f"Grounding_1({target})->bbx_1", said)), BOXES)
    assert found.agrees is agrees


def test_results_go_on_into_later_steps() -> None:
    qa = solved(
        ("Grounding_1(left cup)->bbx_1", "At [0.100, 0.100, 0.300, 0.400]."),
        ("Grounding_2(right cup)->bbx_2", "At [0.600, 0.100, 0.800, 0.400]."),
        ("Referring_1(bbx_2)->tgt_1", "It is white."),
        ("Calculate_1(count(bbx_1, bbx_2))->res_1", "There are 2."),
        ("Calculate_2(res_1 * 3)->res_2", "That makes 6."),
        (None, "Six in all."),
    )
    found = examine(qa, BOXES)
    assert [one.value for one in found] == [BOXES[0].bbox, BOXES[1].bbox, "cup", 2.0, 6.0]
    assert [one.agrees for one in found] == [True, True, None, True, True]
    assert contradiction(found) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [("3 + 4", "That makes 8."), ("count(bbx_1)", "There are 3."), ("0.2 * 0.3", "About 0.5.")],
)
def test_a_wrong_result_is_a_contradiction(expression: str, said: str) -> None:
    steps = (("Grounding_1(left cup)->bbx_1", "[0.1, 0.1, 0.3, 0.4]"), (f"Calculate_1({expression})->res_1", said))
    wrong = contradiction(examine(solved(*steps), BOXES))
    assert wrong and wrong.step == 2


@pytest.mark.parametrize("expression", ["__import__('os').system('x')", "9**9**9", "a + b", "(((((", "1/0", ""])
def test_hostile_arithmetic_is_not_worked_out(expression: str) -> None:
    (found,) = examine(solved((f"Calculate_1({expression})->res_1", "It is 4.")), BOXES)
    assert found.value is None and found.agrees is None
