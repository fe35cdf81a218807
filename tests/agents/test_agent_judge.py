from typing import Any

import pytest
from evolgraph.agents.agent import Prompter, View
from evolgraph.agents.judge import FLAGS, Judge, accepted, refusal_code
from evolgraph.agents.replies import JudgeReply, PairVerdict
from evolgraph.agents.screen import Candidate, Pair
from evolgraph.prompts.library import Library
from pydantic import ValidationError

from ..conftest import make_qa, make_sample, solved
from .conftest import Scripted

PAIRS = [Pair(Candidate(solved(number)), make_qa(number), "reasoning") for number in (0, 1)]
VIEW = View(sample=make_sample(), round=2, heads=make_sample().qas, take=1)


def verdict(name: str = "q0", before: int = 4, after: int = 6, **changes: Any) -> PairVerdict:
    values = dict.fromkeys(FLAGS, True) | {"id": name, "score_before": before, "score_after": after, "reason": "-"}
    return PairVerdict.model_validate(values | changes)


@pytest.mark.parametrize(
    ("direction", "before", "after", "expected"),
    [
        ("reasoning", 4, 5, "accepted"),
        ("reasoning", 4, 4, "no-gain"),
        ("reasoning", 4, 3, "no-gain"),
        ("perception", 4, 5, "accepted"),
        ("perception", 4, 4, "accepted"),
        ("perception", 4, 3, "no-gain"),
        ("interaction", 10, 10, "accepted"),
        ("interaction", 10, 9, "no-gain"),
        ("a plugin's", 1, 1, "accepted"),
    ],
)
def test_the_score_must_rise_for_reasoning_and_must_not_fall_for_the_others(
    direction: str, before: int, after: int, expected: str
) -> None:
    given = verdict(before=before, after=after)
    assert accepted(given, direction) is (expected == "accepted")
    if expected != "accepted":
        assert refusal_code(given) == expected


@pytest.mark.parametrize("direction", ["reasoning", "perception", "interaction"])
@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_must_hold_whatever_the_score(flag: str, direction: str) -> None:
    given = verdict(before=1, after=10).model_copy(update={flag: False})
    assert not accepted(given, direction)
    assert refusal_code(given) == "not-" + flag.replace("_", "-")


def test_the_first_flag_that_does_not_hold_names_the_refusal() -> None:
    assert refusal_code(verdict(after=1, correct=False, improved=False)) == "not-correct"


@pytest.mark.parametrize("score", [0, 11, -1, 5.5, None, "high"])
def test_a_score_off_the_scale_is_no_verdict(score: Any) -> None:
    with pytest.raises(ValidationError):
        verdict(after=score)


def judge(*replies: JudgeReply) -> tuple[Judge, Scripted]:
    model = Scripted(*replies)
    return Judge(model, Prompter(Library())), model


async def test_verdicts_are_matched_by_id_and_strange_ones_are_left_out() -> None:
    asked, model = judge(JudgeReply(verdicts=[verdict("q1", 2, 3), verdict("q9"), verdict("q0", 4, 6)]))
    judgement = await asked.judge(VIEW, PAIRS)
    assert {name: given.score_after for name, given in judgement.verdicts.items()} == {"q0": 6, "q1": 3}
    assert judgement.failure is None
    assert judgement.tokens == 110
    key = model.asks[0].key
    assert (key.sample, key.round, key.agent, key.take, model.asks[0].role) == ("table", 2, "judge", 1, "judge")


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        ([verdict("q0")], "there is no verdict for q1"),
        ([], "there is no verdict for q0, q1"),
        ([verdict("q0"), verdict("q1"), verdict("q0", 1, 1)], "an id has more than one verdict"),
    ],
)
async def test_missing_and_doubled_verdicts_are_asked_for_again(first: list[PairVerdict], complaint: str) -> None:
    asked, model = judge(JudgeReply(verdicts=first), JudgeReply(verdicts=[verdict("q0"), verdict("q1")]))
    judgement = await asked.judge(VIEW, PAIRS)
    assert complaint in model.repairs[0]
    assert set(judgement.verdicts) == {"q0", "q1"}
    assert judgement.tokens == 220


async def test_a_judge_that_stays_incomplete_is_a_failure_and_no_exception() -> None:
    asked, _ = judge(JudgeReply(verdicts=[verdict("q0")]), JudgeReply(verdicts=[verdict("q0")]))
    judgement = await asked.judge(VIEW, PAIRS)
    assert judgement.verdicts == {}
    assert judgement.failure
    assert judgement.failure.kind == "check"
    assert "q1" in judgement.failure.detail


def test_which_question_stands_first_is_drawn_unless_it_is_the_parent_always() -> None:
    pairs = [Pair(Candidate(solved(number)), make_qa(number), "reasoning") for number in range(40)]

    def parent_first(seed: int | None) -> list[bool]:
        task = Judge(Scripted(), Prompter(Library()), seed=seed).task(VIEW, pairs)
        return [line.index('"parent"') < line.index('"evolved"') for line in task.splitlines() if '"parent":' in line]

    drawn = parent_first(0)
    assert len(drawn) == 40 and 8 < sum(drawn) < 32
    assert parent_first(0) == drawn != parent_first(1)
    assert all(parent_first(None))
