"""The disk and other programs (FAULTS F30, F31, F32, F35): a named error, nothing lost, no silent fresh start."""

import asyncio
import contextlib
import json
import os
import pickle
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from evolgraph.errors import EvolgraphError
from evolgraph.graph import evolve
from evolgraph.store import connections
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError

from ..toy import SETTINGS, Model, committed, query, records, seeds, toy
from .starts import KILLED, Forks, Starts, names, starts

FULL = (1_000, 9_000, 40_000, 300_000, 1_400_000)
"""Limits of a file's size: within the first page, the tables, and the run."""


async def undisturbed(at: Starts) -> list[dict[str, Any]]:
    store = at.folder / "undisturbed.db"
    assert (await at.start(store)).code == 0
    return records(store)


async def full_at(at: Starts, limit: int, expected: list[dict[str, Any]]) -> int:
    """A run that may write files up to `limit` only, then without one; gives how many calls the first had committed."""
    store = at.folder / f"full-{limit}.db"
    started = time.monotonic()
    ended = await at.start(store, file_limit=limit)
    assert time.monotonic() - started < 5
    assert (ended.code, ended.kind) == (2, "write")
    assert str(store) in ended.error and "full disk" in ended.error
    kept: set[int] = set()
    if limit >= FULL[-1]:
        assert list(map(str, examine(store))) == []
        kept = committed(store)
    assert (await at.start(store)).code == 0
    assert not kept & {*at.model.asked}
    assert records(store) == expected
    assert list(map(str, examine(store))) == []
    return len(kept)


@pytest.mark.slow
async def test_a_full_disk_stops_the_run_which_goes_on_later(forks: Forks, tmp_path: Path) -> None:
    """F31."""
    async with starts(forks, tmp_path) as at:
        expected = await undisturbed(at)
        assert await full_at(at, FULL[-1], expected) > 5


@pytest.mark.faults
async def test_a_disk_may_get_full_at_any_time(forks: Forks, tmp_path: Path) -> None:
    """F31."""
    async with starts(forks, tmp_path) as at:
        expected = await undisturbed(at)
        counts = [await full_at(at, limit, expected) for limit in (*FULL, *range(1_460_000, 3_540_000, 120_000))]
        assert len({*counts}) > 6, "it got full at different times"


async def test_results_that_cannot_be_written_leave_the_old_ones(forks: Forks, tmp_path: Path) -> None:
    """F31, F33: not one half line, and nothing else left."""
    async with starts(forks, tmp_path) as at:
        store, out = tmp_path / "run.db", tmp_path / "out.jsonl"
        out.write_text('{"old": 1}\n')
        ended = await at.start(store, out=str(out), out_limit=5_000)
        assert ended.code == 2
        assert f"{out}: cannot be written: File too large" in ended.error and "nothing is asked again" in ended.error
        assert out.read_text() == '{"old": 1}\n'
        assert names(tmp_path) == ["out.jsonl", "run.db", "run.db.lock", "table.png"]
        assert (await at.start(store, out=str(out))).code == 0
        assert at.model.asked == []
        assert list(map(json.loads, out.read_text().splitlines())) == records(store)


