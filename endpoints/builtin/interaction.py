"""The interaction direction: another task form for facts that take no less work."""

from collections import defaultdict

from ...samples.vocabulary import normalise_form
from .choice import Bench, Parent, thin
from .drafts.draft import Draft
from .forms.formed import formed

_BASES = 30
_GAIN = 1.7


def interaction(bench: Bench, parent: Parent) -> Draft | None:
    """A new question in another form than the parent's, and where it can be helped than the sample's others."""
    bases = [
        draft
        for draft in (*bench.sayings, *bench.drafts)
        if draft.question == parent.question or draft.weight >= parent.weight - 0.3
    ]
    kept = [draft for draft in bases if draft.question == parent.question]
    others = [draft for draft in bases if draft.question != parent.question]
    kept += bench.rng.sample(others, min(_BASES, len(others)))
    own = normalise_form(parent.form)
    candidates = [draft for draft in formed(bench.scene, kept, bench.regions, bench.rng) if draft.form != own]

    def cost(draft: Draft) -> float:
        gain = parent.gain(draft)
        apart = 0 if draft.subjects & parent.subjects else 2.5
        inherited = -1.5 if parent.question in draft.question else 0
        inherited += 4 if draft.family == "said" and bench.drafts else 0
        short = 5 * max(0.3 - gain, 0) + (6 if draft.family in {"style", "art"} else 0)
        return 1.2 * abs(gain - _GAIN) + short + apart + inherited + thin(draft) + 2.5 * bench.forms[draft.form]

    by_form: dict[str, list[Draft]] = defaultdict(list)
    for draft in candidates:
        by_form[draft.form].append(draft)
    best = [draft for form in by_form if (draft := bench.cheapest(by_form[form], cost)) is not None]
    return bench.cheapest(
        best, lambda draft: 0.5 * cost(draft), lambda draft: draft.complexity.exact >= parent.weight + 0.3
    )
