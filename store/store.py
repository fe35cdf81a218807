"""A store: one SQLite file, its owner, its writer and a read-only connection beside it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from .connections import (
    calls_held,
    is_absent_or_empty,
    open_for_reading,
    open_for_writing,
    refuse_lost,
    refuse_others,
)
from .errors import translated
from .ownership import Ownership
from .writer import Writer

T = TypeVar("T")


class Store:
    """An open store. Make one with `async with Store.open(path) as store`."""

    path: Path
    writer: Writer

    def __init__(self, path: Path, writer: Writer, reader: sqlite3.Connection) -> None:
        self.path = path
        self.writer = writer
        self._reader = reader
        # One thread: reads queue behind each other, and the connection is never used by two at a time.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="evolgraph-reader")

    @classmethod
    @asynccontextmanager
    async def open(cls, path: str | Path, *, capacity: int = 1024) -> AsyncIterator["Store"]:
        """Owns and opens the store at `path` for the length of the block, making it if it is absent.

        `capacity` bounds the submissions that wait for the writer. On leaving, what was submitted is written.
        Raises StoreError `locked` when it has an owner, `not-a-store`, `newer`, `open`, `busy` or `corrupt`.
        """
        path = Path(path)
        owner, db, reader = await _open_in_thread(path)
        # The writer's thread gives the lock back, so that nothing can be written after it is free.
        store = cls(path, Writer(db, str(path), capacity=capacity, owner=owner), reader)
        try:
            yield store
        finally:
            await store._close()

    async def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """What `question` answers from a read-only connection, off the event loop; it sees all that is committed.

        Raises StoreError for SQLite's errors. Keep questions short: they wait for each other.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, question, self._reader)
        except sqlite3.Error as error:
            raise translated(error, str(self.path)) from error

    async def _close(self) -> None:
        try:
            # Before the writer, so that the last connection to close is one that may remove the log.
            await asyncio.get_running_loop().run_in_executor(self._reading, self._reader.close)
        finally:
            self._reading.shutdown(wait=False)
            await self.writer.close()


async def _open_in_thread(path: Path) -> "_Opened":
    opening = asyncio.get_running_loop().run_in_executor(None, _opened, path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on all the same: what it opens is closed again before the caller is told.
        await asyncio.wait([opening])
        if not opening.exception():
            owner, db, reader = opening.result()
            reader.close()
            db.close()
            owner.release()
        raise


_Opened = tuple[Ownership, sqlite3.Connection, sqlite3.Connection]


def _opened(path: Path) -> _Opened:
    refuse_others(path)  # so that no lock file appears beside what is no store
    owner = Ownership(path)
    try:
        if not path.exists():
            owner.note(0)  # it was deleted to start anew
        elif is_absent_or_empty(path):
            refuse_lost(path, owner.calls, 0)
        db = open_for_writing(path)
        try:
            refuse_lost(path, owner.calls, calls_held(db))
            return owner, db, open_for_reading(path)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        owner.release()
        raise translated(error, str(path)) from error
    except BaseException:
        owner.release()
        raise
