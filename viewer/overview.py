"""The page of a run as a whole: how far it is, what was accepted, what it took."""

from collections.abc import Sequence
from typing import Any, Final

from ..store.rows import snapshot
from ..store.totals import UNRULED
from ..store.traces import runs
from . import drawing
from .asked import Asked
from .wording import model_words

STATUSES: Final = ("reached", "exhausted", "stalled", "failed", "pending")
_BUCKETS: Final = 60
Ruled = list[tuple[int, str, str, int | None, int]]
"""Round, direction, code, whether accepted (None: nobody ruled), and how many pairs."""
_CODES: Final = 8


def run_line(asked: Asked) -> dict[str, Any]:
    """The run's row with its starts; `live` while its newest start has not ended."""
    (line,) = (run for run in runs(asked.db) if run.id == asked.run)
    sessions = [
        {"started_ns": start, "ended_ns": end, "outcome": outcome}
        for start, end, outcome in asked.db.execute(
            "SELECT started_ns, ended_ns, outcome FROM sessions WHERE run = ? ORDER BY started_ns", (asked.run,)
        )
    ]
    return {
        "id": line.id,
        "created_ns": line.created_ns,
        "seed": line.seed,
        "parent": line.parent,
        "samples": line.samples,
        "settled": line.settled,
        "fingerprint": dict(line.fingerprint),
        "models": [model_words(told) for told in line.fingerprint.get("models", [])],
        "sessions": sessions,
        "live": bool(sessions) and sessions[-1]["ended_ns"] is None,
    }


def pulse(asked: Asked) -> dict[str, Any]:
    """A word that changes whenever there is news of the run, and whether more is to come. Quick on any store."""
    db = asked.db
    (calls,) = db.execute("SELECT max(rowid) FROM calls").fetchone()
    (rewards,) = db.execute("SELECT max(seq) FROM rewards").fetchone()
    (ends,) = db.execute("SELECT count(ended_ns) FROM sessions").fetchone()
    row = db.execute(
        "SELECT ended_ns FROM sessions WHERE run = ? ORDER BY started_ns DESC LIMIT 1", (asked.run,)
    ).fetchone()
    return {"version": f"{calls or 0}-{rewards or 0}-{ends}", "live": row is not None and row[0] is None}


def overview(asked: Asked) -> dict[str, Any]:
    """What the overview shows."""
    with snapshot(asked.db):
        ruled, calls = _ruled(asked), _calls(asked)
        line = run_line(asked)
        return {
            "run": line,
            "statuses": _statuses(asked),
            "acceptance": _acceptance(ruled, line["fingerprint"].get("directions", [])),
            "codes": _codes(ruled),
            "lost": sum(count for *_, accepted, count in ruled if accepted is None),
            "complexity": _complexity(asked),
            "calls": calls,
            "cost": asked.prices.cost(calls["prompt_tokens"], calls["completion_tokens"]),
            "throughput": _throughput(asked) if calls["count"] else None,
        }


def _statuses(asked: Asked) -> list[dict[str, Any]]:
    found = dict(
        asked.db.execute("SELECT status, count(*) FROM sample_totals WHERE run = ? GROUP BY 1", (asked.run,)).fetchall()
    )
    total = sum(found.values()) or 1
    shown, offset = [], 0.0
    for status in STATUSES:
        share = found.get(status, 0) / total
        shown.append({"status": status, "count": found.get(status, 0), "share": share, "offset": offset})
        offset += share
    return shown


def _ruled(asked: Asked) -> Ruled:
    return asked.db.execute(
        "SELECT round, direction, code, nullif(ruled, ?), pairs FROM verdict_totals WHERE run = ?",
        (UNRULED, asked.run),
    ).fetchall()


def _acceptance(ruled: Ruled, order: Sequence[str]) -> dict[str, Any]:
    """Accepted and rejected pairs by direction (rows) and round (columns), with their sums."""
    cells: dict[tuple[str, int], list[int]] = {}
    for number, direction, _, accepted, count in ruled:
        if accepted is None:
            continue
        for key in ((direction, number), (direction, 0), ("", number), ("", 0)):
            cells.setdefault(key, [0, 0])[0 if accepted else 1] += count
    rounds = sorted({number for _, number in cells} - {0})
    found = {direction for direction, _ in cells} - {""}
    names = [*(name for name in order if name in found), *sorted(found - set(order))]
    rows = [{"direction": name, "cells": [_cell(cells, name, number) for number in [*rounds, 0]]} for name in names]
    return {"rounds": rounds, "rows": rows, "all": [_cell(cells, "", number) for number in [*rounds, 0]]}


