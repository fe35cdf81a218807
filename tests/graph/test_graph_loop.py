from typing import Any

import pytest
from evolgraph.agents.screen import MAX_QUESTION
from evolgraph.endpoints.chat import Ask
from evolgraph.graph.machine import TERMINAL
from evolgraph.graph.state import complexity

from ..conftest import make_sample
from .conftest import Play, Row, Rules, blocks, play


def refuse(*names: str, **flags: Any) -> Any:
    """A judge's rule: the questions `names` are not correct, or what `flags` say instead."""
    return lambda pair, ask: (flags or {"correct": False}) if pair["id"] in names else {}


def too_long(question: Row, ask: Ask[Any]) -> Row:
    return {"question": "x" * (MAX_QUESTION + 1)}


async def test_a_sample_whose_questions_are_complex_enough_is_reached() -> None:
    played = await play(rounds=5, target=5)
    assert played.ending == ("reached", 2)
    assert played.final["reason"] == "complexity 5.00 >= 5"
    assert played.complexities() == {"q0": 5, "q1": 5}
    assert len(played.model.asks) == 4


async def test_a_sample_that_used_its_rounds_is_exhausted() -> None:
    played = await play(rounds=2)
    assert played.ending == ("exhausted", 2)
    assert [past["direction"] for past in played.final["history"]] == ["perception", "reasoning"]
    assert [past["accepted"] for past in played.final["history"]] == [2, 2]


async def test_a_sample_is_stalled_after_patience_rounds_with_nothing_accepted() -> None:
    played = await play(Rules(judge=refuse("q0", "q1")), rounds=9, patience=2)
    assert played.ending == ("stalled", 2)
    assert played.final["reason"] == "nothing accepted in 2 rounds"


async def test_one_accepted_question_renews_the_patience() -> None:
    def judge(pair: Row, ask: Ask[Any]) -> Row:
        return {"correct": ask.key.round == 2 and pair["id"] == "q0"}

    played = await play(Rules(judge=judge), rounds=9, patience=2)
    assert played.ending == ("stalled", 4)


async def test_patience_zero_never_stalls() -> None:
    assert (await play(Rules(judge=refuse("q0", "q1")), rounds=4, patience=0)).ending == ("exhausted", 4)


async def test_a_sample_without_questions_fails_without_a_call() -> None:
    played = await play(sample=make_sample(questions=0))
    assert played.ending == ("failed", 0)
    assert played.final["reason"].startswith("no-questions: ")
    assert played.model.asks == []


async def test_an_accepted_question_becomes_the_head_and_the_next_rounds_parent() -> None:
    played = await play(rounds=2)
    first, second = (blocks(ask)["questions"] for ask in played.model.asked("evolver"))
    assert [row["question"] for row in first] == [qa.question for qa in make_sample().qas]
    assert all("round 1" in row["question"] for row in second)
    assert all("round 2" in head["qa"]["question"] and head["round"] == 2 for head in played.final["heads"])
    pairs = blocks(played.model.asked("judge")[1])["pairs"]
    assert [pair["parent"]["question"] for pair in pairs] == [row["question"] for row in second]


async def test_a_rejected_question_leaves_its_parent_and_its_reason_reaches_the_next_round() -> None:
    played = await play(Rules(judge=refuse("q1", correct=False, reason="There are only two.")), rounds=2)
    second = blocks(played.model.asked("evolver")[1])
    assert [row["id"] for row in second["rejected"]] == ["q1"]
    assert second["rejected"][0]["reason"] == "not-correct: There are only two."
    assert "round 1" in second["rejected"][0]["question"]
    questions = {row["id"]: row["question"] for row in second["questions"]}
    assert questions["q1"] == make_sample().qas[1].question
    assert "round 1" in questions["q0"]
    heads = {head["qa"]["id"]: head["round"] for head in played.final["heads"]}
    assert heads == {"q0": 2, "q1": 0}


