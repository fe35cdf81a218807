"""What people ask a store: which runs and samples, what happened to one of them, and a run in numbers."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from .ledger import maybe_billed
from .lineage import Lineage, Settled, lineages
from .parts import assembled, hashes
from .rows import JSON, fetch, snapshot


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list: its samples so far, those settled, and how often it was started."""

    id: str
    created_ns: int
    seed: int
    parent: str | None
    samples: int
    settled: int
    sessions: int
    fingerprint: Mapping[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work on a sample, a call included; times in nanoseconds since 1970."""

    id: str
    parent: str | None
    round: int
    take: int
    name: str
    kind: str
    status: str
    started_ns: int
    ended_ns: int
    attributes: dict[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Call:
    """A call with its reply as it was received. `messages` are roles with parts, as the ledger was given them."""

    key: str
    round: int
    agent: str
    step: int
    take: int
    model: str
    kind: str
    text: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    image_tokens: int | None
    reasoning_tokens: int | None
    response_id: str | None
    endpoint: str | None
    attempts: int
    maybe_billed: int
    http_status: int | None
    error: str | None
    started_ns: int
    ended_ns: int
    messages: list[Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that is known of one sample. `settled` is None while it is pending."""

    id: str
    position: int
    sample: Mapping[str, Any]
    settled: Settled | None
    lineage: Lineage
    spans: list[Span]
    calls: list[Call]


@dataclass(frozen=True, slots=True)
class RunTotals:
    """A run in numbers, over all its starts. Tokens are None when no reply told them.

    Pairs are `lost` that nobody ruled on, since their round's agent or judge failed. `statuses` counts the samples that
    have begun, `pending` among them; `directions` the rounds that ended. Complexities are means over the samples that
    have both, None without any.
    """

    statuses: Mapping[str, int]
    accepted: int
    rejected: int
    lost: int
    directions: Mapping[str, int]
    calls: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    maybe_billed: int
    complexity_before: float | None
    complexity_after: float | None


_UNRULED = "NOT accepted AND (stage = 'agent' OR (stage = 'judge' AND score_after IS NULL))"
_RETAKEN = """EXISTS (SELECT 1 FROM verdicts w
    WHERE (w.run, w.sample, w.round, w.qa) = (v.run, v.sample, v.round, v.qa) AND w.take > v.take)"""
_END = f"""CASE WHEN accepted THEN 'accepted' WHEN {_UNRULED} AND {_RETAKEN} THEN 'retaken'
    WHEN {_UNRULED} THEN 'lost' ELSE 'rejected' END"""
"""What became of a verdict's pair. Of one that was lost and `retaken` with its sample, the later verdict counts."""
_ENDS = "SELECT {end}, count(*) FROM verdicts v WHERE run = ? GROUP BY 1"
_REASONS = """SELECT code, count(*), min(reason) FROM verdicts v WHERE run = ? AND {end} = ?
    GROUP BY code ORDER BY 2 DESC, 1"""
_ENDED = """SELECT direction, count(*) FROM decisions d
    WHERE run = ? AND EXISTS (SELECT 1 FROM rewards r WHERE (r.run, r.sample, r.round) = (d.run, d.sample, d.round))
    GROUP BY 1 ORDER BY 1"""
"""Rounds that ended; of samples under way the decision stands there before its round."""
_RUNS = """(
    SELECT id, created_ns, seed, parent, fingerprint,
           (SELECT count(*) FROM samples s WHERE s.run = r.id) AS samples,
           (SELECT count(*) FROM sample_totals t WHERE t.run = r.id AND t.status <> 'pending') AS settled,
           (SELECT count(*) FROM sessions o WHERE o.run = r.id) AS sessions
    FROM runs r) ORDER BY created_ns DESC, id"""


def runs(db: sqlite3.Connection) -> list[RunLine]:
    """The runs of a store, the newest first."""
    return fetch(db, RunLine, _RUNS)


def evidence_of(spans: Sequence[Span], number: int, qa: str, take: int) -> list[dict[str, Any]]:
    """What carrying out the steps of a question brought in a round: by a model where one was asked, else by code."""
    told = _told(spans, ("screen", "evidence"), "evidence", number, take)
    return next((found[qa] for found in reversed(told) if qa in found), [])


def ballot_of(spans: Sequence[Span], number: int, qa: str, take: int) -> dict[str, Any]:
    """How a panel's judges voted on a question in a round; empty where one judge ruled alone."""
    return next((found[qa] for found in _told(spans, ("judge",), "panel", number, take) if qa in found), {})


def _told(spans: Sequence[Span], names: Sequence[str], key: str, number: int, take: int) -> list[dict[str, Any]]:
    """An attribute of a round's spans that has one, in the order of `names`."""
    found = [
        one for one in spans if one.name in names and one.kind != "call" and (one.round, one.take) == (number, take)
    ]
    return [
        one.attributes[key] for one in sorted(found, key=lambda one: names.index(one.name)) if key in one.attributes
    ]


def trace(db: sqlite3.Connection, run: str, sample: str) -> Trace | None:
    """All that is known of one sample, or None when the run has not begun it."""
    own = (run, sample)
    with snapshot(db):
        row = db.execute("SELECT position, sample FROM samples WHERE run = ? AND id = ?", own).fetchone()
        if row is None:
            return None
        ends = fetch(db, Settled, "v_settled WHERE run = ? AND sample = ?", own)
        return Trace(
            id=sample,
            position=row[0],
            sample=orjson.loads(row[1]),
            settled=ends[0] if ends else None,
            lineage=lineages(db, run, [sample])[sample],
            spans=fetch(db, Span, "v_spans WHERE run = ? AND sample = ? ORDER BY started_ns, id", own),
            calls=_calls(db, own),
        )


def _calls(db: sqlite3.Connection, own: Sequence[str]) -> list[Call]:
    calls = fetch(db, Call, "calls WHERE run = ? AND sample = ? ORDER BY started_ns, step", own)
    names = {name for call in calls for name in hashes(call.messages)}
    texts = dict(
        db.execute(
            "SELECT hash, text FROM parts WHERE hash IN (SELECT value FROM json_each(?))",
            (orjson.dumps([*names]).decode(),),
        )
    )
    for call in calls:
        call.messages[:] = assembled(call.messages, texts)
    return calls


def totals(db: sqlite3.Connection, run: str) -> RunTotals:
    """A run in numbers."""
    with snapshot(db):
        statuses = dict(db.execute("SELECT status, count(*) FROM v_settled WHERE run = ? GROUP BY 1", (run,)))
        (begun,) = db.execute("SELECT count(*) FROM samples WHERE run = ?", (run,)).fetchone()
        ruled = dict(db.execute(_ENDS.format(end=_END), (run,)))
        directions = dict(db.execute(_ENDED, (run,)))
        calls, prompt, cached, completion = db.execute(
            "SELECT count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens) FROM calls WHERE run = ?",
            (run,),
        ).fetchone()
        lost = maybe_billed(db, run)
        means = db.execute(
            "SELECT avg(complexity_before), avg(complexity_after) FROM v_settled"
            " WHERE run = ? AND complexity_before IS NOT NULL AND complexity_after IS NOT NULL",
            (run,),
        ).fetchone()
    counts = {**statuses, "pending": begun - sum(statuses.values())}
    return RunTotals(
        statuses=counts,
        accepted=ruled.get("accepted", 0),
        rejected=ruled.get("rejected", 0),
        lost=ruled.get("lost", 0),
        directions=directions,
        calls=calls,
        prompt_tokens=prompt,
        cached_tokens=cached,
        completion_tokens=completion,
        maybe_billed=lost,
        complexity_before=means[0],
        complexity_after=means[1],
    )


def rejection_reasons(db: sqlite3.Connection, run: str) -> list[tuple[str, int, str]]:
    """Why pairs were rejected: code, how many, and one pair's reason; the commonest first."""
    return _reasons(db, run, "rejected")


def loss_reasons(db: sqlite3.Connection, run: str) -> list[tuple[str, int, str]]:
    """Why nobody ruled on pairs, as in `rejection_reasons`."""
    return _reasons(db, run, "lost")


def _reasons(db: sqlite3.Connection, run: str, end: str) -> list[tuple[str, int, str]]:
    return db.execute(_REASONS.format(end=_END), (run, end)).fetchall()
