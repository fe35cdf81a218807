"""The perception direction: another, finer question that is no easier."""

from .choice import Bench, Parent, thin
from .drafts.draft import Draft

_GAIN = 1.5


def perception(bench: Bench, parent: Parent) -> Draft | None:
    """The finest new question that takes a little more than the parent, best of all about something untouched."""
    family = bench.family(parent)

    def cost(draft: Draft) -> float:
        gain = parent.gain(draft)
        known = len(draft.subjects & bench.covered) / max(len(draft.subjects), 1)
        return (
            1.5 * abs(gain - _GAIN)
            + 5 * max(0.2 - gain, 0)
            + 2.5 * known
            - 4 * draft.fineness
            + 2.5 * bench.families[draft.family]
            + 5 * (draft.family == family)
            + thin(draft)
        )

    def fits(draft: Draft) -> bool:
        found = draft.complexity
        finer = found.demand >= parent.complexity.demand + (0.35 if draft.subjects & bench.covered else 0.2)
        return finer and found.exact >= parent.weight + 0.3

    return bench.cheapest(bench.drafts, cost, fits)