async def test_the_reason_of_a_screened_question_reaches_the_next_round_too() -> None:
    def write(question: Row, ask: Ask[Any]) -> Row:
        return too_long(question, ask) if ask.key.round == 1 and question["id"] == "q0" else {}

    played = await play(Rules(write=write), rounds=2)
    assert [pair["id"] for pair in blocks(played.model.asked("judge")[0])["pairs"]] == ["q1"]
    assert [row["reason"][:7] for row in blocks(played.model.asked("evolver")[1])["rejected"]] == ["length:"]


async def test_complexity_is_unknown_until_judged_and_then_stays_as_it_was_scored() -> None:
    def judge(pair: Row, ask: Ask[Any]) -> Row:
        scores = {1: (4, 6), 2: (9, 9), 3: (1, 2)}[ask.key.round]
        good = pair["id"] == "q0" and ask.key.round != 2
        return {"correct": good, "score_before": scores[0], "score_after": scores[1]}

    played = await play(Rules(judge=judge), rounds=3, target=10)
    heads = [state["heads"] for state in played.states]
    assert complexity(heads[0]) is None
    scores = [{head["qa"]["id"]: head["complexity"] for head in state} for state in heads]
    assert scores[0] == scores[1] == {"q0": None, "q1": None}
    rounds = [row for row in scores if row["q0"] is not None]
    # q1 keeps its first score_before; q0 keeps its score_after until another version of it is accepted.
    assert rounds[0] == {"q0": 6, "q1": 4}
    assert {(row["q0"], row["q1"]) for row in rounds} == {(6, 4), (2, 4)}
    assert played.final["first_scores"] == {"q0": 4, "q1": 4}


async def test_a_sample_is_not_reached_while_a_question_was_never_judged() -> None:
    def write(question: Row, ask: Ask[Any]) -> Row | None:
        return None if question["id"] == "q1" else {}

    played = await play(Rules(write=write, judge=lambda pair, ask: {"score_after": 10}), rounds=2, target=2)
    assert played.ending == ("exhausted", 2)
    assert played.complexities() == {"q0": 10, "q1": None}


async def test_a_question_that_the_reply_left_out_is_refused_as_missing() -> None:
    played = await play(Rules(write=lambda question, ask: None if question["id"] == "q1" else {}), rounds=1)
    row = played.verdicts(1)["q1"]
    assert (row["accepted"], row["stage"], row["code"]) == (False, "screen", "missing")
    assert played.verdicts(1)["q0"]["accepted"]


async def test_questions_are_matched_by_id_and_never_by_place() -> None:
    class Backwards(Rules):
        def _evolved(self, ask: Ask[Any]) -> Row:
            return {"evolved": [{**row, "id": row["id"]} for row in super()._evolved(ask)["evolved"][::-1]]}

        def _verdicts(self, ask: Ask[Any]) -> Row:
            return {"verdicts": super()._verdicts(ask)["verdicts"][::-1]}

    played = await play(Backwards(judge=refuse("q1")), rounds=1)
    assert {head["qa"]["id"]: head["round"] for head in played.final["heads"]} == {"q0": 1, "q1": 0}
    assert "of q0" in played.final["heads"][0]["qa"]["question"]


@pytest.mark.parametrize("kind", ["not-json", "truncated", "truncated-thinking", "refusal", "empty", "schema"])
async def test_a_lost_round_goes_on_with_the_same_questions(kind: str) -> None:
    rules = Rules(fail=lambda ask: kind if ask.key.round == 1 and ask.role == "evolver" else "")
    played = await play(rules, rounds=2)
    assert played.ending == ("exhausted", 2)
    assert {row["code"] for row in played.verdicts(1).values()} == {kind}
    assert {row["stage"] for row in played.verdicts(1).values()} == {"agent"}
    assert [past["accepted"] for past in played.final["history"]] == [0, 2]
    assert len(played.model.asked("judge")) == 1


