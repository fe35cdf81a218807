"""The perception direction: another, finer question of about the same length."""

from .choice import Bench, Parent, effort, subjects
from .drafts.draft import Draft


def perception(bench: Bench, parent: Parent) -> Draft | None:
    """The finest new question that takes about as much work as the parent, best of all about something untouched."""
    wanted = max(parent.depth, 2)
    family = bench.family(parent)

    def cost(draft: Draft) -> float:
        about = subjects(draft.objects)
        easier = parent.effort - effort(draft.depth, len(about), len(draft.skills))
        known = len(about & bench.covered) / max(len(about), 1)
        return (
            2.5 * abs(draft.depth - wanted)
            + 4 * max(easier, 0)
            + 2 * known
            - 4 * draft.fineness
            + 2.5 * bench.families[draft.family]
            + 5 * (draft.family == family)
        )

    return bench.cheapest(bench.drafts, cost)
