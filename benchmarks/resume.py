"""The resume scenario: how long a restart looks for its unfinished samples, and when its first call goes out."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Settings, evolve
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample
from evolgraph.store.connections import reading
from evolgraph.store.ledger import Ledger
from evolgraph.store.runs import standing
from evolgraph.store.store import Store

from .data import write_seeds
from .processes import mock

T = TypeVar("T")
_TABLES: Final = ("samples", "generations", "decisions", "rewards", "verdicts", "spans", "calls", "checkpoints")
_AT_ONCE: Final = 5_000


def resume(samples: int) -> dict[str, Any]:
    """Restarts a run of `samples` that had each made two calls; gives one flat object of figures, times in seconds."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-resume-") as name, mock(8, 1) as url:
        folder = Path(name)
        seeds, store = write_seeds(folder, 1), folder / "run.db"
        sample = next(one for one in read(seeds, ImageRoot(folder)) if isinstance(one, Sample))
        asyncio.run(_started(sample, store, folder, url))
        _multiply(store, sample.id, samples)
        with reading(store) as db:
            (run,) = db.execute("SELECT id FROM runs").fetchone()
            (calls,) = db.execute("SELECT count(*) FROM calls").fetchone()
            (begun, standing_s) = _timed(lambda: len(standing(db, run).begun))
        known, keys_s = asyncio.run(_keys(store, run))
        entered, first = asyncio.run(_started(sample, store, folder, url))
        size = store.stat().st_size
    return {
        "scenario": "resume",
        "samples": begun,
        "calls": calls,
        "store_bytes": size,
        "standing_s": standing_s,
        "open_keys": known,
        "open_keys_s": keys_s,
        "entered_s": round(entered, 3),
        "first_call_s": round(first, 3),
    }


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    found = work()
    return found, round(time.perf_counter() - started, 3)


async def _keys(store: Path, run: str) -> tuple[int, float]:
    """How many keys the ledger of a restart holds, and the seconds until its first answer."""
    async with Store.open(store) as opened:
        ledger, started = Ledger(opened, run), time.perf_counter()
        await ledger.find("none")
        return len(ledger._known or ()), round(time.perf_counter() - started, 3)


async def _started(sample: Sample, store: Path, folder: Path, url: str) -> tuple[float, float]:
    """A start that may make two calls; seconds until it was set up, and until its first call."""
    settings, endpoint = Settings(target=10, budget_calls=2), Endpoint(url=url, model="mock")
    started = time.perf_counter()
    async with evolve([sample], store=store, images=folder, endpoints=[endpoint], settings=settings) as run:
        entered = time.perf_counter() - started
        while not run.client.stats.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        first = time.perf_counter() - started
        async for _ in run:
            pass
    return entered, first


def _multiply(store: Path, name: str, samples: int) -> None:
    """Gives every row of the sample `name` to as many others as there shall be."""
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        for table in _TABLES:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]
            rows = db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            marks = ", ".join("?" * len(columns))
            for first in range(1, samples, _AT_ONCE):
                others = range(first, min(first + _AT_ONCE, samples))
                db.execute("BEGIN")
                db.executemany(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                    (row for number in others for row in _renamed(rows, table, columns, name, number)),
                )
                db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _renamed(
    rows: list[tuple[Any, ...]], table: str, columns: list[str], name: str, number: int
) -> Iterator[tuple[Any, ...]]:
    other = f"sample-{number:06d}-"
    for row in rows:
        values = [value.replace(name, other) if isinstance(value, str) else value for value in row]
        if table == "calls":
            place = columns.index("key")
            values[place] = f"{number:x}-{values[place]}"
        yield tuple(values)