async def ran(model: Model, folder: Path, store: Path) -> None:
    endpoints = [model.endpoint]
    async with evolve(seeds(folder), store=store, images=folder, endpoints=endpoints, settings=SETTINGS) as run:
        async for _ in run:
            pass


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another program writes to the store and does not come to an end."""
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def locked_for(seconds: float, folder: Path) -> tuple[list[dict[str, Any]], EvolgraphError | None]:
    """A run in the midst of which another program holds the write lock; its records, and the error it ended with."""
    store = folder / "run.db"
    async with toy() as model:
        model.begin(hold_at=9)
        going = asyncio.create_task(ran(model, folder, store))
        await model.held.wait()
        with locked(store):
            model.release()
            await asyncio.sleep(seconds)
        try:
            await going
        except EvolgraphError as error:
            assert list(map(str, examine(store))) == []
            kept = committed(store)
            assert kept
            model.begin(None)
            await ran(model, folder, store)
            assert not kept & {*model.asked}
            return records(store), error
        return records(store), None


async def lock(folder: Path, short: float, long: float) -> None:
    for name in ("clean", "short", "long"):
        (folder / name).mkdir()
    expected, error = await locked_for(0, folder / "clean")
    assert error is None
    assert await locked_for(short, folder / "short") == (expected, None)
    found, error = await locked_for(long, folder / "long")
    assert found == expected
    assert isinstance(error, StoreError)
    assert error.kind == "busy"
    assert "another program holds the store's write lock" in str(error) and "run.db" in str(error)


@pytest.mark.slow
async def test_another_programs_lock_is_waited_for_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30, with a twentieth of the times."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.5)
    await lock(tmp_path, 0.15, 1.5)


@pytest.mark.faults
async def test_a_lock_of_three_seconds_is_not_noticed_and_one_of_thirty_is_named(tmp_path: Path) -> None:
    """F30."""
    await lock(tmp_path, 3, 30)


async def halfway(at: Starts, name: str) -> Path:
    """A store whose owner was killed when its run was half done: most of it is in its log."""
    store = at.folder / name
    assert (await at.start(store, point="reply", side="after", count=20)).code == KILLED
    assert len(committed(store)) >= 20
    return store


def cut(path: Path, size: float) -> None:
    os.truncate(path, int(path.stat().st_size * size))


def flip(path: Path, place: float) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place))
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0xFF]))


def log(store: Path) -> Path:
    return store.with_name(store.name + "-wal")


LOSSES = {
    "the log is gone": lambda store: log(store).unlink(),
    "the log is empty": lambda store: cut(log(store), 0),
    "the log is cut": lambda store: cut(log(store), 0.6),
    "a byte of the log is flipped": lambda store: flip(log(store), 0.6),
    "the file is empty": lambda store: cut(store, 0),
    "the file is another store": lambda store: (log(store).unlink(), shutil.copy(store.with_name("new.db"), store)),
}


QUICK_LOSSES = ("the log is gone", "a byte of the log is flipped")


@pytest.mark.parametrize("losses", [QUICK_LOSSES, pytest.param((*LOSSES,), marks=pytest.mark.faults)])
async def test_what_is_lost_is_missed_and_nothing_starts_anew(
    forks: Forks, tmp_path: Path, losses: tuple[str, ...]
) -> None:
    """F32: by the next start, again and again, and by `trace check`."""
    async with starts(forks, tmp_path) as at:
        assert (await at.start(tmp_path / "new.db", point="session", side="after")).code == KILLED
        killed = await halfway(at, "killed.db")
        for number, name in enumerate(losses):
            store = tmp_path / f"{number}.db"
            for suffix in ("", "-wal", ".lock"):
                shutil.copy(killed.with_name(killed.name + suffix), store.with_name(store.name + suffix))
            LOSSES[name](store)
            assert [problem.kind for problem in examine(store) if problem.kind in ("calls", "integrity")], name
            for _ in range(2):
                ended = await at.start(store)
                assert (ended.code, ended.kind) == (2, "corrupt"), name
                assert "calls that were committed are missing" in ended.error and store.name in ended.error
                assert at.model.asked == [], name
            store.with_name(store.name + ".lock").unlink()
            assert (await at.start(store)).code == 0, "as the error says"


@pytest.mark.faults
async def test_a_damaged_page_is_named_by_the_run_that_meets_it(forks: Forks, tmp_path: Path) -> None:
    """F32: the first page of each table and index, filled with noise."""
    async with starts(forks, tmp_path) as at:
        whole = tmp_path / "whole.db"
        assert (await at.start(whole)).code == 0
        expected = records(whole)
        named = 0
        (size,) = query(whole, "PRAGMA page_size")[0]
        pages = query(whole, "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0 ORDER BY rootpage")
        for name, page in pages:
            store = tmp_path / f"{name}.db"
            shutil.copy(whole, store)
            with store.open("r+b") as file:
                file.seek((page - 1) * size)
                file.write(b"\xa5" * size)
            assert [problem for problem in examine(store) if problem.kind in ("integrity", "unreadable")], name
            ended = await at.start(store)
            assert at.model.asked == [], name
            if ended.code:
                assert (ended.code, ended.kind) == (2, "corrupt"), (name, ended)
                assert "damaged" in ended.error and store.name in ended.error
                named += 1
            else:
                with contextlib.suppress(StoreError):
                    assert records(store) == expected, name
        assert named >= 6


async def test_a_file_cut_short_is_named_by_the_run(forks: Forks, tmp_path: Path) -> None:
    """F32."""
    async with starts(forks, tmp_path) as at:
        whole = tmp_path / "whole.db"
        assert (await at.start(whole)).code == 0
        for size in (0.1, 0.5, 0.9):
            store = tmp_path / f"{size}.db"
            shutil.copy(whole, store)
            cut(store, size)
            ended = await at.start(store)
            assert (ended.code, ended.kind) == (2, "corrupt"), ended
            assert at.model.asked == []


def poisons(marker: Path) -> dict[str, Any]:
    """Saved states that would make a folder if loading them built or called anything."""

    class Maker:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(marker),)

    call = ormsgpack.packb(["os", "mkdir", [str(marker)]])
    extension = ormsgpack.packb({"v": ormsgpack.Ext(5, call), "channel_values": ormsgpack.Ext(0, call)})
    made = {
        "lc": 2,
        "type": "constructor",
        "id": ["os", "mkdir"],
        "args": [str(marker)],
        "kwargs": {"name": str(marker)},
    }
    return {
        "msgpack": extension,
        "pickle": pickle.dumps(Maker()),
        "pickle as text": pickle.dumps(Maker(), protocol=0).decode(),
        "JSON with a constructor": json.dumps(made),
        "a constructor among the channels": json.dumps({"v": 4, "id": "x", "channel_values": made}),
    }


def poisoned(store: Path, to: Path, value: Any) -> None:
    """A copy of `store` whose saved states are all `value`."""
    shutil.copy(store, to)
    with contextlib.closing(sqlite3.connect(to)) as db, db:
        rows = db.execute("SELECT thread, namespace, id, parent, metadata FROM checkpoints").fetchall()
        db.execute("DROP TABLE checkpoints")
        db.execute("CREATE TABLE checkpoints (thread, namespace, id, parent, checkpoint, metadata)")
        db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)", [(*r[:4], value, r[4]) for r in rows])


async def test_a_poisoned_state_is_named_and_nothing_is_made_of_it(forks: Forks, tmp_path: Path) -> None:
    """F35: msgpack, pickle and JSON that name os.mkdir, met by a run that goes on and by `trace check`."""
    marker = tmp_path / "marker"
    async with starts(forks, tmp_path) as at:
        killed = await halfway(at, "killed.db")
        with reading(killed) as db:
            assert db.execute("SELECT count(*) FROM checkpoints").fetchone()[0] >= 3
        with contextlib.closing(sqlite3.connect(killed)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number, (name, value) in enumerate(poisons(marker).items()):
            store = tmp_path / f"{number}.db"
            poisoned(killed, store, value)
            ended = await at.start(store)
            assert (ended.code, ended.kind) == (2, "checkpoint"), (name, ended)
            assert "thread" in ended.error and "cannot be read" in ended.error
            assert any("cannot be read" in problem.what for problem in examine(store)), name
            assert not marker.exists()
