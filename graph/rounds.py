"""What a round does to a sample: candidates are screened and judged; heads, reward and lineage follow."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..agents.evidence import Finding, contradiction, examine
from ..agents.judge import FLAGS, accepted, refusal_code
from ..agents.replies import EvolvedQA, Verdict
from ..agents.screen import Pair, Refusal, Screen, normalise, screen
from ..endpoints.errors import PASSING
from ..samples.sample import QA, Box
from .routing import reward
from .state import Head, State, Update, candidates_of, heads_of, plain, proposed_of, sample_of


@dataclass(frozen=True, slots=True)
class Screened:
    """A round's pairs by question id: those the judge shall see, and why the others were refused."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    attempts: dict[str, Pair] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    unknown_labels: int = 0


def screen_round(state: State, direction: str, screens: Sequence[Screen], *, evidence: bool = True) -> Screened:
    """Pairs every head with its candidate and screens the pairs. A head without a candidate is refused as `missing`.

    With `evidence` the steps of what passed are carried out; a pair with a step that is shown to be wrong is refused.
    """
    heads = heads_of(state)
    boxes = (*sample_of(state).boxes, *proposed_of(state))
    offered: dict[str, EvolvedQA] = {}
    for row in candidates_of(state):
        offered.setdefault(row.id, row)
    found = Screened()
    unknown = 0
    for parent in heads:
        if parent.id not in offered:
            found.refused[parent.id] = Refusal("missing", "the reply holds no question with this id")
            continue
        candidate = normalise(offered[parent.id], parent)
        unknown += len(candidate.unknown)
        others = _siblings(heads, found.pairs, parent)
        pair = Pair(candidate, parent, direction, boxes, others, state["asked"])
        found.attempts[parent.id] = pair
        refusal = screen(pair, screens)
        if not refusal and evidence:
            findings = examine(candidate.qa, (*boxes, *candidate.proposed))
            found.findings[parent.id] = findings
            refusal = _refuted(findings)
        if refusal:
            found.refused[parent.id] = refusal
        else:
            found.pairs[parent.id] = pair
    return replace(found, unknown_labels=unknown)


def _refuted(findings: Sequence[Finding]) -> Refusal | None:
    wrong = contradiction(findings)
    return Refusal("evidence", f"step {wrong.step}: {wrong.found}") if wrong else None


