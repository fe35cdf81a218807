"""The store's one error, and what SQLite's errors mean to a person."""

import sqlite3

from ..errors import EvolgraphError

RECOVER = "restore a copy, or save what is left: .recover"
_BY_CODE = {
    sqlite3.SQLITE_FULL: ("full", "the disk is full", "make room, then start the run again: it goes on"),
    sqlite3.SQLITE_BUSY: ("busy", "another program holds the store's write lock", "close it and try again"),
    sqlite3.SQLITE_LOCKED: ("busy", "another program holds the store's write lock", "close it and try again"),
    sqlite3.SQLITE_CORRUPT: ("corrupt", "the store is damaged", RECOVER),
    sqlite3.SQLITE_NOTADB: ("not-a-store", "not an SQLite file", "name another file"),
    sqlite3.SQLITE_IOERR: (
        "write",
        "the disk refused to read or write",
        "look for a full disk, a quota or a file-size limit, then start the run again: it goes on",
    ),
    sqlite3.SQLITE_READONLY: ("write", "the store may not be written", "check the file's permissions"),
    sqlite3.SQLITE_CANTOPEN: ("open", "the store cannot be opened", "check the folder and its permissions"),
    sqlite3.SQLITE_NOMEM: ("write", "out of memory", "lower the concurrency"),
}
"""SQLite's primary result code: kind, message and remedy."""


class StoreError(EvolgraphError):
    """Something about the store file that a person can act on.

    Kinds: `locked`, `not-a-store`, `newer`, `open`, `busy`, `full`, `corrupt`, `write`, `closed`, `not-json`,
    `checkpoint`, `planted`.
    """

    kind = "store"


def is_environmental(error: BaseException) -> bool:
    """Whether `error` comes from the disk or another program, so that trying other statements is of no use."""
    return isinstance(error, sqlite3.Error) and _code(error) in _BY_CODE


def translated(error: BaseException, where: str) -> StoreError:
    """`error` as a StoreError about the file `where`; a StoreError is returned as it is."""
    if isinstance(error, StoreError):
        return error
    kind, message, remedy = _BY_CODE.get(_code(error), ("write", f"{type(error).__name__}", ""))
    told = StoreError(f"{message}: {error}", where=where, remedy=remedy, kind=kind)
    told.__cause__ = error
    return told


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
