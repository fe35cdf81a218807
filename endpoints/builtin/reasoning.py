"""The reasoning direction: a longer chain on the parent's subject."""

from .choice import Bench, Parent, thin
from .drafts.draft import Draft

_GAIN = 2.0


def reasoning(bench: Bench, parent: Parent) -> Draft | None:
    """A new question with two or three more steps, on the parent's things and one or two others."""
    wanted = max(parent.depth + 2.5, 3.5)
    family = bench.family(parent)

    def cost(draft: Draft) -> float:
        about = draft.subjects
        gain = parent.gain(draft)
        apart = 0 if about & parent.subjects else 4
        added = len(about - parent.subjects)
        crowd = max(added - 3, 0) + (0 if added else 1)
        short = 12 if draft.depth <= parent.depth else 0
        extends = -3 if draft.family == family and parent.subjects < about else 0
        return (
            extends
            + abs(draft.depth - wanted)
            + abs(gain - _GAIN)
            + 5 * max(0.4 - gain, 0)
            + apart
            + crowd
            + short
            + 1.5 * bench.families[draft.family]
            + thin(draft)
        )

    return bench.cheapest(bench.drafts, cost, lambda draft: draft.complexity.exact >= parent.weight + 0.5)
