"""The page of what went wrong: calls that failed, samples that failed, seeds that could not be used."""

from typing import Any

from ..store.rows import snapshot
from .asked import Asked
from .overview import run_line

_EXAMPLES = 5
_NEWEST = 200


def errors(asked: Asked) -> dict[str, Any]:
    """What the errors page shows."""
    db, run = asked.db, asked.run
    with snapshot(db):
        kinds = asked.slowly("kinds", lambda: _kinds(asked))
        failed = db.execute(
            "SELECT substr(reason, 1, coalesce(nullif(instr(reason, ':'), 0) - 1, 40)), count(*), min(reason),"
            " min(sample) FROM sample_totals WHERE run = ? AND status = 'failed' GROUP BY 1 ORDER BY 2 DESC LIMIT 50",
            (run,),
        ).fetchall()
        (lost,) = db.execute("SELECT count(*) FROM quarantine WHERE run = ?", (run,)).fetchone()
        rows = db.execute("SELECT place, reason FROM quarantine WHERE run = ? LIMIT ?", (run, _NEWEST)).fetchall()
        return {
            "run": run_line(asked),
            "kinds": kinds,
            "failed": [
                {"kind": kind, "count": count, "reason": reason, "sample": sample}
                for kind, count, reason, sample in failed
            ],
            "quarantined": lost,
            "quarantine": [{"place": place, "reason": reason} for place, reason in rows],
        }


def _kinds(asked: Asked) -> list[dict[str, Any]]:
    rows = asked.db.execute(
        "SELECT kind, count(*), min(ended_ns), max(ended_ns) FROM calls WHERE run = ? AND kind <> 'ok'"
        " GROUP BY kind ORDER BY 2 DESC",
        (asked.run,),
    ).fetchall()
    return [
        {"kind": kind, "count": count, "first_ns": first, "last_ns": last, "examples": _examples(asked, kind)}
        for kind, count, first, last in rows
    ]


def _examples(asked: Asked, kind: str) -> list[dict[str, Any]]:
    """The newest calls that failed in this way."""
    rows = asked.db.execute(
        "SELECT sample, round, agent, model, endpoint, http_status, coalesce(error, ''),"
        " substr(coalesce(text, ''), 1, 400),"
        " ended_ns FROM calls WHERE run = ? AND kind = ? AND kind <> 'ok' ORDER BY ended_ns DESC LIMIT ?",
        (asked.run, kind, _EXAMPLES),
    ).fetchall()
    names = ("sample", "round", "agent", "model", "endpoint", "http_status", "error", "text", "ended_ns")
    return [dict(zip(names, row, strict=True)) for row in rows]
