"""A panel of judges: each rules alone, the majority decides, and where they disagree is on record."""

from collections.abc import Sequence
from statistics import median_low
from typing import Any

from .agent import View
from .judge import FLAGS, NONE, Findings, Judge, Judgement
from .replies import Verdict
from .screen import Pair
from .together import together

_SCORES = ("score_before", "score_after", "score")


class Panel(Judge):
    """Judges that all rule on the same pairs, at once; one that fails is left out unless all do."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges

    async def judge(self, view: View, pairs: Sequence[Pair], findings: Findings = NONE) -> Judgement:
        """The majority's verdicts and every judge's votes. Raises EndpointError and Stopped as the models do."""
        given = await together([one.judge(view, pairs, findings) for one in self._judges])
        costs = [one.tokens for one in given if one.tokens is not None]
        tokens = sum(costs) if len(costs) == len(given) else None
        ruled = [one for one in given if not one.failure]
        if not ruled:
            return Judgement({}, given[0].failure, tokens)
        votes = {pair.parent.id: [one.verdicts[pair.parent.id] for one in ruled] for pair in pairs}
        return Judgement(
            {qa: majority(cast) for qa, cast in votes.items()}, None, tokens, {qa: ballot(v) for qa, v in votes.items()}
        )


def majority(votes: Sequence[Verdict]) -> Verdict:
    """One verdict out of several: a flag holds where more than half say so, a score is the (lower) median.

    The reason is that of the first whose flags are the majority's, or else of the first.
    """
    first = votes[0]
    flags = {
        name: 2 * sum(bool(getattr(one, name)) for one in votes) > len(votes)
        for name in FLAGS
        if getattr(first, name) is not None
    }
    scores = {
        name: median_low([getattr(one, name) for one in votes]) for name in _SCORES if name in type(first).model_fields
    }
    alike = (one for one in votes if all(getattr(one, name) == holds for name, holds in flags.items()))
    return first.model_copy(update=flags | scores | {"reason": next(alike, first).reason})


def ballot(votes: Sequence[Verdict]) -> dict[str, Any]:
    """How the judges voted, flag by flag and score by score in their order, and the flags that they disagree on."""
    names = [name for name in (*FLAGS, "score_before", "score_after") if getattr(votes[0], name) is not None]
    cast = {name: [getattr(one, name) for one in votes] for name in names}
    return cast | {"disagree": [name for name in FLAGS if name in cast and len(set(cast[name])) > 1]}
