from typing import Any

import pytest
from evolgraph.agents.replies import EvolvedQA
from evolgraph.agents.screen import (
    MAX_ANSWER,
    MAX_QUESTION,
    MAX_STEPS,
    SCREENS,
    Candidate,
    Pair,
    Refusal,
    cited_boxes,
    normalise,
    screen,
)
from evolgraph.samples.sample import QA, Box, Step
from hypothesis import given
from hypothesis import strategies as st

from ..conftest import make_qa, make_sample, solved

SAMPLE = make_sample()
STEP = "Calculate_1(2 + 1)->res_1"
CHOICES = "Which piece stands on the right?\nA. a cup\nB. a plate\nC. a fork"


def pair(qa: QA | None = None, parent: QA | None = None, direction: str = "reasoning", **candidate: Any) -> Pair:
    head = parent or make_qa(0)
    shown = Candidate(qa or solved(0), **candidate)
    return Pair(shown, head, direction, SAMPLE.boxes, siblings=(make_qa(1),))


def code(pair: Pair) -> str:
    refusal = screen(pair)
    assert refusal is None or ("\n" not in refusal.reason and refusal.reason)
    return refusal.code if refusal else "passed"


def changed(**changes: Any) -> Pair:
    return pair(solved(0).model_copy(update=changes))


def described(description: str, manipulation: str | None = STEP) -> Pair:
    return changed(steps=(Step(manipulation=manipulation, description=description),))


def choosing(answer: str, question: str = CHOICES) -> Pair:
    return changed(form="multi_choice", question=question, answer=answer, steps=())


def test_a_sound_pair_passes() -> None:
    assert code(pair()) == "passed"


VOCABULARY = [
    (pair(unknown_form="riddle"), "vocabulary"),
    (changed(skills=()), "vocabulary"),
    (pair(unknown=("telepathy",)), "passed"),  # one ability is known: the others are counted, not fatal
    (pair(solved(0).model_copy(update={"form": "depth_order"}), direction="interaction"), "passed"),
    (pair(solved(0), direction="interaction"), "form"),
    (pair(solved(0).model_copy(update={"form": "depth_order"}), make_qa(0, form="depth_order"), "interaction"), "form"),
    (pair(solved(0).model_copy(update={"form": "depth_order"}), make_qa(0, form="depth_order"), "reasoning"), "passed"),
]
BOXES = [
    (changed(answer="It is at [0.100, 0.200, 0.300, 0.600]."), "passed"),
    (changed(answer="It is at [0.109, 0.200, 0.300, 0.591]."), "passed"),
    (changed(answer="It is at [0.111, 0.200, 0.300, 0.600]."), "box"),
    (changed(question="What stands in [0.7, 0.1, 0.8, 0.2], and what is left of it?"), "box"),
    (changed(steps=(Step(manipulation="Referring_1([0, 0, 1, 1])->tgt_1", description="All of it."),)), "box"),
    (changed(answer="They measure [1, 2, 3] and [1, 2, 3, 4, 5]."), "passed"),
    (
        pair(
            solved(0).model_copy(update={"answer": "The crack is at [0.7, 0.6, 0.75, 0.65]."}),
            proposed=(Box(label="crack", bbox=(0.7, 0.6, 0.75, 0.65), origin="proposed"),),
        ),
        "passed",
    ),
    (
        pair(
            solved(0).model_copy(update={"answer": "It is at [0.7, 0.6, 0.75, 0.65]."}),
            make_qa(0, answer="It is at [0.7, 0.6, 0.75, 0.65]."),
        ),
        "passed",
    ),
]
CALCULATION = [
    (described("2 + 1 = 3."), "passed"),
    (described("2 + 1 = 4."), "calculate"),
    (described("Two and one: 3 pieces."), "passed"),
    (described("Two and one make a few."), "calculate"),
    (described("2 + 1 = 4.", None), "calculate"),
    (described("7 / 3 ≈ 2.33, which is 2.3 roughly.", "Calculate_1(7 / 3)->res_1"), "passed"),
    (described("The total is 4 \u2212 1 = 3.", "Calculate_1(4 \u2212 1)->res_1"), "passed"),
    (described("Counted: 3.", "Calculate_1(cups on the table)->res_1"), "passed"),
    (described("It reads 2 + 1.", "OCR_1(label)->txt_1"), "passed"),
]
CHOOSING = [
    (choosing("B. a plate"), "passed"),
    (choosing("B"), "passed"),
    (choosing("(B)"), "passed"),
    (choosing("b) a plate."), "passed"),
    (choosing("A plate."), "passed"),
    (choosing("D. a spoon"), "choices"),
    (choosing("B. a fork"), "choices"),
    (choosing("a spoon"), "choices"),
    (choosing("B", "Which is right of the cups: A. a cup, B. a plate?"), "choices"),
    (choosing("A", "Which is it?\nA. a plate\nB. A plate."), "choices"),
    (choosing("A", "Which is it?\nA. a plate"), "choices"),
]
LEAKS = [
    (changed(answer="Going by the facts, there are 3."), "leak"),
    (changed(question="How many pieces does the Evolved Question count?"), "leak"),
    (changed(answer="```3```"), "leak"),
    (changed(answer="As an AI model I count 3."), "leak"),
    (changed(answer="There are 3, as a matter of fact."), "passed"),
    (pair(solved(0).model_copy(update={"answer": "The caption."}), make_qa(0, answer="A caption.")), "passed"),
]
COPIES = [
    (pair(make_qa(0)), "copy"),
    (pair(make_qa(0, question="What COLOUR is cup number 0 ?", answer="Red, I would say.")), "copy"),
    (pair(make_qa(0, question=make_qa(1).question, answer="Another answer.")), "copy"),
    (pair(make_qa(0, form="depth_order", answer="It is red, and in front.")), "passed"),
    (pair(make_qa(0, question="What colour is the plate behind them?")), "passed"),
]
LENGTHS = [
    (changed(question="Why? " + "x" * (MAX_QUESTION - 5)), "passed"),
    (changed(question="Why? " + "x" * (MAX_QUESTION - 4)), "length"),
    (changed(answer="y" * MAX_ANSWER), "passed"),
    (changed(answer="y" * (MAX_ANSWER + 1)), "length"),
    (changed(steps=(Step(description="Look."),) * MAX_STEPS), "passed"),
    (changed(steps=(Step(description="Look."),) * (MAX_STEPS + 1)), "length"),
    (changed(question=""), "empty"),
    (changed(answer=""), "empty"),
    (changed(steps=(Step(description=" "),)), "empty"),
]


