"""What an earlier round asked is not asked again."""

import pytest
from evolgraph.agents.screen import Candidate, Pair, duplicate

from ..conftest import make_qa

PAST = ("How many red cups stand to the left of the large plate on the wooden table?",)


@pytest.mark.parametrize(
    ("question", "again"),
    [
        (PAST[0], True),
        (PAST[0].upper().replace("?", " ?"), True),
        ("How many red cups stand to the left of the large plate on that wooden table?", True),
        ("How many red cups stand to the right of the large plate, and how many spoons?", False),
        ("What colour is the plate?", False),
    ],
)
def test_a_question_of_an_earlier_round_is_a_duplicate(question: str, again: bool) -> None:
    pair = Pair(Candidate(make_qa(0, question=question)), make_qa(0), "reasoning", past=PAST)
    refusal = duplicate(pair)
    assert (refusal is not None and refusal.code == "duplicate") is again
