"""The embedded judge on answers with one wrong word: counts with colours, ranks, the smaller of two."""

from typing import Any

import numpy as np
import pytest
from evolgraph.endpoints.builtin.judge import judge
from evolgraph.endpoints.builtin.scene import Scene

BOXES = {
    "cup": [(0.05, 0.2, 0.25, 0.8), (0.4, 0.3, 0.5, 0.6)],
    "plate": [(0.6, 0.1, 0.95, 0.5), (0.6, 0.6, 0.95, 0.95), (0.3, 0.7, 0.5, 0.95)],
}
CHART = "A bar chart titled 'Power of Kingsley' shows: Wind 29 percent, Coal 38 percent, Gas 11 percent."


def judged(caption: str, boxes: dict[str, list[tuple[float, ...]]], evolved: dict[str, Any]) -> dict[str, Any]:
    """The verdict on a question about an image of red cups and blue plates, or a chart."""
    pixels = np.full((200, 400, 3), 250, np.uint8)
    rows = [(label, box) for label, found in boxes.items() for box in found]
    for label, (x1, y1, x2, y2) in rows:
        colour = (210, 20, 20) if label == "cup" else (20, 40, 210)
        pixels[int(y1 * 200) : int(y2 * 200), int(x1 * 400) : int(x2 * 400)] = colour
    facts = {
        "images": [{"width": 400, "height": 200}],
        "caption": caption,
        "topic": [],
        "boxes": [{"label": label, "bbox": list(box), "image": 0} for label, box in rows],
    }
    parent = evolved | {"question": "What is shown?", "answer": "Several things.", "steps": []}
    (found,) = judge(
        lambda more: Scene([pixels], facts, more),
        [{"id": "q", "direction": "reasoning", "parent": parent, "evolved": evolved}],
    )
    return found


def asked(question: str, answer: str, *steps: tuple[str | None, str]) -> dict[str, Any]:
    made = [{"manipulation": manipulation, "description": text} for manipulation, text in steps]
    return {"id": "q", "objects": [], "skills": [], "form": "open", "question": question, "steps": made,
            "answer": answer, "proposed_boxes": []}  # fmt: skip


BOTH = (
    ("Grounding_1(left cup)->bbx_1", "The left cup is at [0.050, 0.200, 0.250, 0.800]."),
    ("Grounding_2(right cup)->bbx_2", "The right cup is at [0.400, 0.300, 0.500, 0.600]."),
)
WHICH = "Which covers more of the image, the left cup or the right cup?"
MORE = "The left cup covers more of the image than the right cup."
READ = (("OCR_1(Coal)->txt_1", "The value for Coal is 38 percent."), ("OCR_2(Wind)->txt_2", "Wind reads 29 percent."))
RANK = "Which entry of the chart has the second-highest value, and what is that value?"
TITLE = "What does the title say, how many words does it have, and which is the longest?"


@pytest.mark.parametrize(
    ("evolved", "wrong"),
    [
        (asked("How many red cups are there?", "There are two red cups.", *BOTH), ("two red", "two green")),
        (asked("How many red cups are there?", "There are two red cups.", *BOTH), ("two", "three")),
        (asked(WHICH, MORE, *BOTH, (None, "The box of the left cup is the larger one.")), ("larger", "smaller")),
        (asked("Where is the left cup?", "The left cup is in the middle left of the image.", *BOTH),
         ("middle", "top")),
        (asked("Are there more cups or more plates, and how many more?",
               "There are more plates than cups: 3 against 2, which is 1 more.", *BOTH), ("3 against", "2 against")),
    ],
)  # fmt: skip
def test_one_wrong_word_about_a_scene_is_seen(evolved: dict[str, Any], wrong: tuple[str, str]) -> None:
    caption = "Two red cups and three blue plates on a white table."
    _right_and_wrong(caption, BOXES, evolved, wrong)


@pytest.mark.parametrize(
    ("evolved", "wrong"),
    [
        (asked(RANK, "Wind has the second-highest value, 29 percent.", *READ), ("29 percent", "38 percent")),
        (asked(RANK, "Wind has the second-highest value, 29 percent.", *READ), ("second-", "third-")),
        (asked("How much lower is Wind than Coal?",
               "The value for Wind is 9 percent lower than the value for Coal.", *READ,
               ("Calculate_1(38 - 29)->res_1", "38 - 29 = 9.")), ("Wind is 9 percent lower than the value for Coal",
                                                                 "Coal is 9 percent lower than the value for Wind")),
        (asked("How many times as high as Gas is Coal?",
               "The value for Coal is about 3.5 times as high as the value for Gas.", *READ,
               ("Calculate_1(38 / 11)->res_1", "38 / 11 = 3.45.")), ("about 3.5", "about 2.5")),
        (asked(TITLE, "The title reads 'Power of Kingsley'. It has three words, and the longest is 'Kingsley'.",
               ("OCR_1(title)->txt_1", "The title reads 'Power of Kingsley'."),
               ("Calculate_1(1 + 1 + 1)->res_1", "1 + 1 + 1 = 3.")), ("three words", "four words")),
        (asked("Do 3 times 12 percent make more than Coal?", "No: 3 times 12 is 36.", *READ), ("3 times", "2 times")),
    ],
)  # fmt: skip
def test_one_wrong_word_about_a_chart_is_seen(evolved: dict[str, Any], wrong: tuple[str, str]) -> None:
    _right_and_wrong(CHART, {}, evolved, wrong)


def _right_and_wrong(
    caption: str, boxes: dict[str, list[tuple[float, ...]]], evolved: dict[str, Any], wrong: tuple[str, str]
) -> None:
    sound = judged(caption, boxes, evolved)
    assert sound["correct"] and sound["grounded"], sound["reason"]
    answer = evolved["answer"].replace(*wrong)
    steps = [step | {"description": step["description"].replace(*wrong)} for step in evolved["steps"][2:]]
    spoiled = evolved | {"answer": answer, "steps": [*evolved["steps"][:2], *steps]}
    assert spoiled != evolved
    found = judged(caption, boxes, spoiled)
    assert not (found["correct"] and found["grounded"]), found["reason"]