async def test_a_lost_verdict_goes_on_too() -> None:
    rules = Rules(fail=lambda ask: "schema" if ask.key.round == 1 and ask.role == "judge" else "")
    played = await play(rules, rounds=2)
    assert played.ending == ("exhausted", 2)
    assert {(row["stage"], row["code"]) for row in played.verdicts(1).values()} == {("judge", "schema")}
    assert [head["round"] for head in played.final["heads"]] == [2, 2]


async def test_a_judge_that_forgets_a_pair_loses_the_round_and_nothing_else() -> None:
    played = await play(Rules(judge=lambda pair, ask: None if pair["id"] == "q1" else {}), rounds=1)
    assert played.final["status"] == "failed"
    assert [row["code"] for row in played.verdicts(1).values()] == ["check", "check"]


async def test_a_sample_that_no_judge_ever_ruled_on_is_failed_and_not_exhausted() -> None:
    played = await play(Rules(fail=lambda ask: "not-json"), rounds=2)
    assert played.ending == ("failed", 2)
    assert played.final["reason"] == "not-json: as the script says"


@pytest.mark.parametrize("role", ["evolver", "judge"])
@pytest.mark.parametrize("kind", sorted(TERMINAL))
async def test_a_failing_endpoint_fails_the_sample_at_once(kind: str, role: str) -> None:
    played = await play(Rules(fail=lambda ask: kind if ask.role == role and ask.key.round == 2 else ""), rounds=5)
    assert played.ending == ("failed", 2)
    assert played.final["reason"] == f"{kind}: as the script says"
    assert [head["round"] for head in played.final["heads"]] == [1, 1]


async def test_no_judge_is_asked_when_the_screen_refused_all_pairs() -> None:
    played = await play(Rules(write=too_long), rounds=2, patience=0)
    assert played.ending == ("exhausted", 2)
    assert played.model.asked("judge") == []
    assert {row["code"] for row in played.verdicts(1).values()} == {"length"}


async def test_boxes_that_a_judge_confirmed_may_be_cited_later() -> None:
    cited = "[0.700, 0.600, 0.750, 0.650]"
    crack = {"label": "crack", "bbox": [0.7, 0.6, 0.75, 0.65]}

    def write(question: Row, ask: Ask[Any]) -> Row:
        if question["id"] != "q0":
            return {}
        claims = {"proposed_boxes": [crack]} if ask.key.round == 1 else {}
        return {"answer": f"Round {ask.key.round} looks at {cited}."} | claims

    played = await play(Rules(write=write), rounds=2)
    assert [box["label"] for box in played.final["proposed"]] == ["crack"]
    assert blocks(played.model.asked("evolver")[1])["proposed"] == [crack]
    assert blocks(played.model.asked("judge")[0])["pairs"][0]["evolved"]["proposed_boxes"] == [crack]
    assert played.verdicts(2)["q0"]["accepted"]


async def test_a_box_that_is_proposed_again_and_again_is_remembered_once() -> None:
    crack = {"label": "crack", "bbox": [0.7, 0.6, 0.75, 0.65]}
    played = await play(Rules(write=lambda question, ask: {"proposed_boxes": [crack]}), rounds=3)
    assert {row["accepted"] for number in (1, 2, 3) for row in played.verdicts(number).values()} == {True}
    assert [box["label"] for box in played.final["proposed"]] == ["crack"]


async def test_a_box_that_the_judge_turned_down_is_not_remembered() -> None:
    crack = {"label": "crack", "bbox": [0.7, 0.6, 0.75, 0.65]}
    rules = Rules(write=lambda question, ask: {"proposed_boxes": [crack]}, judge=refuse("q0", "q1", grounded=False))
    assert (await play(rules, rounds=1)).final["proposed"] == []


ABLATIONS = {
    "screen": Rules(write=too_long),
    "judge": Rules(judge=refuse("q0", "q1")),
    "elimination": Rules(judge=refuse("q0", "q1")),
}


