"""Whether an answer that was given without the image is the right one."""

import pytest
from evolgraph.agents.blind import same_answer

CHOICES = "Which is largest?\nA. The cup\nB. The plate\nC. The spoon"


@pytest.mark.parametrize(
    ("said", "right", "question", "same"),
    [
        ("red", "The cup is red.", "What colour is the cup?", True),
        ("The cup is red", "It is red.", "What colour is the cup?", True),
        ("blue", "The cup is red.", "What colour is the cup?", False),
        ("", "The cup is red.", "What colour is the cup?", False),
        ("3", "There are 3 cups.", "How many cups are there?", True),
        ("4", "There are 3 cups.", "How many cups are there?", False),
        ("B", "B. The plate", CHOICES, True),
        ("B. The plate", "B. The plate", CHOICES, True),
        ("A", "B. The plate", CHOICES, False),
        ("the plate", "B. The plate", CHOICES, False),
        ("cup", "The cup.", "Is there a cup?", False),
    ],
)
def test_an_answer_is_right_when_it_tells_all_that_the_question_does_not(
    said: str, right: str, question: str, same: bool
) -> None:
    assert same_answer(said, right, question) is same
