"""Whether a store is sound: SQLite finds no damage, and what the tables hold agrees. Reads only, a page at a time."""

import hashlib
import sqlite3
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from .agreement import disagreements
from .connections import calls_held, open_for_reading
from .encoding import loaded_checkpoint
from .errors import StoreError, translated
from .gathering import Known, gathered
from .ledger import maybe_billed
from .ownership import noted_calls

_PAGE: Final = 100
_REFUSED: Final = ("open", "not-a-store", "newer", "busy")
"""Kinds of errors that say nothing about the store's soundness: they are raised."""
_SHAPES: Final = (TypeError, ValueError, KeyError, AttributeError, IndexError)
"""What is raised by JSON of another shape than was written."""
_OF_SAMPLES: Final = ("settled", "decisions", "rewards", "verdicts", "generations", "calls", "spans", "retries")
_OF_RUNS: Final = ("sessions", "samples", *_OF_SAMPLES, "quarantine")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that should not be: what it is about, the sample (empty: the whole store), and what is wrong."""

    kind: str
    sample: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sample or '-'}: {self.what}"


def examine(path: Path, counts: Counter[str] | None = None) -> Iterator[Problem]:
    """The problems of the store at `path`, as they are found; a sound store has none.

    `counts` is told how many runs, samples, settled, rounds and calls were looked at, and how many requests may have
    been billed for nothing. May be used while a run writes.
    What a kill leaves is sound: a call without its round, a decision without its calls, a log cut short.

    Raises StoreError `open`, `not-a-store`, `newer` or `busy` when there is nothing to examine.
    """
    try:
        db = open_for_reading(path)
    except StoreError as error:
        if error.kind in _REFUSED and not (error.kind == "open" and path.exists() and noted_calls(path)):
            raise
        yield _problem("integrity", "", error.message)
        return
    # Bytes that are no text become what no JSON reader takes, so that they are found where they are.
    db.text_factory = lambda data: data.decode(errors="surrogateescape")
    try:
        yield from _Examination(db, path, Counter() if counts is None else counts).problems()
    finally:
        db.close()


def _problem(kind: str, sample: str, what: str) -> Problem:
    """A problem that can be printed on one line, whatever bytes it quotes."""
    said = (" ".join(text.encode(errors="backslashreplace").decode().split()) for text in (sample, what))
    return Problem(kind, *said)


class _Examination:
    def __init__(self, db: sqlite3.Connection, path: Path, counts: Counter[str]) -> None:
        self._db = db
        self._path = path
        self._counts = counts
        self._noted = noted_calls(path)  # before anything is read: a run may go on meanwhile

    def problems(self) -> Iterator[Problem]:
        for part in (self._integrity, self._kept, self._texts, self._runs):
            yield from self._guarded(part)

    def _guarded(self, part: Callable[[], Iterable[Problem]], sample: str = "") -> Iterator[Problem]:
        """The problems that `part` finds; the last may be that it could not read on."""
        try:
            yield from part()
        except (sqlite3.Error, StoreError) as error:
            told = translated(error, str(self._path))
            if told.kind == "busy":
                raise told from error
            yield _problem("unreadable", sample, told.message)
        except _SHAPES as error:
            yield _problem("unreadable", sample, f"a row of another shape: {type(error).__name__}: {error}")

    def _integrity(self) -> Iterator[Problem]:
        for (row,) in self._db.execute("PRAGMA integrity_check"):
            if row != "ok":
                yield _problem("integrity", "", row)

    def _kept(self) -> Iterator[Problem]:
        if (lost := self._noted - calls_held(self._db)) > 0:
            yield _problem("calls", "", f"{lost} of {self._noted} calls that were committed are missing")

    def _texts(self) -> Iterator[Problem]:
        for name, text in self._db.execute("SELECT hash, text FROM parts"):
            content = text.encode(errors="surrogateescape")
            # As parts.py names them.
            if urlsafe_b64encode(hashlib.sha256(content).digest()[:12]).decode() != name:
                yield _problem("parts", "", f"the text {name} is not what was stored")

    def _runs(self) -> Iterator[Problem]:
        for table in _OF_RUNS:
            rows = self._db.execute(f"SELECT DISTINCT run FROM {table} WHERE run NOT IN (SELECT id FROM runs) LIMIT 9")  # noqa: S608
            yield from [_problem(table, "", f"rows of the run {run}, which does not exist") for (run,) in rows]
        for run, fingerprint in self._db.execute("SELECT id, fingerprint FROM runs").fetchall():
            self._counts["runs"] += 1
            self._counts["maybe_billed"] += maybe_billed(self._db, run)
            yield from self._guarded(lambda run=run: self._strays(run))
            rules: dict[str, Any] = {}
            try:
                rules = dict(orjson.loads(fingerprint))
            except _SHAPES:
                yield _problem("unreadable", "", f"the fingerprint of the run {run} is not what was stored")
            yield from self._guarded(lambda run=run, rules=rules: self._samples(run, rules))

    def _strays(self, run: str) -> Iterator[Problem]:
        """Rows of samples that `run` does not have."""
        for table in _OF_SAMPLES:
            found = (
                f"SELECT sample, count(*) FROM {table} WHERE run = :run"  # noqa: S608
                " AND sample NOT IN (SELECT id FROM samples WHERE run = :run) GROUP BY 1"
            )
            for sample, count in self._db.execute(found, {"run": run}):
                yield _problem(table, sample, f"{count} rows of a sample that the run does not have")
        threads = (
            "SELECT thread, checkpoint FROM checkpoints"
            " WHERE namespace = '' AND thread >= :run || '/' AND thread < :run || '0'"
            " AND substr(thread, length(:run) + 2) NOT IN (SELECT id FROM samples WHERE run = :run)"
        )
        for thread, checkpoint in self._db.execute(threads, {"run": run}):
            # Before a sample enters the graph there is a state without it.
            if "sample" in loaded_checkpoint(checkpoint, thread)["channel_values"]:
                sample = thread.partition("/")[2]
                yield _problem("samples", sample, "it has a state, but is not among the run's samples")

    def _samples(self, run: str, rules: Mapping[str, Any]) -> Iterator[Problem]:
        """Every sample's rows, a page at a time."""
        last = 0
        rows = "SELECT rowid, id FROM samples WHERE run = ? AND rowid > ? ORDER BY rowid LIMIT ?"
        while page := self._db.execute(rows, (run, last, _PAGE)).fetchall():
            yield from self._page(run, [sample for _, sample in page], rules)
            last = page[-1][0]

    def _page(self, run: str, samples: Sequence[str], rules: Mapping[str, Any]) -> Iterator[Problem]:
        """The problems of `samples`; those that cannot be read together are read one by one."""
        try:
            known = gathered(self._db, run, samples, rules)
        except (sqlite3.Error, StoreError, *_SHAPES):
            for sample in samples:
                yield from self._guarded(lambda sample=sample: self._one(run, sample, rules), sample)
            return
        for sample, rows in known.items():
            yield from self._guarded(lambda sample=sample, rows=rows: self._sample(sample, rows), sample)

    def _one(self, run: str, sample: str, rules: Mapping[str, Any]) -> Iterator[Problem]:
        yield from self._sample(sample, gathered(self._db, run, [sample], rules)[sample])

    def _sample(self, sample: str, rows: Known) -> Iterator[Problem]:
        settled = any(end.take == rows.take for end in rows.ends)
        self._counts.update(samples=1, settled=settled, rounds=len(rows.lineage.rewards), calls=len(rows.calls))
        for kind, what in disagreements(rows):
            yield _problem(kind, sample, what)