def _siblings(heads: Sequence[QA], passed: Mapping[str, Pair], parent: QA) -> tuple[QA, ...]:
    others = tuple(head for head in heads if head.id != parent.id)
    return (*others, *(pair.candidate.qa for pair in passed.values()))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided on one head in one round. `verdict` is null when no judge was asked."""

    qa: str
    accepted: bool
    stage: str
    code: str
    reason: str
    verdict: Verdict | None = None


def failed_round(state: State) -> list[Ruling]:
    """The rulings of a round whose evolve call failed: every head stays."""
    failure = state["failure"] or {"kind": "empty", "detail": ""}
    return [Ruling(head["qa"]["id"], False, "agent", failure["kind"], failure["detail"]) for head in state["heads"]]


def refusals(screened: Screened) -> list[Ruling]:
    """The rulings of the screen."""
    return [Ruling(qa, False, "screen", refusal.code, refusal.reason) for qa, refusal in screened.refused.items()]


def verdicts(screened: Screened, given: Mapping[str, Verdict], direction: str, *, eliminate: bool) -> list[Ruling]:
    """The rulings of the judge; without elimination every judged pair is kept, its verdict on record."""
    rulings = []
    for qa, verdict in given.items():
        if qa in screened.pairs:
            good = accepted(verdict, direction)
            code = "accepted" if good else refusal_code(verdict)
            rulings.append(Ruling(qa, good or not eliminate, "judge", code, verdict.reason, verdict))
    return rulings


def unseen(rulings: Sequence[Ruling], answered: Mapping[str, str]) -> list[Ruling]:
    """The rulings, those turned down whose questions were `answered` rightly without the image."""
    return [
        replace(ruling, accepted=False, code="blind", reason=f"answered without the image: {answered[ruling.qa]}")
        if ruling.accepted and ruling.qa in answered
        else ruling
        for ruling in rulings
    ]


def unjudged(screened: Screened, code: str, detail: str, *, keep: bool) -> list[Ruling]:
    """The rulings on screened pairs that no judge ruled on: its call failed, or judging is switched off (`keep`)."""
    return [Ruling(qa, keep, "judge", code, detail) for qa in screened.pairs]


def close_round(
    state: State, screened: Screened, rulings: Sequence[Ruling], direction: str, *, survivors: bool, token_price: float
) -> Update:
    """The state changes that `rulings` on a round bring to heads, lineage, reward and feedback.

    With `survivors` questions that were turned down leave the sample, unless all of them were. `token_price` is what
    1,000 tokens take from the reward.
    """
    by_id = {ruling.qa: ruling for ruling in rulings}
    number, first = state["round"], dict(state["first_scores"])
    written = {qa: plain(pair.candidate.qa) for qa, pair in screened.attempts.items()}
    heads: list[Head] = []
    for head in state["heads"]:
        ruling = by_id[head["qa"]["id"]]
        heads.append(_next_head(head, ruling, written, number))
        if ruling.verdict and ruling.verdict.score_before is not None:
            first.setdefault(ruling.qa, ruling.verdict.score_before)
    passed = [by_id[head["qa"]["id"]] for head in state["heads"] if by_id[head["qa"]["id"]].accepted]
    gains = [_gain(ruling) for ruling in passed]
    judged = any(ruling.verdict or ruling.accepted or ruling.stage == "screen" for ruling in rulings)
    failures = [r for r in rulings if r.stage == "agent" or (r.stage == "judge" and not r.verdict and not r.accepted)]
    failure = f"{failures[0].code}: {failures[0].reason}" if failures else ""
    attempts = screened.attempts
    past = {"round": number, "direction": direction, "accepted": len(passed), "failure": failure}
    return {
        "heads": [head for head in heads if by_id[head["qa"]["id"]].accepted] if survivors and passed else heads,
        "first_scores": first,
        "verdicts": [_verdict_row(ruling, number, direction) for ruling in rulings],
        "generations": [_generation_row(state, written[qa], by_id[qa], direction) for qa in attempts],
        "rejected": [_rejected_row(pair, by_id[qa]) for qa, pair in attempts.items() if not by_id[qa].accepted],
        "proposed": [*state["proposed"], *_confirmed(screened, passed, proposed_of(state))],
        "reward": {
            "round": number,
            "reward": None
            if failures and failures[0].code in PASSING
            else reward(gains, len(heads), state["tokens"], token_price),
            "tokens": state["tokens"],
            "rewarded_ns": time.time_ns(),
        },
        "history": [*state["history"], past],
        "asked": [*state["asked"], *_replaced(state, by_id)],
        "idle": 0 if passed else state["idle"] + 1,
        "judged": state["judged"] + int(judged),
        "candidates": [],
        "failure": None,
    }  # fmt: skip


def _replaced(state: State, by_id: Mapping[str, Ruling]) -> list[str]:
    """The questions that others have taken the place of."""
    return [head["qa"]["question"] for head in state["heads"] if by_id[head["qa"]["id"]].accepted]


def _gain(ruling: Ruling) -> int:
    verdict = ruling.verdict
    return verdict.score_after - verdict.score_before if verdict and verdict.score_before is not None else 0


def _next_head(head: Head, ruling: Ruling, written: Mapping[str, dict[str, Any]], number: int) -> Head:
    verdict = ruling.verdict
    if ruling.accepted:
        return {"qa": written[ruling.qa], "complexity": verdict.score_after if verdict else None, "round": number}
    if head["complexity"] is None and verdict:
        return {"qa": head["qa"], "complexity": verdict.score_before, "round": head["round"]}
    return head


def _verdict_row(ruling: Ruling, number: int, direction: str) -> dict[str, Any]:
    verdict = ruling.verdict
    fields = (*FLAGS, "score_before", "score_after")
    given = {name: getattr(verdict, name) if verdict else None for name in fields}
    return {
        "round": number,
        "qa": ruling.qa,
        "direction": direction,
        "stage": ruling.stage,
        "accepted": ruling.accepted,
        "code": ruling.code,
        "reason": ruling.reason,
    } | given


def _generation_row(state: State, content: dict[str, Any], ruling: Ruling, direction: str) -> dict[str, Any]:
    parent = next(head for head in state["heads"] if head["qa"]["id"] == ruling.qa)
    return {
        "round": state["round"],
        "qa": ruling.qa,
        "outcome": "accepted" if ruling.accepted else "rejected",
        "direction": direction,
        "parent_round": parent["round"],
        "complexity": ruling.verdict.score_after if ruling.verdict else None,
        "content": content,
    }


def _rejected_row(pair: Pair, ruling: Ruling) -> dict[str, Any]:
    qa = pair.candidate.qa
    return {"id": qa.id, "question": qa.question, "answer": qa.answer, "reason": f"{ruling.code}: {ruling.reason}"}


def _confirmed(screened: Screened, passed: Sequence[Ruling], known: Sequence[Box]) -> list[dict[str, Any]]:
    boxes = {(box.image, box.bbox): box for one in passed for box in screened.pairs[one.qa].candidate.proposed}
    seen = {(box.image, box.bbox) for box in known}
    return [box.model_dump(mode="json") for place, box in boxes.items() if place not in seen]
