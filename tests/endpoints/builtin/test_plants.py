"""Planted defects: spoiled in the text, told by the server's own list alone."""

from typing import Any

import pytest
from evolgraph.endpoints.builtin.plants import PLANTS, Plant, PlantError, parse_plants, planted

PARENT = {"id": "q1", "objects": ["cup"], "skills": ["Existence"], "form": "open", "question": "Is there a cup?",
          "steps": [], "answer": "Yes."}  # fmt: skip
ROW: dict[str, Any] = {
    "id": "q1",
    "objects": ["cup", "plate"],
    "skills": ["Grounding", "Calculating"],
    "form": "multi_choice",
    "question": "How many cups stand beside the plate?\nA. two\nB. three",
    "steps": [
        {"manipulation": "Grounding_1(cup)->bbx_1", "description": "The cup is at [0.100, 0.100, 0.300, 0.400]."},
        {"manipulation": "Calculate_1(1 + 1)->res_1", "description": "1 + 1 = 2."},
    ],
    "answer": "A. two red cups, to the left of it",
    "proposed_boxes": [],
}


@pytest.mark.parametrize("kind", PLANTS)
def test_every_kind_spoils_what_it_names_and_is_told_apart_from_the_reply(kind: str) -> None:
    (spoiled,), kinds = planted([ROW], [PARENT], [Plant(kind, 1.0)], seed=3)
    assert kinds == {"q1": kind}
    assert spoiled != ROW and spoiled.keys() == ROW.keys()
    if kind == "wrong-sum":
        assert "1 + 1 = 2." not in spoiled["steps"][1]["description"] and spoiled["answer"] == ROW["answer"]
    if kind == "invented-box":
        assert "[0.100, 0.100, 0.300, 0.400]" not in spoiled["steps"][0]["description"]
    if kind in ("wrong-count", "wrong-colour", "wrong-relation", "not-a-choice"):
        assert spoiled["question"] == ROW["question"] and spoiled["answer"] != ROW["answer"]
    if kind == "copied-parent":
        assert spoiled["question"] == PARENT["question"]


def test_the_rate_is_kept_and_the_same_seed_spoils_the_same() -> None:
    rows = [ROW | {"id": f"q{number}"} for number in range(1000)]
    parents = [PARENT | {"id": f"q{number}"} for number in range(1000)]
    plants = parse_plants(["wrong-colour:0.1", "blind:0.1"])
    _, kinds = planted(rows, parents, plants, seed=1)
    assert 150 < len(kinds) < 250
    assert planted(rows, parents, plants, seed=1)[1] == kinds != planted(rows, parents, plants, seed=2)[1]


def test_a_kind_that_does_not_suit_leaves_the_question_sound() -> None:
    plain = ROW | {"form": "open", "question": "What is there?", "answer": "A cup.", "steps": []}
    for kind in ("wrong-count", "wrong-colour", "wrong-sum", "not-a-choice", "wrong-relation", "invented-box"):
        assert planted([plain], [PARENT], [Plant(kind, 1.0)], seed=0) == ([plain], {})


@pytest.mark.parametrize(
    ("text", "told"),
    [("wrong-color:0.1", "did you mean wrong-colour?"), ("blind:2", "0 to 1"), ("blind", "KIND:RATE")],
)
def test_a_wrong_plant_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(PlantError, match=told):
        parse_plants([text])
