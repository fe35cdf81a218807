"""The page of one sample: its image with boxes, its rounds, questions, verdicts, spans and messages."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlencode

from ..store.lineage import Decision, Generation, Lineage, Settled, Verdict, final_questions
from ..store.listing import neighbours
from ..store.traces import Call, Span, Trace, ballot_of, evidence_of, trace
from . import drawing
from .asked import FILTERS, Asked, AskedError, filter_of
from .overview import run_line
from .wording import Places, word_changes

FLAGS: Final = ("grounded", "correct", "answerable", "needs_image", "improved")
_WIDTH: Final = 300


def found(asked: Asked) -> Trace:
    """The sample that `id` names. Raises AskedError `missing` when there is none."""
    known = trace(asked.db, asked.run, asked.query.get("id", ""))
    if known is None:
        raise AskedError("there is no such sample", kind="missing")
    return known


def sample(asked: Asked) -> dict[str, Any]:
    """What a sample's page shows. Raises AskedError."""
    if unknown := sorted(set(asked.query) - {"id", *FILTERS}):
        raise AskedError("no such filter", where=unknown[0])
    known = found(asked)
    before, after = neighbours(asked.db, asked.run, known.id, filter_of(asked.query))
    places = Places(known.sample["boxes"])
    rounds = [_round(known, decision, places) for decision in known.lineage.decisions]
    heads = [
        {**head, "question": places.marked(head["qa"]["question"]), "answer": places.marked(head["qa"]["answer"])}
        for head in (_final(known.settled, known.lineage) if known.settled else _heads(known.lineage.generations))
    ]
    spent = [sum(getattr(call, name) or 0 for call in known.calls) for name in ("prompt_tokens", "completion_tokens")]
    kept = urlencode({name: value for name, value in asked.query.items() if name != "id" and value})
    return {
        "run": run_line(asked),
        "id": known.id,
        "position": known.position,
        "previous": before,
        "next": after,
        "query": kept,
        "images": known.sample["images"],
        "caption": places.marked(known.sample.get("caption", "")),
        "topic": known.sample.get("topic", []),
        "settled": asdict(known.settled) if known.settled else None,
        "curated": sum(one.outcome == "seed" for one in known.lineage.generations),
        "rounds": rounds,
        "heads": heads,
        "boxes": places.boxes,
        "spans": _spans(known),
        "calls": [_call(call) for call in known.calls],
        "tokens": spent[0] + spent[1],
        "cost": asked.prices.cost(*spent),
    }


def _final(end: Settled, lineage: Lineage) -> list[dict[str, Any]]:
    """The questions that the sample ended with."""
    versions = final_questions(end, lineage)
    return [head | {"qa": version.content} for head, version in zip(end.heads, versions, strict=True)]


def _heads(generations: Sequence[Generation]) -> list[dict[str, Any]]:
    """The questions as they stand while the sample is pending."""
    newest = {one.qa: one for one in generations if one.outcome != "rejected"}
    return [{"qa": one.content, "complexity": one.complexity, "round": one.round} for one in newest.values()]


def _round(known: Trace, decision: Decision, places: Places) -> dict[str, Any]:
    lineage = known.lineage
    rewards = [one for one in lineage.rewards if one.round == decision.round]
    verdicts = [one for one in lineage.verdicts if one.round == decision.round]
    calls = [one for one in known.calls if one.round == decision.round]
    return {
        "round": decision.round,
        "direction": decision.direction,
        "policy": f"{decision.policy} {decision.policy_version}",
        "uniform": decision.uniform,
        "propensity": decision.propensity,
        "features": decision.features,
        "odds": [
            {"direction": name, "probability": odds, "chosen": name == decision.direction}
            for name, odds in decision.probabilities.items()
        ],
        "reward": rewards[-1].reward if rewards else None,
        "tokens": rewards[-1].tokens if rewards else None,
        "ms": sum(one.ended_ns - one.started_ns for one in calls) / 1e6 if calls else None,
        "accepted": sum(one.accepted for one in verdicts),
        "rejected": sum(not one.accepted for one in verdicts),
        "pairs": [_pair(known, one, places) for one in verdicts],
        "closed": bool(verdicts),
    }


def parent_of(generations: Sequence[Generation], child: Generation) -> Generation | None:
    """The version of the question that `child` was made of."""
    versions = (one for one in generations if (one.qa, one.round) == (child.qa, child.parent_round))
    return next((one for one in versions if one.outcome != "rejected"), None)


def _pair(known: Trace, verdict: Verdict, places: Places) -> dict[str, Any]:
    generations, carried_out = known.lineage.generations, (known.spans, verdict.round, verdict.qa, verdict.take)
    place = (verdict.qa, verdict.round, verdict.take)
    child = next((one for one in generations if (one.qa, one.round, one.take) == place), None)
    parent = parent_of(generations, child) if child else None
    shown: dict[str, Any] = {
        "qa": verdict.qa,
        "take": verdict.take,
        "accepted": verdict.accepted,
        "lost": not verdict.accepted and verdict.stage != "screen" and verdict.score_after is None,
        "stage": verdict.stage,
        "code": verdict.code,
        "reason": verdict.reason,
        "score_before": verdict.score_before,
        "score_after": verdict.score_after,
        "flags": [{"name": name, "holds": getattr(verdict, name)} for name in FLAGS],
        "evidence": evidence_of(*carried_out),
        "votes": ballot_of(*carried_out),
        "child": None,
    }
    if child:
        content = child.content
        old = parent.content if parent else {"question": "", "answer": ""}
        shown["child"] = {
            "form": content.get("form"),
            "skills": content.get("skills", []),
            "objects": content.get("objects", []),
            "question": _changes(old["question"], content["question"], places),
            "answer": _changes(old["answer"], content["answer"], places),
            "steps": [
                {"manipulation": step["manipulation"], "description": places.marked(step["description"])}
                for step in content.get("steps", [])
            ],
            "parent_round": child.parent_round,
        }
    return shown


def _changes(old: str, new: str, places: Places) -> list[dict[str, Any]]:
    """Word changes whose pieces tell the boxes that they cite."""
    return [{"sign": sign, "pieces": places.marked(text)} for sign, text in word_changes(old, new) if text]


def _spans(known: Trace) -> list[dict[str, Any]]:
    """The spans as a tree in one list: by round, a call below what made it; `x` and `width` on a line of 300."""
    spans = sorted(known.spans, key=lambda one: (one.started_ns, one.kind == "call", one.id))
    placed = dict(zip((id(one) for one in spans), drawing.spread(spans, _WIDTH), strict=True))
    above = {(one.id, one.take) for one in spans}
    roots = [one for one in spans if (one.parent, one.take) not in above]
    ordered: list[tuple[int, Span]] = []
    for root in sorted(roots, key=lambda one: (one.take, one.round, one.started_ns)):
        ordered.append((0, root))
        ordered += [(1, one) for one in spans if (one.parent, one.take) == (root.id, root.take)]
    return [
        {
            "depth": depth,
            "round": one.round,
            "kind": one.kind,
            "name": one.name,
            "status": one.status,
            "ms": (one.ended_ns - one.started_ns) / 1e6,
            "tokens_in": one.attributes.get("gen_ai.usage.input_tokens"),
            "tokens_out": one.attributes.get("gen_ai.usage.output_tokens"),
            "attributes": one.attributes,
            **placed[id(one)],
        }
        for depth, one in ordered
    ]


def _call(call: Call) -> dict[str, Any]:
    return asdict(call) | {"ms": (call.ended_ns - call.started_ns) / 1e6}
