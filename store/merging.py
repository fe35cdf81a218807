"""Several stores of one run made into one. The samples of the run are each in one of them."""

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .connections import is_absent_or_empty, open_for_reading, open_for_writing
from .errors import StoreError, translated
from .ownership import lock_of
from .totals import count_anew

_TABLES: Final = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 1) <> '_' AND name NOT LIKE 'sqlite%'"
)
_TRIGGERS: Final = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
_TWICE: Final = "SELECT id FROM shard.samples WHERE (run, id) IN (SELECT run, id FROM main.samples) LIMIT 1"
_STRANGE: Final = (
    "SELECT id FROM shard.runs WHERE parent IS NULL"
    " AND EXISTS (SELECT 1 FROM main.runs) AND (id, fingerprint) NOT IN (SELECT id, fingerprint FROM main.runs) LIMIT 1"
)
_GIVEN_ANEW: Final = {"rewards": "seq", "sessions": "id"}
"""Columns that count within a store."""


def merge(shards: Sequence[Path], output: Path, *, replace: bool = False) -> int:
    """Writes the store `output` with all that `shards` hold; gives the number of its samples.

    It appears when it is whole; what was there is replaced only with `replace`. The shards may be in use meanwhile.
    Raises StoreError: `open` when `output` exists or cannot be written, `corrupt` when a sample is in two shards or
    they are not of one run, and those of opening a store.
    """
    if not replace and not is_absent_or_empty(output):
        raise StoreError("there is a store already", where=str(output), remedy="name another file", kind="open")
    if not os.access(output.absolute().parent, os.W_OK | os.X_OK):
        raise StoreError("no file can be written there", where=str(output), remedy="name another file", kind="open")
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.absolute().parent) as folder:
        made = Path(folder) / output.name
        samples = _written(made, shards)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        lock_of(output).unlink(missing_ok=True)  # it tells of the store that was there
        made.replace(output)
    return samples


def _written(made: Path, shards: Sequence[Path]) -> int:
    db = open_for_writing(made)
    try:
        # Nobody sees the file until it is whole, so nothing need be undone.
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        # Their work is done in the shards already: a line of totals a sample is copied as all the rest.
        triggers = db.execute(_TRIGGERS).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for shard in shards:
            _add(db, shard)
        _in_order(db)
        count_anew(db)
        for _, sql in triggers:
            db.execute(sql)
        db.execute("PRAGMA journal_mode=WAL")
        return db.execute("SELECT count(*) FROM samples").fetchone()[0]
    except sqlite3.Error as error:
        raise translated(error, str(made.name)) from error
    finally:
        db.close()


def _add(db: sqlite3.Connection, shard: Path) -> None:
    """Copies all rows of `shard`, as they are in one moment."""
    open_for_reading(shard).close()  # whatever is wrong with it is told in our words
    db.execute("ATTACH ? AS shard", (f"{shard.absolute().as_uri()}?mode=ro",))
    try:
        db.execute("BEGIN")
        try:
            _check(db, shard)
            for (table,) in db.execute(_TABLES).fetchall():
                _copy(db, table)
        finally:
            db.execute("COMMIT")
    finally:
        db.execute("DETACH shard")


def _check(db: sqlite3.Connection, shard: Path) -> None:
    if strange := db.execute(_STRANGE).fetchone():
        raise StoreError(
            f"its run {strange[0]} is not that of the other stores, or has other settings", where=str(shard),
            remedy="merge the stores of one run, after each has been started with the same settings", kind="corrupt",
        )  # fmt: skip
    if twice := db.execute(_TWICE).fetchone():
        raise StoreError(
            f"the sample {twice[0]} is in another store too", where=str(shard), remedy="merge the stores of one run",
            kind="corrupt",
        )  # fmt: skip


def _copy(db: sqlite3.Connection, table: str) -> None:
    names = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
    columns = ", ".join(name for name in names if name != _GIVEN_ANEW.get(table))
    (sql,) = db.execute("SELECT sql FROM main.sqlite_schema WHERE name = ?", (table,)).fetchone()
    order = "" if "WITHOUT ROWID" in sql else " ORDER BY rowid"
    db.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM shard.{table}{order}")  # noqa: S608


def _in_order(db: sqlite3.Connection) -> None:
    """Rewards in the order in which they came, whichever store they were in."""
    columns = ", ".join(row[1] for row in db.execute("PRAGMA table_info(rewards)") if row[1] != "seq")
    db.execute(f"CREATE TEMP TABLE came AS SELECT {columns} FROM rewards ORDER BY rewarded_ns, seq")  # noqa: S608
    db.execute("DELETE FROM rewards")
    db.execute(f"INSERT INTO rewards ({columns}) SELECT {columns} FROM came ORDER BY rowid")  # noqa: S608
    db.execute("DROP TABLE came")
