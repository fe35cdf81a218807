"""A run in the figures of its report, beside those that MMEvol published."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ..samples.vocabulary import FORMS, OPEN, SKILLS
from ..store.lineage import settled_lineages
from ..store.traces import RunLine, runs, totals
from .asked import Prices
from .duplicated import duplicated
from .examples import Chosen
from .published import MMEVOL
from .tally import Means, Tally, lines

_COMMON: Final = 10
"""Objects that count as common: those that most seed questions name."""
_RANKED: Final = 200
"""Objects that are listed; MMEvol's figure 10 shows about as many."""
_DIRECTIONS: Final = ("perception", "reasoning", "interaction")


def figures(db: sqlite3.Connection, run: RunLine, prices: Prices, chosen: Chosen | None = None) -> dict[str, Any]:
    """All figures of `run`, as plain JSON, over its settled samples; `chosen` is shown every question for examples.

    Raises StoreError `corrupt`.
    """
    tally = counted(db, run.id, chosen)
    accepted = sum(count for (_, _, end), count in tally.ends.items() if end == "accepted")
    return {
        "run": run.id,
        "created_ns": run.created_ns,
        "samples": run.samples,
        "settled": run.settled,
        "statuses": dict(totals(db, run.id).statuses),
        "settings": dict(run.fingerprint),
        "rounds": _rounds(tally),
        "acceptance": _acceptance(tally),
        "objects": _objects(tally),
        "forms": _compared(tally.before.forms, tally.after.forms, (OPEN, *FORMS), "form"),
        "skills": _compared(tally.before.skills, tally.after.skills, SKILLS, "skill"),
        "reasons": _reasons(tally),
        "duplicates": duplicated(db, run.id),
        "cost": _cost(_spent(db, run.id), accepted, prices),
        "published": asdict(MMEVOL),
    }


def newest(db: sqlite3.Connection) -> RunLine | None:
    """The run of a store that was made last and is no fork; None in an empty one."""
    return next((run for run in runs(db) if run.parent is None), None)


def counted(db: sqlite3.Connection, run: str, chosen: Chosen | None = None) -> Tally:
    """The counts over all settled samples of `run`."""
    (most,) = db.execute("SELECT coalesce(max(round), 0) FROM decisions WHERE run = ?", (run,)).fetchone()
    tally = Tally(most)
    for sample, _, lineage in settled_lineages(db, run):
        for line in lines(lineage):
            tally.add(line)
            if chosen is not None:
                chosen.offer(sample, line)
    return tally


def directions(found: Sequence[str]) -> list[str]:
    """Directions in the order they are told in: MMEvol's three, then any others."""
    return [*(name for name in _DIRECTIONS if name in found), *sorted(set(found) - set(_DIRECTIONS))]


def _rounds(tally: Tally) -> list[dict[str, Any]]:
    """After each round, the means over all questions as they stand, and over those that it had accepted."""
    rows = []
    for number, standing in enumerate(tally.standing):
        evolved: Means | None = tally.evolved[number] if number else None
        rows.append({"round": number} | standing.means() | {"accepted": evolved.means() if evolved else None})
    return rows


def _acceptance(tally: Tally) -> list[dict[str, Any]]:
    """Pairs by round and direction; round 0 stands for all rounds, an empty direction for all of them."""
    cells: dict[tuple[int, str], Counter[str]] = {}
    for (number, direction, end), count in tally.ends.items():
        for key in ((number, direction), (0, direction), (number, ""), (0, "")):
            cells.setdefault(key, Counter())[end] += count
    order = ["", *directions([direction for _, direction in cells if direction])]
    return [
        {"round": number, "direction": direction} | _cell(cells[number, direction])
        for number, direction in sorted(cells, key=lambda key: (key[0], order.index(key[1])))
    ]


def _cell(ends: Counter[str]) -> dict[str, Any]:
    ruled = ends["accepted"] + ends["rejected"]
    counts = {end: ends[end] for end in ("accepted", "rejected", "lost")}
    return counts | {"rate": ends["accepted"] / ruled if ruled else None}


def _objects(tally: Tally) -> dict[str, Any]:
    """The long tail: how many objects questions name, and how much of that is not the common ones."""
    before, after = tally.before.objects, tally.after.objects
    common = [name for name, _ in sorted(before.items(), key=lambda item: (-item[1], item[0]))[:_COMMON]]

    def rare(words: Counter[str]) -> float | None:
        total = words.total()
        return 1 - sum(words[name] for name in common) / total if total else None

    return {
        "distinct_before": len(before),
        "distinct_after": len(after),
        "common": common,
        "rare_share_before": rare(before),
        "rare_share_after": rare(after),
        "ranked": _compared(before, after, (), "object")[:_RANKED],
        "curve_before": sorted(before.values(), reverse=True)[:_RANKED],
        "curve_after": sorted(after.values(), reverse=True)[:_RANKED],
    }


def _compared(before: Counter[str], after: Counter[str], known: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Questions before and after by a word, the commonest first; every word of `known` is there."""
    words = {*known, *before, *after}
    ranked = sorted(words, key=lambda word: (-after[word], -before[word], word))
    return [{name: word, "before": before[word], "after": after[word]} for word in ranked]


def _reasons(tally: Tally) -> list[dict[str, Any]]:
    ranked = sorted(tally.reasons.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"end": why[0], "stage": why[1], "code": why[2], "pairs": count, "example": tally.examples[why]}
        for why, count in ranked
    ]


def _spent(db: sqlite3.Connection, run: str) -> dict[str, Any]:
    """Calls and tokens of the settled samples; tokens are None where a reply that was received did not tell them."""
    row = db.execute(
        "SELECT count(*), sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens),"
        " total(http_status = 200 AND (prompt_tokens IS NULL OR completion_tokens IS NULL))"
        " FROM calls WHERE run = ? AND sample IN (SELECT sample FROM v_settled WHERE run = ?)",
        (run, run),
    ).fetchone()
    metered = not row[4]
    return {
        "calls": row[0],
        "prompt_tokens": row[1] if metered else None,
        "completion_tokens": row[2] if metered else None,
        "cached_tokens": row[3] if metered else None,
    }


def _cost(spent: dict[str, Any], accepted: int, prices: Prices) -> dict[str, Any]:
    """What the run took, and what an accepted pair took of that."""
    prompt, completion = spent["prompt_tokens"], spent["completion_tokens"]
    tokens = None if prompt is None or completion is None else prompt + completion
    money = None if tokens is None else prices.cost(prompt, completion)
    return spent | {
        "accepted": accepted,
        "money": money,
        "calls_per_accepted": spent["calls"] / accepted if accepted else None,
        "tokens_per_accepted": tokens / accepted if tokens is not None and accepted else None,
        "money_per_accepted": money / accepted if money is not None and accepted else None,
    }
