"""Opening the database file: the one connection that writes, and read-only ones."""

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from . import migrating
from .errors import RECOVER, StoreError, translated
from .packing import packed, unpacked

APPLICATION_ID = 0x65766F6C
"""Marks a database file as an evolgraph store ("evol")."""
BUSY_SECONDS = 10.0
"""How long a statement waits for another program's write lock."""
_OLDEST = (3, 37)
_PAGE_BYTES = 8192
"""A call's row takes 1 to 4 KB: in pages of the usual 4,096 bytes a fifth of the file would be left empty."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The connection of the store's single writer, with all migrations applied; makes the file if it is absent.

    May be used from any one thread. Raises StoreError `open`, `not-a-store`, `newer`, `busy` or `corrupt`.
    """
    is_absent_or_empty(path)
    with _telling(path):
        db = _connect(path, "rwc")
        try:
            _claim(db, path)
            _migrate(db, path)
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
            migrating.check(db, str(path))
        except BaseException:
            db.close()
            raise
    return db


def refuse_lost(path: Path, calls: int, held: int) -> None:
    """Raises StoreError `corrupt` when a store holds fewer than the `calls` that were committed to it."""
    if held < calls:
        raise StoreError(
            f"{calls - held} of {calls} calls that were committed are missing: the file or its log was cut or replaced",
            where=str(path),
            remedy=f"restore a copy with its -wal, or delete {path.name}.lock to go on with what is left",
            kind="corrupt",
        )


def calls_held(db: sqlite3.Connection) -> int:
    """How many calls a store holds: none is ever deleted, so that the last number given is their count or more."""
    (last,) = db.execute("SELECT max(rowid) FROM calls").fetchone()
    return last or 0


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection for the length of a block; SQLite's errors inside it become StoreErrors."""
    db = open_for_reading(Path(path))
    try:
        with _telling(Path(path)):
            yield db
    finally:
        db.close()


def refuse_others(path: Path) -> None:
    """Raises StoreError `not-a-store` or `open` when there is something at `path` that no store can be made of."""
    if is_absent_or_empty(path):
        return
    try:
        with contextlib.closing(_connect(path, "ro")) as db:
            _check_mark(db, path)
    except sqlite3.Error as error:
        # Anything else may be mended by opening it for writing, such as a first write that was cut off.
        if (told := translated(error, str(path))).kind == "not-a-store":
            raise told from error


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, str(path)) from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema as it is, Python expects text
        raise StoreError(
            f"the store is damaged, its schema says {error.object!r}", where=str(path), remedy=RECOVER, kind="corrupt"
        ) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST:
        message = f"Python's SQLite is {sqlite3.sqlite_version}, 3.37 is needed"
        raise StoreError(message, where=str(path), remedy="use a newer Python, such as uv's", kind="open")
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for function in (packed, unpacked):
        db.create_function(function.__name__, 1, function, deterministic=True)
    return db


def is_absent_or_empty(path: Path) -> bool:
    """Whether there is nothing at `path`; False when there is a file with something in it.

    Asked before SQLite looks, so that a FIFO does not hang. Never opens the file: to close it would take away the
    locks that SQLite's connections in this process hold on it, and another program could then remove the log.
    Raises StoreError `not-a-store` or `open`.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise StoreError(told, where=str(path), remedy="name another file", kind="open") from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("not an SQLite file", where=str(path), remedy="name another file", kind="not-a-store")
    return not found.st_size


def _claim(db: sqlite3.Connection, path: Path) -> None:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    if not pages:  # a new file, or one whose first write was cut off
        db.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    else:
        _check_mark(db, path)
    (mode,) = db.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StoreError("no write-ahead log here", where=str(path), remedy="use a local disk", kind="open")
    # A reader that stays long keeps the log from being reused; what it grew to is given back afterwards.
    db.execute(f"PRAGMA journal_size_limit={32 << 20}")


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    # The log is forced to the disk by the first commit after these and not by each: they stay whole and in order.
    db.execute("PRAGMA synchronous=NORMAL")
    migrating.apply(db, str(path))
    db.execute("PRAGMA synchronous=FULL")


def _check_mark(db: sqlite3.Connection, path: Path) -> None:
    (mark,) = db.execute("PRAGMA application_id").fetchone()
    if mark != APPLICATION_ID:
        message = "an SQLite file, but not an evolgraph store"
        raise StoreError(message, where=str(path), remedy="name another file", kind="not-a-store")