@pytest.mark.parametrize(
    ("pair", "expected"), [*VOCABULARY, *BOXES, *CALCULATION, *CHOOSING, *LEAKS, *COPIES, *LENGTHS]
)
def test_the_screen_refuses_by_code(pair: Pair, expected: str) -> None:
    assert code(pair) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It fell from 5 and rose again: -3 + 5 = 2.",
        "Sales were 1200 + 300 = 1,500 in all.",
        "Half of them: 45 / 90 = 50%.",
        "The label says 1 + 2 = 3.0.1, a version.",
    ],
)
def test_true_arithmetic_in_everyday_notation_passes(text: str) -> None:
    assert code(described(text, None)) == "passed"


def test_the_first_refusal_is_told_and_further_screens_can_be_added() -> None:
    def no_plates(pair: Pair) -> Refusal | None:
        return Refusal("plates", "no plates here") if "plate" in pair.candidate.qa.objects else None

    assert screen(pair(), (*SCREENS, no_plates)) == Refusal("plates", "no plates here")
    assert screen(changed(skills=()), (*SCREENS, no_plates)) == Refusal(
        "vocabulary", "none of the nine abilities is named"
    )


def reply(**changes: Any) -> EvolvedQA:
    values = {
        "id": "whatever",
        "objects": [" cup ", "", "plate", "cup"],
        "skills": ["OCR Ability", "counting", "telepathy", "ocr"],
        "form": "Multiple Choice",
        "question": "  Which? ",
        "steps": [{"manipulation": None, "description": "Look."}],
        "answer": " That. ",
        "proposed_boxes": [
            {"label": "crack", "bbox": [0.1, 0.1, 0.2, 0.2]},
            {"label": "turned", "bbox": [0.5, 0.1, 0.2, 0.2]},
        ],
    }
    return EvolvedQA.model_validate(values | changes)


def test_a_candidate_keeps_its_parents_id_and_only_known_labels() -> None:
    candidate = normalise(reply(), make_qa(0))
    assert candidate.qa.id == "q0"
    assert candidate.qa.objects == ("cup", "plate")
    assert candidate.qa.skills == ("OCR", "Calculating")
    assert candidate.unknown == ("telepathy",)
    assert (candidate.qa.form, candidate.unknown_form) == ("multi_choice", "")
    assert (candidate.qa.question, candidate.qa.answer) == ("Which?", "That.")
    assert [box.label for box in candidate.proposed] == ["crack"]


def test_an_unknown_form_is_kept_to_be_told() -> None:
    candidate = normalise(reply(form="riddle"), make_qa(0))
    assert (candidate.qa.form, candidate.unknown_form) == ("open", "riddle")
    assert code(pair(candidate.qa, unknown_form=candidate.unknown_form)) == "vocabulary"


def test_boxes_are_cited_in_question_steps_and_answer() -> None:
    qa = make_qa(
        question="In [0, 0, 0.5, 1]?",
        steps=(Step(manipulation="Referring_1([0.1,0.2,0.3,0.4])->tgt_1", description="See [ 0.5 , 0.5, 1.0, 1 ]."),),
        answer="[0.2, 0.2, 0.3, 0.3]",
    )
    assert cited_boxes(qa) == [
        (0, 0, 0.5, 1), (0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 1, 1), (0.2, 0.2, 0.3, 0.3)
    ]  # fmt: skip


TEXTS = st.text(max_size=60) | st.text("0123456789 .,[]()+-*/=ABCabc\n", max_size=60)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["multi_choice", "open", "depth_order"]))
def test_whatever_a_model_writes_is_screened_without_a_crash(
    question: str, description: str, answer: str, form: str
) -> None:
    written = reply(
        question=question or "?",
        answer=answer or "!",
        form=form,
        steps=[{"manipulation": f"Calculate_1({description})", "description": description or "-"}],
    )
    candidate = normalise(written, make_qa(0))
    refusal = screen(Pair(candidate, make_qa(0), "reasoning", SAMPLE.boxes))
    assert refusal is None or refusal.code