@pytest.mark.parametrize("part", ABLATIONS)
async def test_without_a_part_what_it_stops_gets_through(part: str) -> None:
    rules = ABLATIONS[part]
    assert [past["accepted"] for past in (await play(rules, rounds=1)).final["history"]] == [0]
    played = await play(rules, rounds=1, ablate=(part,))
    assert [past["accepted"] for past in played.final["history"]] == [2]


async def test_without_elimination_the_verdict_stays_on_record() -> None:
    played = await play(Rules(judge=refuse("q0")), rounds=1, ablate=("elimination",))
    row = played.verdicts(1)["q0"]
    assert (row["accepted"], row["correct"], row["code"]) == (True, False, "not-correct")


async def test_without_a_judge_no_judge_is_asked_and_samples_still_settle() -> None:
    played = await play(rounds=2, ablate=("judge",))
    assert played.model.asked("judge") == []
    assert [head["round"] for head in played.final["heads"]] == [2, 2]
    assert played.complexities() == {"q0": None, "q1": None}
    assert played.ending == ("exhausted", 2)


async def test_without_feedback_the_rejected_are_not_shown() -> None:
    played = await play(Rules(judge=refuse("q0", "q1")), rounds=2, ablate=("feedback",))
    assert len(played.model.asked("evolver")) == 2
    assert all("rejected" not in blocks(ask) for ask in played.model.asked("evolver"))


async def test_without_a_direction_it_is_never_chosen() -> None:
    played = await play(rounds=4, ablate=("reasoning",))
    assert [past["direction"] for past in played.final["history"]] == ["perception", "interaction"] * 2
    assert all(row["eligible"] == ["perception", "interaction"] for row in played.decisions)


def rewards(played: Play) -> dict[int, dict[str, Any]]:
    return {state["reward"]["round"]: state["reward"] for state in played.states if state["reward"]}


async def test_the_reward_is_the_mean_gain_of_the_accepted_over_nine() -> None:
    def judge(pair: Row, ask: Ask[Any]) -> Row:
        return {"score_before": 2, "score_after": 5, "correct": pair["id"] == "q0"}

    assert rewards(await play(Rules(judge=judge), rounds=1))[1]["reward"] == pytest.approx(3 / 9 / 2)


async def test_a_round_that_failed_after_paying_has_reward_zero() -> None:
    rules = Rules(fail=lambda ask: "schema" if ask.role == "judge" else "")
    assert rewards(await play(rules, rounds=1))[1]["reward"] == 0


async def test_an_outage_leaves_the_reward_missing() -> None:
    rules = Rules(fail=lambda ask: "unreachable")
    assert rewards(await play(rules, rounds=1))[1]["reward"] is None


async def test_a_rounds_tokens_are_those_of_both_calls_and_unknown_when_one_is() -> None:
    assert rewards(await play(rounds=2))[2]["tokens"] == 220
    rules = Rules(fail=lambda ask: "schema" if ask.role == "judge" else "")
    assert rewards(await play(rules, rounds=1))[1]["tokens"] is None


async def test_tokens_can_have_a_price() -> None:
    first = rewards(await play(rounds=1))[1]
    priced = rewards(await play(rounds=1, token_price=0.05))[1]
    assert first["tokens"] == priced["tokens"] == 220
    assert priced["reward"] == pytest.approx(first["reward"] - 0.05 * 220 / 1000)


async def test_where_tokens_have_a_price_and_are_not_known_the_reward_is_missing() -> None:
    rules = Rules(fail=lambda ask: "schema" if ask.role == "judge" else "")
    assert rewards(await play(rules, rounds=1, token_price=0.05))[1]["reward"] is None


async def test_an_error_in_a_plugin_fails_its_sample_alone() -> None:
    def broken(ask: Ask[Any]) -> str:
        raise ValueError("a plugin's\nmistake")

    played = await play(Rules(fail=broken), rounds=2)
    assert played.final["status"] == "failed"
    assert played.final["reason"] == "internal: ValueError: a plugin's mistake"
