"""The embedded model as a judge: every pair is measured against the image and the facts, by rules that read no praise.

Both questions of a pair are scored by one function of their own, so neither position nor length can change a score.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .asking import doubts, giveaways
from .evidence import contradicted
from .gains import Pair, shortfall
from .reading import Posed, posed
from .scene import Scene
from .scoring import Complexity, complexity
from .told import Told
from .truth import Fault, faults, plausible
from .words import listed

Row = Mapping[str, Any]
Box = Mapping[str, Any]
Look = Callable[[Sequence[Box]], Scene]

_ORDER: Final = ("grounded", "correct", "answerable", "needs_image")


def judge(look: Look, pairs: Sequence[Row], proposed: Sequence[Box] = ()) -> list[dict[str, Any]]:
    """A verdict for each pair, in the order of `pairs`, as the fields of JudgeReply.

    `look` gives the scene of the request's images and facts with further boxes; `proposed` are boxes confirmed earlier.
    """
    parents = [posed(_side(pair, "parent")) for pair in pairs]
    return [
        _verdict(pair, parents[index], (*parents[:index], *parents[index + 1 :]), look, proposed)
        for index, pair in enumerate(pairs)
    ]


def judge_texts(pairs: Sequence[Row]) -> list[dict[str, Any]]:
    """A verdict for each pair from its words alone, as the fields of TextJudgeReply: it cannot see what is untrue."""
    return [_text_verdict(pair, posed(_side(pair, "seed")), posed(_side(pair, "evolved"))) for pair in pairs]


def _text_verdict(pair: Row, seed: Posed, evolved: Posed) -> dict[str, Any]:
    before, after = _difficulty(seed), _difficulty(evolved)
    improved = after >= before and evolved.question.strip().lower() != seed.question.strip().lower()
    words = f"it takes {after} of 10, the seed {before}"
    return {
        "id": str(pair.get("id", "")),
        "improved": improved,
        "score": after,
        "reason": f"{'More is asked' if improved else 'Nothing more is asked'}: {words}.",
    }


def _difficulty(question: Posed) -> int:
    """What a reader of the words alone would guess, 1 to 10: length counts, as the original's criteria say."""
    words = len(f"{question.question} {question.answer}".split())
    return min(10, complexity(question).score + min(4, words // 10))


def _side(pair: Row, name: str) -> Row:
    side = pair.get(name)
    return side if isinstance(side, Mapping) else {}


def _verdict(
    pair: Row, parent: Posed, others: tuple[Posed, ...], look: Look, proposed: Sequence[Box]
) -> dict[str, Any]:
    evolved = posed(_side(pair, "evolved"))
    shown, found = plausible(look(proposed), evolved)
    scene = look([*proposed, *shown])
    told = Told(scene, parent, others)
    found += [
        *contradicted(pair.get("evidence"), evolved),
        *faults(told, evolved),
        *doubts(scene, evolved),
        *giveaways(told, evolved),
    ]
    before, after = complexity(parent), complexity(evolved)
    both = Pair(str(pair.get("direction", "")), parent, evolved, others, before, after)
    if missing := shortfall(scene, both):
        found.append(Fault("improved", missing))
    fallen = {fault.flag for fault in found}
    return {
        "id": str(pair.get("id", "")),
        **{flag: flag not in fallen for flag in (*_ORDER, "improved")},
        "score_before": before.score,
        "score_after": after.score,
        "reason": _reason(found, before, after),
    }


def _reason(found: list[Fault], before: Complexity, after: Complexity) -> str:
    """The most telling fault, or what was gained, as one sentence of at most 900 characters."""
    worst = next((fault.reason for flag in (*_ORDER, "improved") for fault in found if fault.flag == flag), None)
    if worst is None:
        steps = f"{after.steps} useful {'step' if after.steps == 1 else 'steps'} (before: {before.steps})"
        worst = f"all that could be checked holds; it takes {steps} and {_listed(after.abilities)}"
    worst = worst[:900]
    return worst[:1].upper() + worst[1:] + "."


def _listed(abilities: tuple[str, ...]) -> str:
    return listed(abilities) if abilities else "no more than a glance"
