"""The one thread that writes to a store: what arrives while it commits goes into its next transaction."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from .bulk import Rows, Statement, Together, insertions
from .connections import calls_held
from .errors import StoreError, is_environmental, translated
from .ownership import Ownership

_GROUP = 512
_GATHER_S = 0.005
"""How long the first of a group waits for others, when the last group had several: a commit costs about as much for
twenty as for one. Who writes alone is not held up."""


class _Job(NamedTuple):
    statements: Sequence[Statement]
    done: asyncio.Future[None]


class Writer:
    """Commits submissions in groups; each one wholly or not at all, and none before one that was waited for.

    `capacity` is how many submissions may wait or be under way; more make their callers wait. The thread tells `owner`
    how many calls are committed, and releases it when it has closed `db`. Belongs to the event loop it was made on.
    """

    def __init__(self, db: sqlite3.Connection, where: str, *, capacity: int, owner: Ownership) -> None:
        self._db = db
        self._where = where
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(capacity)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._crowded = False
        self._thread = threading.Thread(target=self._serve, name="evolgraph-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many submissions wait for the thread or are under way, up to the capacity."""
        return self._waiting

    async def write(self, statements: Sequence[Statement]) -> None:
        """Returns when all `statements` are committed, in one transaction.

        If the caller is cancelled while it waits, a submission that was already queued is still written.
        Raises StoreError `full`, `busy`, `corrupt`, `write` or `closed`; then nothing of it is stored.
        """
        await self._slots.acquire()
        if self._closed:
            self._slots.release()
            raise StoreError("the store is closed", where=self._where, kind="closed")
        done = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(_Job(statements, done))
        await done

    async def insert(self, rows: Rows) -> None:
        """Inserts `rows` in one transaction; a row whose natural key is there already is left as it was."""
        await self.write(insertions(rows))

    async def close(self) -> None:
        """Writes what is queued, folds the log into the file, and ends the thread and its connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        try:
            going = True
            while going:
                jobs, going = self._next_group()
                self._crowded = len(jobs) > 1
                if jobs:
                    outcomes = self._commit(jobs)
                    self._note()
                    self._loop.call_soon_threadsafe(self._settle, jobs, outcomes)
            # Everything is committed already: a log that cannot be folded in now is folded in by the next owner.
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA busy_timeout=0")  # nor is a reader that stays waited for
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._db.close()
            self._owner.release()

    def _note(self) -> None:
        with contextlib.suppress(sqlite3.Error, OSError):  # what was committed stays committed
            self._owner.note(calls_held(self._db))

    def _next_group(self) -> tuple[list[_Job], bool]:
        """Waits for a job and takes those behind it; False with the last group."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        if job is not None and self._crowded:
            time.sleep(_GATHER_S)
        while job is not None:
            jobs.append(job)
            if len(jobs) == _GROUP:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: Sequence[_Job]) -> list[StoreError | None]:
        """One transaction for all `jobs`; if one of them is at fault, halves are tried so that only it fails."""
        try:
            self._transact(jobs)
        except Exception as error:  # whatever it is, it belongs to the callers
            if len(jobs) == 1 or is_environmental(error):
                return [translated(error, self._where) for _ in jobs]
            half = len(jobs) // 2
            return self._commit(jobs[:half]) + self._commit(jobs[half:])
        return [None] * len(jobs)

    def _transact(self, jobs: Sequence[_Job]) -> None:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            together = Together(db)
            for statements, _ in jobs:
                together.add(statements)
            together.flush()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _settle(self, jobs: Sequence[_Job], outcomes: Sequence[StoreError | None]) -> None:
        for (_, done), error in zip(jobs, outcomes, strict=True):
            self._waiting -= 1
            self._slots.release()
            if done.done():  # its caller was cancelled
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
