"""Opening the database file: the one connection that writes, and read-only ones."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from . import migrations
from .errors import StoreError, translated

APPLICATION_ID = 0x65766F6C
"""Marks a database file as an evolgraph store ("evol")."""
BUSY_SECONDS = 10.0
"""How long a statement waits for another program's write lock."""
_OLDEST = (3, 37)
_MAGIC = b"SQLite format 3\0"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The connection of the store's single writer, with all migrations applied; makes the file if it is absent.

    May be used from any one thread. Raises StoreError `open`, `not-a-store`, `newer`, `busy` or `corrupt`.
    """
    fresh = is_absent_or_empty(path)
    with _telling(path):
        db = _connect(path, "rwc")
        try:
            _claim(db, path, fresh)
            migrations.apply(db, str(path))
        except BaseException:
            db.close()
            raise
    return db


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection to an existing store.

    May be used from any one thread. Raises StoreError `open`, `not-a-store`, `newer` or `corrupt`.
    """
    if is_absent_or_empty(path):
        raise StoreError("no such store", where=str(path), remedy="check the name", kind="open")
    with _telling(path):
        db = _connect(path, "ro")
        try:
            _check_mark(db, path)
            migrations.check(db, str(path))
        except BaseException:
            db.close()
            raise
    return db


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection for the length of a block; SQLite's errors inside it become StoreErrors."""
    db = open_for_reading(Path(path))
    try:
        with _telling(Path(path)):
            yield db
    finally:
        db.close()


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, str(path)) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST:
        message = f"Python's SQLite is {sqlite3.sqlite_version}, 3.37 is needed"
        raise StoreError(message, where=str(path), remedy="use a newer Python, such as uv's", kind="open")
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def is_absent_or_empty(path: Path) -> bool:
    """Whether a store can be made at `path`; False when there is an SQLite file.

    Looks before SQLite does, so that a FIFO does not hang and a text file is not called damaged. Raises StoreError
    `not-a-store` or `open`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            head = os.read(descriptor, len(_MAGIC)) if regular else b""
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise StoreError(error.strerror or "", where=str(path), remedy="name another file", kind="open") from error
    if not regular or (head and head != _MAGIC):
        raise StoreError("not an SQLite file", where=str(path), remedy="name another file", kind="not-a-store")
    return not head


def _claim(db: sqlite3.Connection, path: Path, fresh: bool) -> None:
    if fresh:
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    else:
        _check_mark(db, path)
    (mode,) = db.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StoreError("no write-ahead log here", where=str(path), remedy="use a local disk", kind="open")
    db.execute("PRAGMA synchronous=FULL")
    # A reader that stays long keeps the log from being reused; what it grew to is given back afterwards.
    db.execute(f"PRAGMA journal_size_limit={32 << 20}")


def _check_mark(db: sqlite3.Connection, path: Path) -> None:
    (mark,) = db.execute("PRAGMA application_id").fetchone()
    if mark != APPLICATION_ID:
        message = "an SQLite file, but not an evolgraph store"
        raise StoreError(message, where=str(path), remedy="name another file", kind="not-a-store")
