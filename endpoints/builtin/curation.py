"""The first questions of a sample that has none: the simplest that the rules know how to ask of its scene."""

import random
from typing import Any, Final

from .choice import Bench
from .drafts.draft import Draft
from .scene import Scene

_MOST: Final = 3


def curated(scene: Scene, seed: int) -> list[dict[str, Any]]:
    """Up to three plain questions about different things, as the fields of a reply.

    Of a scene about which no rule has anything to ask, its caption is all that can be told.
    """
    bench = Bench(scene, (), (), random.Random(seed))
    written: list[dict[str, Any]] = []
    for _ in range(_MOST):
        draft = bench.cheapest(bench.drafts, lambda draft: _cost(bench, draft))
        if draft is None:
            break
        bench.take(draft)
        written.append(_row(draft.objects, draft.skills, draft.question, draft.answer))
    return written or [_row((), ("Context Understanding",), "What does this image show?", scene.caption)]


def _cost(bench: Bench, draft: Draft) -> float:
    """The less work the better, and rather another kind of question about another thing."""
    return 2 * draft.weight + 3 * bench.families[draft.family] + 2 * len(draft.subjects & bench.covered)


def _row(objects: tuple[str, ...], skills: tuple[str, ...], question: str, answer: str) -> dict[str, Any]:
    return {"objects": list(objects), "skills": list(skills), "question": question, "answer": answer}
