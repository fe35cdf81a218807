"""Whose sample is whose, on the disk before a sample begins: so that none settles in two stores."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ..store.errors import translated


class Owners:
    """The file `path`: the run's id, the number of its workers, and the worker of every sample that was handed out.

    Belongs to whoever owns the folder; used by one thread at a time. Raises StoreError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript("""
                PRAGMA journal_mode=WAL;
                PRAGMA synchronous=FULL;
                CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, workers INTEGER NOT NULL) STRICT;
                CREATE TABLE IF NOT EXISTS owners
                    (sample TEXT PRIMARY KEY, worker INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            """)
        except sqlite3.Error as error:
            raise translated(error, str(path)) from error

    def claim(self, run: str, workers: int) -> tuple[str, int]:
        """The run's id, `run` for a new one, and how many workers it has: at least `workers`, and never fewer."""
        known = self._db.execute("SELECT id, workers FROM runs").fetchone()
        found = known[0] if known else run, max(workers, known[1] if known else 0)
        self._write("INSERT OR REPLACE INTO runs (id, workers) VALUES (?, ?)", [found])
        return found

    def all(self) -> dict[str, int]:
        """The worker of every sample that was handed out."""
        return dict(self._db.execute("SELECT sample, worker FROM owners"))

    def record(self, worker: int, samples: Iterable[str]) -> None:
        """Returns when it is committed that `samples` are the worker's; one that has an owner keeps it."""
        self._write("INSERT OR IGNORE INTO owners (sample, worker) VALUES (?, ?)", [(one, worker) for one in samples])

    def _write(self, sql: str, rows: list[tuple[str, int]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise translated(error, str(self._path)) from error