def _cell(cells: dict[tuple[str, int], list[int]], name: str, number: int) -> dict[str, Any]:
    accepted, rejected = cells.get((name, number), (0, 0))
    pairs = accepted + rejected
    return {"accepted": accepted, "rejected": rejected, "rate": accepted / pairs if pairs else None}


def _codes(ruled: Ruled) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for _, _, code, accepted, count in ruled:
        if accepted == 0:
            counts[code] = counts.get(code, 0) + count
    most = max(counts.values(), default=1)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_CODES]
    return [{"code": code, "count": count, "share": count / most} for code, count in ranked]


def _complexity(asked: Asked) -> dict[str, Any]:
    """How many settled samples had each complexity, before and after, in whole points from 1 to 10; and the means."""
    rows = asked.db.execute(
        "SELECT CAST(round(complexity_before) AS INTEGER), CAST(round(complexity_after) AS INTEGER), count(*),"
        " sum(complexity_before), sum(complexity_after) FROM sample_totals"
        " WHERE run = ? AND complexity_before IS NOT NULL AND complexity_after IS NOT NULL GROUP BY 1, 2",
        (asked.run,),
    ).fetchall()
    total = sum(row[2] for row in rows)
    found: dict[str, Any] = {}
    for place, name in enumerate(("before", "after")):
        found[name] = {
            "counts": [sum(row[2] for row in rows if row[place] == point) for point in range(1, 11)],
            "mean": sum(row[3 + place] for row in rows) / total if total else None,
        }
    most = max(*found["before"]["counts"], *found["after"]["counts"], 1)
    for side in found.values():
        side["bars"] = drawing.bars(side["counts"], 440, 110, 14, most)
    return found


def _calls(asked: Asked) -> dict[str, Any]:
    rows = asked.db.execute(
        "SELECT kind, sum(calls), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens)"
        " FROM call_totals WHERE run = ? GROUP BY kind HAVING sum(calls) ORDER BY 2 DESC",
        (asked.run,),
    ).fetchall()

    def total(column: int) -> int | None:
        told = [row[column] for row in rows if row[column] is not None]
        return sum(told) if told else None

    most = max((row[1] for row in rows if row[0] != "ok"), default=1)
    return {
        "count": sum(row[1] for row in rows),
        "prompt_tokens": total(2),
        "cached_tokens": total(3),
        "completion_tokens": total(4),
        "errors": [{"kind": row[0], "count": row[1], "share": row[1] / most} for row in rows if row[0] != "ok"],
    }


def _throughput(asked: Asked) -> dict[str, Any]:
    """Calls and tokens that ended in each of up to 60 equal stretches of the run, with the rates a second.

    The mean is over the stretches in which calls ended: a run may have stood still between two starts.
    """
    first, last = asked.db.execute(
        "SELECT min(second), max(second) FROM call_totals WHERE run = ? AND calls", (asked.run,)
    ).fetchone()
    seconds = (last - first) // _BUCKETS + 1
    rows = asked.db.execute(
        "SELECT (second - ?) / ?, sum(calls), total(prompt_tokens) + total(completion_tokens)"
        " FROM call_totals WHERE run = ? AND calls GROUP BY 1",
        (first, seconds, asked.run),
    ).fetchall()
    calls, tokens = [0] * _BUCKETS, [0.0] * _BUCKETS
    used = (last - first) // seconds + 1
    for bucket, count, spent in rows:
        calls[bucket], tokens[bucket] = count, spent
    return {
        "step_s": seconds,
        "start_ns": first * 10**9,
        "end_ns": (first + used * seconds) * 10**9,
        "calls": calls[:used],
        "tokens": tokens[:used],
        "peak_calls_s": max(calls) / seconds,
        "peak_tokens_s": max(tokens) / seconds,
        "mean_calls_s": sum(calls) / (len(rows) * seconds),
        "bars": drawing.bars(calls[:used], 640, 110, 2),
    }
