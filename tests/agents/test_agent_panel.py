"""Several judges: what the majority makes of their verdicts, and what is left of those who disagree."""

from evolgraph.agents.panel import ballot, majority
from evolgraph.agents.replies import PairVerdict, TextVerdict


def verdict(*, correct: bool = True, improved: bool = True, after: int = 5, reason: str = "") -> PairVerdict:
    return PairVerdict(
        id="q1", grounded=True, correct=correct, answerable=True, needs_image=True, improved=improved,
        score_before=3, score_after=after, reason=reason,
    )  # fmt: skip


def test_most_judges_decide_every_flag_and_the_middle_score_counts() -> None:
    votes = [verdict(correct=False, after=9, reason="wrong"), verdict(after=4, reason="fine"), verdict(after=6)]
    ruled = majority(votes)
    assert ruled.correct and ruled.score_after == 6 and ruled.reason == "fine"
    assert ballot(votes)["correct"] == [False, True, True]
    assert ballot(votes)["disagree"] == ["correct"] and ballot(votes)["score_after"] == [9, 4, 6]


def test_half_is_not_most_and_the_lower_of_two_middle_scores_counts() -> None:
    ruled = majority([verdict(improved=False, after=7), verdict(after=4)])
    assert not ruled.improved and ruled.score_after == 4


def test_judges_of_texts_are_a_panel_too() -> None:
    votes = [
        TextVerdict(id="q1", improved=yes, score=score, reason="") for yes, score in ((True, 3), (True, 9), (False, 5))
    ]
    ruled = majority(votes)
    assert ruled.improved and ruled.score_after == 5
    assert ballot(votes) == {"improved": [True, True, False], "score_after": [3, 9, 5], "disagree": ["improved"]}
