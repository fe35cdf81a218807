"""Feature set v1: what policies see of a sample and what is logged with every decision.

| name | type | meaning |
|---|---|---|
| round | int | the coming round, from 1 |
| complexity | float or null | mean complexity of the current questions, null while unjudged |
| objects | float | mean number of objects a question names |
| boxes | int | given and confirmed boxes |
| has_caption | bool | whether the sample has a caption |
| skills, steps | float | mean number of abilities and of solving steps a question has |
| forms | list of str | task forms of the current questions |
| last_direction | str or null | direction of the round before |
| last_accepted | float or null | share of that round's pairs that were accepted |
| questions | int | number of questions |
| images | int | number of images |
| kind | str | the first topic word ("chart", "document", ...), or "unknown" |
| megapixels | float | size of the first image |
"""

from typing import Any, Final

from .state import State, complexity

FEATURE_SET: Final = "v1"


def features(state: State, round_number: int) -> dict[str, Any]:
    """Feature set v1 of `state` before round `round_number`, as plain JSON."""
    sample, heads = state["sample"], state["heads"]
    qas = [head["qa"] for head in heads]
    last = state["history"][-1] if state["history"] else None
    image = sample["images"][0]
    return {
        "round": round_number,
        "complexity": complexity(heads),
        "objects": _mean([len(qa["objects"]) for qa in qas]),
        "boxes": len(sample["boxes"]) + len(state["proposed"]),
        "has_caption": bool(sample["caption"]),
        "skills": _mean([len(qa["skills"]) for qa in qas]),
        "steps": _mean([len(qa["steps"]) for qa in qas]),
        "forms": sorted({qa["form"] for qa in qas}),
        "last_direction": last["direction"] if last else None,
        "last_accepted": last["accepted"] / max(1, len(qas)) if last else None,
        "questions": len(qas),
        "images": len(sample["images"]),
        "kind": sample["topic"][0] if sample["topic"] else "unknown",
        "megapixels": round(image["width"] * image["height"] / 1e6, 3),
    }


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0
