"""What the embedded model writes: one new, true question for each, in the direction that was asked for."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from evolgraph.agents.replies import CurationReply, EvolveReply
from evolgraph.endpoints.builtin.claims.numbers import evaluate
from evolgraph.endpoints.builtin.claims.parsing import parse
from evolgraph.endpoints.builtin.curation import curated
from evolgraph.endpoints.builtin.drafts.pool import pool, worth_combining
from evolgraph.endpoints.builtin.forms.formed import formed
from evolgraph.endpoints.builtin.scene import Scene
from evolgraph.endpoints.builtin.writer import write
from evolgraph.samples.vocabulary import FORMS, SKILLS
from PIL import Image

SEEDS = Path(__file__).parents[3] / "examples" / "seeds"
DIRECTIONS = ("perception", "reasoning", "interaction")
ROWS = {row["id"]: row for row in orjson.loads((SEEDS / "seeds.json").read_bytes())}


def scene_of(name: str, *, facts: bool = True) -> Scene:
    row = ROWS[name]
    with Image.open(SEEDS / row["image"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    known: dict[str, Any] = {"images": [{"width": pixels.shape[1], "height": pixels.shape[0]}]}
    if facts:
        known |= {"caption": row["caption"][1]["value"], "topic": row["topic_name"], "boxes": row["det"]}
    return Scene([pixels], known)


def questions_of(name: str) -> list[dict[str, Any]]:
    kept = ("objects", "question", "answer", "steps")
    rows = ROWS[name]["conversations_v0"]
    return [
        {"id": f"{name}-{n}", "skills": [], "form": "open", **{k: row[k] for k in kept}} for n, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {name: scene_of(name) for name in ROWS}


def test_every_question_that_can_be_asked_is_true_and_its_sums_work_out(scenes: dict[str, Scene]) -> None:
    checked = 0
    for scene in scenes.values():
        for draft in pool(scene):
            for text in (draft.answer, *(text for _, text in draft.steps)):
                verdicts = [claim.check(scene) for claim in parse(text)]
                assert False not in verdicts, text
                checked += len(verdicts)
            for manipulation, _ in draft.steps:
                if manipulation and manipulation.startswith("Calculate"):
                    assert evaluate(manipulation[manipulation.index("(") + 1 : manipulation.rindex(")->")]) is not None
            assert set(draft.skills) <= set(SKILLS)
    assert checked > 1000


def test_all_seventeen_forms_are_written_somewhere(scenes: dict[str, Scene]) -> None:
    found = {
        draft.form
        for scene in scenes.values()
        for draft in formed(scene, pool(scene), worth_combining(scene), random.Random(3))
    }
    assert found == set(FORMS)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_one_new_question_for_each_and_none_twice(scenes: dict[str, Scene], direction: str) -> None:
    for name, scene in scenes.items():
        asked = questions_of(name)
        reply = EvolveReply.model_validate({"evolved": write(direction, scene, asked, [], [], 5)})
        assert [evolved.id for evolved in reply.evolved] == [row["id"] for row in asked]
        texts = [evolved.question for evolved in reply.evolved]
        assert len(set(texts)) == len(texts)
        assert not set(texts) & {row["question"] for row in asked}
        for evolved in reply.evolved:
            assert (evolved.form in FORMS) == (direction == "interaction")


def test_the_same_request_gets_the_same_reply_and_another_seed_another(scenes: dict[str, Scene]) -> None:
    asked = questions_of("astronaut")
    first = write("reasoning", scenes["astronaut"], asked, [], [], 7)
    assert write("reasoning", scene_of("astronaut"), asked, [], [], 7) == first
    assert any(write("reasoning", scenes["astronaut"], asked, [], [], seed) != first for seed in range(8, 12))


def test_a_rejected_attempt_does_not_come_again(scenes: dict[str, Scene]) -> None:
    asked = questions_of("coffee")
    first = write("perception", scenes["coffee"], asked, [], [], 1)
    rejected = [
        {"id": row["id"], "question": row["question"], "answer": row["answer"], "reason": "no"} for row in first
    ]
    again = write("perception", scenes["coffee"], asked, rejected, [], 1)
    assert not {row["question"] for row in first} & {row["question"] for row in again}


def test_reasoning_grows_over_three_rounds(scenes: dict[str, Scene]) -> None:
    heads = questions_of("rainfall")
    lengths = [0.0]
    for seed in range(3):
        heads = write("reasoning", scenes["rainfall"], heads, [], [], seed)
        lengths.append(sum(len(row["steps"]) for row in heads) / len(heads))
    assert lengths[0] < lengths[1] < lengths[2] < lengths[3]


def test_where_no_facts_are_known_only_pixels_and_given_answers_are_asked_about() -> None:
    scene = scene_of("cat", facts=False)
    for direction in DIRECTIONS:
        for row in write(direction, scene, questions_of("cat"), [], [], 2):
            assert "[" not in row["question"]
            for text in (row["answer"], *(step["description"] for step in row["steps"])):
                assert (
                    False not in [claim.check(scene) for claim in parse(text)] or row["form"] == "text_image_matching"
                )


def test_an_image_about_which_nothing_is_known_gets_its_questions_back() -> None:
    blank = Scene([np.full((60, 60, 3), 128, np.uint8)], {"images": [{"width": 60, "height": 60}]})
    asked = [
        {
            "id": "q",
            "objects": [],
            "skills": [],
            "form": "open",
            "question": "Is it day?",
            "steps": [],
            "answer": "Yes.",
        }
    ]
    (evolved,) = write("perception", blank, asked, [], [], 0)
    assert (evolved["id"], evolved["question"], evolved["answer"]) == ("q", "Is it day?", "Yes.")


def test_first_questions_are_plain_true_and_about_different_things(scenes: dict[str, Scene]) -> None:
    checked = 0
    for scene in scenes.values():
        rows = curated(scene, 1)
        assert rows == curated(scene, 1)
        assert (
            len(
                {row["question"] for row in CurationReply.model_validate({"questions": rows}).model_dump()["questions"]}
            )
            == 3
        )
        weights = sorted(draft.weight for draft in pool(scene))
        for row in rows:
            (draft,) = [draft for draft in pool(scene) if draft.question == row["question"]]
            assert draft.weight <= weights[len(weights) // 2]
            verdicts = [claim.check(scene) for claim in parse(row["answer"])]
            assert False not in verdicts, row["answer"]
            checked += len(verdicts)
    assert checked > 15


def test_of_a_scene_that_no_rule_knows_the_caption_is_told() -> None:
    scene = Scene([], {"images": [], "caption": "A dream."})
    assert [row["answer"] for row in curated(scene, 1)] == ["A dream."]
