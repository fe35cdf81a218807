"""Where a sample goes next: the decision that is logged before a round, or the end."""

import time
from collections.abc import Sequence
from typing import Any

from .features import FEATURE_SET, features
from .policies.policy import Context, Decision, Policy, checked, draw, uniform_number
from .state import State, complexity


async def decide(state: State, round_number: int, policy: Policy, eligible: Sequence[str], run_seed: int) -> Decision:
    """The decision for a sample's round: the policy proposes, a number seeded by (run, sample, round) draws.

    Raises PolicyError when the policy proposes no probability vector over `eligible`.
    """
    sample = state["sample"]["id"]
    seen = features(state, round_number)
    context = Context(sample, round_number, tuple(eligible), seen, FEATURE_SET)
    vector = checked(await policy.propose(context), eligible, policy.name)
    uniform = uniform_number(run_seed, sample, round_number)
    direction = draw(vector, uniform)
    return Decision(
        sample=sample,
        round=round_number,
        direction=direction,
        propensity=vector[direction],
        probabilities=vector,
        eligible=list(eligible),
        features=seen,
        feature_set=FEATURE_SET,
        uniform=uniform,
        policy=policy.name,
        policy_version=policy.version,
        decided_ns=time.time_ns(),
    )


def ending(state: State, *, rounds: int, target: float, patience: int) -> tuple[str, str] | None:
    """How the sample ends now, as (status, reason), or None when it goes on.

    A sample that no judge ever ruled on because its calls failed is `failed`, not `exhausted`.
    """
    if not state["heads"]:
        return "failed", "no-questions: the sample asks nothing that could be evolved"
    reached = complexity(state["heads"])
    if reached is not None and reached >= target:
        return "reached", f"complexity {reached:.2f} >= {target:g}"
    if len(state["history"]) < rounds and not (patience and state["idle"] >= patience):
        return None
    if state["history"] and not state["judged"]:
        return "failed", state["history"][-1]["failure"] or "no round could be judged"
    if len(state["history"]) >= rounds:
        return "exhausted", f"{rounds} round{'s' if rounds > 1 else ''} used"
    return "stalled", f"nothing accepted in {state['idle']} round{'s' if state['idle'] > 1 else ''}"


def reward(gains: Sequence[int], questions: int, tokens: int | None, price: float) -> float | None:
    """The reward of a round: the mean over the sample's questions of accepted * (score_after - score_before) / 9.

    Less `price` for every 1,000 of its `tokens`; None where tokens have a price and nobody knows how many they were.
    """
    if price and tokens is None:
        return None
    return (sum(gains) / 9 / questions if questions else 0.0) - price * (tokens or 0) / 1000


def span(round_number: int, name: str, kind: str, started_ns: int, **attributes: Any) -> dict[str, Any]:
    """A finished span of a node as a row: it ends now; `error` among the attributes gives the status.

    Nothing was routed before round 1, so a span of round 0 has no parent.
    """
    return {
        "round": round_number,
        "id": f"{round_number}/{name}",
        "parent": None if kind == "route" or not round_number else f"{round_number}/route",
        "name": name,
        "kind": kind,
        "started_ns": started_ns,
        "ended_ns": time.time_ns(),
        "status": "error" if attributes.get("error") else "ok",
        "attributes": attributes,
    }
