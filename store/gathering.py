"""All rows of some samples, read in one moment, as they are compared with each other."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson

from .encoding import loaded, loaded_checkpoint, loaded_metadata, loaded_write
from .lineage import Lineage, Settled, lineages
from .parts import hashes
from .rows import fetch, grouped, snapshot

_SEEDS: Final = (
    "SELECT id, digest, sample FROM samples WHERE run = ? AND id IN (SELECT value FROM json_each(?)) ORDER BY rowid"
)
_QUESTIONS: Final = (
    "SELECT sample, qa FROM generations WHERE run = ? AND sample IN (SELECT value FROM json_each(?))"
    " AND outcome = 'seed' ORDER BY rowid"
)
_TAKES: Final = (
    "SELECT sample, max(take) FROM retries WHERE run = ? AND sample IN (SELECT value FROM json_each(?)) GROUP BY 1"
)
_ENDS: Final = "settled WHERE run = ? AND sample IN (SELECT value FROM json_each(?)) ORDER BY take"
_SPANS: Final = (
    "SELECT sample, round, take, kind,"
    " CASE WHEN round = 0 AND json_valid(attributes) THEN json_extract(attributes, '$.digest') END"
    " FROM spans WHERE run = ? AND sample IN (SELECT value FROM json_each(?))"
)
_CALLS: Final = (
    "SELECT sample, round, take, agent, prompt_tokens + completion_tokens, messages FROM calls"
    " WHERE run = ? AND sample IN (SELECT value FROM json_each(?)) ORDER BY rowid"
)
# Beside `max`, SQLite takes the other columns from the row that has it.
_STATES: Final = (
    "SELECT thread, checkpoint, metadata, max(id) FROM checkpoints"
    " WHERE namespace = '' AND thread IN (SELECT value FROM json_each(?)) GROUP BY thread"
)
_WRITES: Final = "SELECT thread, kind, value FROM writes WHERE thread IN (SELECT value FROM json_each(?))"
_TEXTS: Final = "SELECT hash FROM parts WHERE hash IN (SELECT value FROM json_each(?))"


class SpanRow(NamedTuple):
    """What a span is about; `digest` is that of the sample with the questions which it brought, in round 0."""

    sample: str
    round: int
    take: int
    kind: str
    digest: str | None


class CallRow(NamedTuple):
    """What a call is about; `tokens` in and out, None where the server did not tell; `lost`: texts that are missing."""

    sample: str
    round: int
    take: int
    agent: str
    tokens: int | None
    lost: int


@dataclass(frozen=True, slots=True)
class Known:
    """All that a store holds of one sample.

    `rules` is the run's fingerprint, `take` the newest that was asked for, `state` the newest that was saved.
    """

    digest: str
    content: Mapping[str, Any]
    rules: Mapping[str, Any]
    take: int
    lineage: Lineage
    ends: list[Settled] = field(default_factory=list)
    spans: list[SpanRow] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)
    state: Mapping[str, Any] | None = None


def gathered(db: sqlite3.Connection, run: str, samples: Sequence[str], rules: Mapping[str, Any]) -> dict[str, Known]:
    """What is known of `samples`, by their ids. Raises StoreError for what cannot be read."""
    these = (run, orjson.dumps(samples).decode())
    threads = (orjson.dumps([f"{run}/{sample}" for sample in samples]).decode(),)
    with snapshot(db):
        seeds = db.execute(_SEEDS, these).fetchall()
        questions = db.execute(_QUESTIONS, these).fetchall()
        takes = dict(db.execute(_TAKES, these))
        lines = lineages(db, run, samples)
        ends = grouped(fetch(db, Settled, _ENDS, these), "sample")
        spans = grouped([SpanRow(*row) for row in db.execute(_SPANS, these)], "sample")
        calls = grouped(_calls(db, these), "sample")
        states = db.execute(_STATES, threads).fetchall()
        writes = db.execute(_WRITES, threads).fetchall()
    for thread, kind, value in writes:
        loaded_write(kind, value, thread)
    saved = {thread.partition("/")[2]: _state(thread, *state) for thread, *state in states}
    places = {question: place for place, question in enumerate(questions)}
    return {
        sample: Known(
            digest,
            loaded(content, sample),
            rules,
            takes.get(sample, 0),
            _in_order(lines[sample], places),
            ends.get(sample, []),
            spans.get(sample, []),
            calls.get(sample, []),
            saved.get(sample),
        )
        for sample, digest, content in seeds
    }


def _calls(db: sqlite3.Connection, these: tuple[str, str]) -> list[CallRow]:
    rows = [(row, {*hashes(loaded(outline, row[0]))}) for *row, outline in db.execute(_CALLS, these).fetchall()]
    named = set().union(*(names for _, names in rows))
    held = {name for (name,) in db.execute(_TEXTS, (orjson.dumps([*named]).decode(),))}
    return [CallRow._make([*row, len(names - held)]) for row, names in rows]


def _state(thread: str, checkpoint: Any, metadata: Any, _: str) -> Mapping[str, Any]:
    loaded_metadata(metadata, thread)
    return loaded_checkpoint(checkpoint, thread)["channel_values"]


def _in_order(lines: Lineage, places: Mapping[tuple[str, str], int]) -> Lineage:
    """`lines` with the seed questions in the order of the seed."""
    ordered = sorted(lines.generations, key=lambda one: (one.round, places.get((one.sample, one.qa), 0), one.take))
    return replace(lines, generations=ordered)
