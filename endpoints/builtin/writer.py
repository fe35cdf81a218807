"""The embedded model's author: writes one evolved question for each given one, in a direction.

It knows the scene and the request's questions, nothing else, and is deterministic for them and the seed.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .choice import Bench, Parent
from .drafts.draft import Draft
from .interaction import interaction
from .perception import perception
from .reasoning import reasoning
from .scene import Scene

Row = Mapping[str, Any]
_DIRECTIONS: Final[Mapping[str, Callable[[Bench, Parent], Draft | None]]] = {
    "perception": perception,
    "reasoning": reasoning,
    "interaction": interaction,
}


def write(  # noqa: PLR0917  the parts of a request, in its order
    direction: str, scene: Scene, questions: Sequence[Row], rejected: Sequence[Row], proposed: Sequence[Row], seed: int
) -> list[dict[str, Any]]:
    """One evolved question for every row of `questions`, as the fields of a reply.

    `rejected` are attempts that must not come again; `proposed` boxes are expected to be in the scene already. A
    question for which nothing new is known comes back as it was, which a judge will turn down.
    """
    del proposed
    bench = Bench(scene, questions, rejected, random.Random(seed))
    choose = _DIRECTIONS.get(direction, _another)
    return [_evolved(bench, choose, row) for row in questions]


def _another(bench: Bench, parent: Parent) -> Draft | None:
    """For a direction of somebody's own, whose task it cannot read: something new and no easier."""
    return reasoning(bench, parent) or interaction(bench, parent)


def _evolved(bench: Bench, choose: Callable[[Bench, Parent], Draft | None], row: Row) -> dict[str, Any]:
    parent = Parent(row)
    draft = choose(bench, parent)
    if draft is None:
        return {
            "id": str(row["id"]),
            "objects": list(row.get("objects") or ()),
            "skills": list(row.get("skills") or ()),
            "form": str(row.get("form") or "open"),
            "question": str(row["question"]),
            "steps": [
                {"manipulation": s.get("manipulation"), "description": str(s["description"])}
                for s in row.get("steps") or ()
            ],
            "answer": str(row["answer"]),
            "proposed_boxes": [],
        }
    bench.take(draft)
    return draft.reply(parent.id)
