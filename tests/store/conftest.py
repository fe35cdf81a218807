"""A run of three samples as a graph would write it: one reached, one exhausted with a refused pair, one pending."""

from typing import Any

import pytest

RUN = {"run": "r"}


def question(name: str, text: str) -> dict[str, Any]:
    return {"id": name, "question": text, "answer": f"{text}!", "steps": []}


def seed(sample: str, position: int, images: int = 1) -> dict[str, list[dict[str, Any]]]:
    pictures = [{"path": f"{sample}-{n}.png", "sha256": "0" * 64, "width": 4, "height": 3} for n in range(images)]
    content = {"id": sample, "images": pictures, "caption": f"caption of {sample}"}
    row = {"run": "r", "id": sample, "position": position, "digest": "d", "images": pictures, "sample": content}
    first = {"outcome": "seed", "round": 0, "qa": "q1", "content": question("q1", f"seed of {sample}")}
    return {"samples": [row], "generations": [RUN | {"sample": sample} | first]}


def decision(sample: str, round_: int, direction: str) -> dict[str, Any]:
    return RUN | {
        "sample": sample,
        "round": round_,
        "direction": direction,
        "propensity": 0.5,
        "probabilities": {"perception": 0.5, "reasoning": 0.5},
        "eligible": ["perception", "reasoning"],
        "features": {"round": round_},
        "feature_set": "v1",
        "uniform": 0.25,
        "policy": "uniform",
        "policy_version": "1",
        "decided_ns": round_,
    }


def round_(sample: str, number: int, direction: str, *, accepted: bool, take: int = 0) -> dict[str, list[Any]]:
    place = RUN | {"sample": sample, "round": number, "qa": "q1", "direction": direction, "take": take}
    flags = dict.fromkeys(("grounded", "correct", "answerable", "needs_image", "improved"), accepted)
    ruled = {"stage": "judge", "accepted": accepted, "code": "accepted" if accepted else "not-correct", "reason": "why"}
    text = f"{sample} after round {number}, take {take}"
    evolved = {"outcome": "accepted" if accepted else "rejected", "parent_round": number - 1, "complexity": 5.0}
    prize = {"sample": sample, "round": number, "take": take, "reward": 0.2, "tokens": 10, "rewarded_ns": 1}
    return {
        "verdicts": [place | ruled | flags | {"score_before": 3, "score_after": 5}],
        "generations": [place | evolved | {"content": question("q1", text)}],
        "rewards": [RUN | prize],
    }


def settled(sample: str, status: str, rounds: int, after: float | None, take: int = 0) -> dict[str, list[Any]]:
    """How `sample` ended, with its seed as the final question."""
    heads = [{"qa": "q1", "complexity": after, "round": 0}]
    end = {"status": status, "rounds": rounds, "reason": "so", "heads": heads, "settled_ns": 9, "take": take}
    scores = {"complexity_before": 3.0, "complexity_after": after}
    return {"settled": [RUN | {"sample": sample} | end | scores]}


def call(sample: str, number: int = 1, **given: Any) -> dict[str, Any]:
    """A call as the client records it."""
    return {
        "key": f"{sample}-{number}-key",
        "sample": sample,
        "round": number,
        "agent": "perception",
        "step": 0,
        "take": 0,
        "model": "m",
        "kind": "ok",
        "text": '{"evolved": []}',
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 100,
            "cached_tokens": None,
            "completion_tokens": 20,
            "image_tokens": 50,
            "reasoning_tokens": 3,
        },
        "response_id": "x",
        "endpoint": "http://127.0.0.1:1",
        "attempts": 1,
        "maybe_billed": 0,
        "http_status": 200,
        "error": None,
        "started_ns": number,
        "ended_ns": number + 5,
        "messages": [
            {"role": "system", "parts": [{"type": "text", "text": "You evolve questions. " * 10}]},
            {
                "role": "user",
                "parts": [
                    {"type": "image", "sha256": "0" * 64, "path": "a.png"},
                    {
                        "type": "text",
                        "text": f"Task {number}:\n" + '```json questions\n[{"id":"q1"},\n{"id":"q2"}]\n```',
                    },
                ],
            },
        ],
        **given,
    }


@pytest.fixture
def written() -> list[dict[str, list[dict[str, Any]]]]:
    """Row sets in the order in which they are committed."""
    run = {"id": "r", "created_ns": 1, "fingerprint": {"policy": "uniform"}, "seed": 7}
    return [
        {"runs": [run], "sessions": [{"id": 1, "run": "r", "started_ns": 1}]},
        {**seed("b", 1, images=2), "decisions": [decision("b", 1, "perception")]},
        {**seed("a", 0), "decisions": [decision("a", 1, "reasoning")]},
        {**seed("c", 2), "decisions": [decision("c", 1, "reasoning")]},
        round_("b", 1, "perception", accepted=False),
        {**round_("a", 1, "reasoning", accepted=True), **settled("a", "reached", 1, 8.0)},
        {"decisions": [decision("b", 2, "reasoning")]},
        {**round_("b", 2, "reasoning", accepted=True), **settled("b", "exhausted", 2, 5.0)},
    ]
