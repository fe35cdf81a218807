"""The run that a store holds: its row, its starts, and what is already there when it is resumed."""

import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from .bulk import Plain, insertions, json_text
from .rows import snapshot
from .store import Store

_HISTORY: Final = {"samples": "id = ? AND ? > 0"} | dict.fromkeys(
    ("generations", "decisions", "verdicts", "rewards", "spans", "calls"), "sample = ? AND round < ?"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the store knows it."""

    id: str
    fingerprint: Mapping[str, Any]
    seed: int


@dataclass(slots=True)
class Standing:
    """Where a run stands: seed digests by sample id, the samples that are settled (with status), those begun."""

    digests: dict[str, str] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    takes: dict[str, int] = field(default_factory=dict)
    """How often samples were taken up again; only those that were."""


def newest_run(db: sqlite3.Connection) -> Run | None:
    """The run that was made last and is no fork, or None in an empty store."""
    newest = "SELECT id, fingerprint, seed FROM runs WHERE parent IS NULL ORDER BY created_ns DESC, rowid DESC LIMIT 1"
    row = db.execute(newest).fetchone()
    return Run(row[0], orjson.loads(row[1]), row[2]) if row else None


def run_named(db: sqlite3.Connection, run: str | None) -> Run | None:
    """The run with this id, the newest one for None; None when there is no such run."""
    if run is None:
        return newest_run(db)
    row = db.execute("SELECT id, fingerprint, seed FROM runs WHERE id = ?", (run,)).fetchone()
    return Run(row[0], orjson.loads(row[1]), row[2]) if row else None


def is_fork(db: sqlite3.Connection, run: str) -> bool:
    """Whether `run` came from another run."""
    return db.execute("SELECT 1 FROM runs WHERE id = ? AND parent IS NOT NULL", (run,)).fetchone() is not None


def history_of(
    db: sqlite3.Connection, run: str, sample: str, before: int, fork: str
) -> dict[str, list[dict[str, Any]]]:
    """What `run` holds of `sample` up to the round `before`, as rows of the run `fork`, by table.

    Calls are copied with their tokens, but nothing of them was billed to the fork in vain.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with snapshot(db):
        for table, condition in _HISTORY.items():
            made = db.execute(f"SELECT * FROM {table} WHERE run = ? AND {condition}", (run, sample, before))  # noqa: S608
            names = [column[0] for column in made.description]
            found[table] = [dict(zip(names, row, strict=True)) | {"run": fork} for row in made]
    for row in found["rewards"]:
        del row["seq"]  # given anew
    for row in found["calls"]:
        row["maybe_billed"] = 0
    return found


def standing(db: sqlite3.Connection, run: str) -> Standing:
    """What is known of the run's samples: one pass over each table, no states are read."""
    prefix = f"{run}/"
    threads = db.execute(
        "SELECT DISTINCT thread FROM checkpoints WHERE thread >= ? AND thread < ?", (prefix, f"{run}0")
    )
    return Standing(
        digests=dict(db.execute("SELECT id, digest FROM samples WHERE run = ?", (run,))),
        settled=dict(db.execute("SELECT sample, status FROM v_settled WHERE run = ?", (run,))),
        begun={thread.removeprefix(prefix) for (thread,) in threads},
        takes=dict(db.execute("SELECT sample, max(take) FROM retries WHERE run = ? GROUP BY sample", (run,))),
    )


def failed(db: sqlite3.Connection, run: str, kind: str = "") -> list[str]:
    """The samples that ended as `failed`, only those whose reason is of `kind` when one is given."""
    sql = "SELECT sample FROM v_settled WHERE run = ? AND status = 'failed' AND reason LIKE ? || '%'"
    return [sample for (sample,) in db.execute(sql, (run, f"{kind}:" if kind else ""))]


def short_of(db: sqlite3.Connection, run: str, rounds: int, target: float) -> list[str]:
    """The samples that ended for want of rounds with fewer than `rounds`, or reached less than `target`."""
    sql = (
        "SELECT sample FROM v_settled WHERE run = ?"
        " AND (status = 'exhausted' OR status = 'reached') AND rounds < ? AND coalesce(complexity_after, 0) < ?"
    )
    return [sample for (sample,) in db.execute(sql, (run, rounds, target))]


async def take_up_again(store: Store, run: str, samples: Mapping[str, int], reason: str) -> None:
    """Opens settled samples again: by id, the take that begins now."""
    since = time.time_ns()
    rows = [
        {"run": run, "sample": sample, "take": take, "reason": reason, "since_ns": since}
        for sample, take in samples.items()
    ]
    await store.writer.insert({"retries": rows})


async def change_fingerprint(store: Store, run: str, fingerprint: Mapping[str, Any]) -> None:
    """Notes that `run` goes on with another fingerprint."""
    await store.writer.write([("UPDATE runs SET fingerprint = ? WHERE id = ?", (json_text(fingerprint), run))])


async def create_run(store: Store, run: str, fingerprint: Mapping[str, Any], seed: int) -> Run:
    """A new run's row."""
    row = {"id": run, "created_ns": time.time_ns(), "fingerprint": fingerprint, "seed": seed, "parent": None}
    await store.writer.insert({"runs": [row]})
    return Run(run, fingerprint, seed)


async def quarantine(store: Store, run: str, rows: Mapping[str, str]) -> None:
    """Puts seed rows that cannot be used on record: by their place in the seeds, the reason.

    What an earlier start told of these places is forgotten.
    """
    kept = [{"run": run, "place": place, "reason": reason} for place, reason in rows.items()]
    await store.writer.write([_struck(run, rows), *insertions({"quarantine": kept})])


async def strike_quarantined(store: Store, run: str, places: Iterable[str]) -> None:
    """Takes rows that can be used by now, or that the seeds no longer have, from the record."""
    await store.writer.write([_struck(run, places)])


def _struck(run: str, places: Iterable[str]) -> Plain:
    sql = "DELETE FROM quarantine WHERE run = ? AND place IN (SELECT value FROM json_each(?))"
    return sql, (run, json_text(list(places)))


def quarantined(db: sqlite3.Connection, run: str) -> Iterator[dict[str, str]]:
    """The seed rows of `run` that could not be used, as {where, reason}, in the order they were read."""
    for place, reason in db.execute("SELECT place, reason FROM quarantine WHERE run = ? ORDER BY rowid", (run,)):
        yield {"where": place, "reason": reason}


async def start_session(store: Store, run: str, images: Path | None = None) -> int:
    """Notes that this process works on `run` from now on, with `images` as its image root; gives the session's id."""
    session = time.time_ns()
    row = {"id": session, "run": run, "started_ns": session, "pid": os.getpid(), "host": socket.gethostname()}
    row["images"] = os.path.abspath(images) if images else None  # noqa: PTH100, ASYNC240 (asks no disk)
    await store.writer.insert({"sessions": [row]})
    return session


async def end_session(store: Store, session: int, outcome: str) -> None:
    """Notes how a session ended."""
    sql = "UPDATE sessions SET ended_ns = ?, outcome = ? WHERE id = ?"
    await store.writer.write([(sql, (time.time_ns(), outcome, session))])
