"""The page of how a sample's questions came about: every version with what it was made of."""

from typing import Any, Final

from .asked import Asked, AskedError
from .overview import run_line
from .sample import found

_COLUMN: Final = 210
_ROW: Final = 84
_LEFT: Final = 60
_TOP: Final = 46


def lineage(asked: Asked) -> dict[str, Any]:
    """What the lineage page shows: nodes placed by round (columns) and question (rows). Raises AskedError."""
    if unknown := sorted(set(asked.query) - {"id"}):
        raise AskedError("no such filter", where=unknown[0])
    known = found(asked)
    names = list(dict.fromkeys(one.qa for one in known.lineage.generations))
    verdicts = {(one.qa, one.round, one.take): one for one in known.lineage.verdicts}
    nodes = []
    for one in known.lineage.generations:
        verdict = verdicts.get((one.qa, one.round, one.take))
        nodes.append(
            {
                "qa": one.qa,
                "round": one.round,
                "take": one.take,
                "outcome": one.outcome,
                "direction": one.direction,
                "parent_round": one.parent_round,
                "score": verdict.score_after if verdict else None,
                "code": verdict.code if verdict else "",
                "reason": verdict.reason if verdict else "",
                "question": one.content["question"],
                "answer": one.content["answer"],
                "x": _LEFT + one.round * _COLUMN,
                "y": _TOP + names.index(one.qa) * _ROW + (26 if one.outcome == "rejected" else 0),
            }
        )
    last = max((node["round"] for node in nodes), default=0)
    return {
        "run": run_line(asked),
        "id": known.id,
        "questions": names,
        "nodes": nodes,
        "edges": _edges(nodes),
        "rounds": [{"round": number, "x": _LEFT + number * _COLUMN} for number in range(last + 1)],
        "width": _LEFT + last * _COLUMN + 60,
        "height": _TOP + len(names) * _ROW - 10,
    }


def _edges(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Curves from each version to the ones made of it."""
    versions = {(node["qa"], node["round"]): node for node in nodes if node["outcome"] != "rejected"}
    edges = []
    for node in nodes:
        parent = versions.get((node["qa"], node["parent_round"]))
        if parent is None or node["round"] == 0:
            continue
        x1, y1, x2, y2 = parent["x"], parent["y"], node["x"], node["y"]
        bend = (x1 + x2) / 2
        edges.append({"outcome": node["outcome"], "d": f"M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"})
    return edges
