import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.bulk import Bulk, Form, Statement, insertion
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.store import Store

RUN = {"id": "r", "created_ns": 1, "fingerprint": {"seed": 0}, "seed": 0}


def reward(sample: str, round_: int = 0, value: float | None = 0.5) -> dict[str, Any]:
    return {"run": "r", "sample": sample, "round": round_, "reward": value, "tokens": 3, "rewarded_ns": 1}


def count(path: Path, table: str = "rewards") -> int:
    with reading(path) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def transactions(path: Path) -> int:
    """How many transactions the log holds: frames with a database size in their header end one."""
    log = path.with_name(path.name + "-wal").read_bytes()[32:]
    frame = 24 + 8192
    return sum(log[at + 4 : at + 8] != b"\0\0\0\0" for at in range(0, len(log) - frame + 1, frame))


async def test_200_concurrent_writers_share_few_transactions_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path, capacity=64) as store:
        await store.writer.insert({"runs": [RUN]})
        before = transactions(path)
        async with asyncio.TaskGroup() as group:
            for sample in range(200):
                group.create_task(store.writer.insert({"rewards": [reward(f"s{sample}")]}))
        assert count(path) == 200
        assert transactions(path) - before < 50


async def test_what_was_awaited_is_committed(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        await store.writer.insert({"rewards": [reward("s0")]})
        with sqlite3.connect(tmp_path / "run.db") as other:
            assert other.execute("SELECT sample, reward FROM rewards").fetchall() == [("s0", 0.5)]
        other.close()


async def test_one_bad_submission_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        good = [{"rewards": [reward(f"s{n}")]} for n in range(20)]
        bad = [
            {"rewards": [reward("lost"), {**reward("x"), "rewarded_ns": None}]},
            {"rewards": [{**reward("y"), "reward": "high"}]},
            {"no_such_table": [{"a": 1}]},
            {"rewards": [{**reward("z"), "tokens": 1 << 70}]},
            {"rewards": [{**reward("u"), "sample": "\ud800"}]},
        ]
        mixed = [*good[:7], *bad, *good[7:]]
        outcomes = await asyncio.gather(*map(store.writer.insert, mixed), return_exceptions=True)
        failed = [outcome for outcome in outcomes if outcome is not None]
        assert [type(outcome) for outcome in failed] == [StoreError] * 5
        assert {outcome.kind for outcome in failed if isinstance(outcome, StoreError)} == {"write"}
        assert outcomes[7:12] == failed
        assert count(path) == 20


async def test_rows_are_inserted_once(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        await store.writer.insert({"rewards": [reward("s0", value=0.1)]})
        await store.writer.insert({"rewards": [reward("s0", value=0.9), reward("s1")]})
    with reading(path) as db:
        assert db.execute("SELECT sample, reward FROM rewards ORDER BY 1").fetchall() == [("s0", 0.1), ("s1", 0.5)]


COLUMNS = ("run", "sample", "round", "reward", "tokens", "rewarded_ns")
PUT = insertion("INSERT OR REPLACE", "rewards", COLUMNS)
DROP = Form("DELETE FROM rewards WHERE ", "(run = ? AND sample = ?)", joint=" OR ")


def put(sample: str, value: float) -> Bulk:
    return Bulk(PUT, ("r", sample, 0, value, 3, 1))


def drop(*samples: str) -> Bulk:
    return Bulk(DROP, [value for sample in samples for value in ("r", sample)])


async def test_what_a_submission_says_is_done_in_its_order_whatever_others_say(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    submissions: list[list[Statement]] = [
        [put("a", 0.1)],
        [put("b", 0.1), drop("b")],
        [drop("c"), put("c", 0.1)],
        [put("d", 0.1), put("d", 0.2)],
        [put("e", 0.1), ("UPDATE rewards SET reward = 9 WHERE sample <> 'f'", ())],
        [put("f", 0.1)],
        [drop("g", "h"), put("g", 0.3), put("h", 0.4)],
    ]
    async with Store.open(path) as store:
        # Sent at once, so that they are committed together.
        await asyncio.gather(*map(store.writer.write, submissions))
    with reading(path) as db:
        found = dict(db.execute("SELECT sample, reward FROM rewards"))
    assert found == {"a": 9, "c": 9, "d": 9, "e": 9, "f": 0.1, "g": 0.3, "h": 0.4}


async def test_a_group_of_submissions_takes_few_statements(tmp_path: Path) -> None:
    """Between two statements the writing thread lets the event loop in: many of them starve it."""
    path = tmp_path / "run.db"
    statements: list[str] = []
    async with Store.open(path) as store:
        store.writer._db.set_trace_callback(statements.append)
        held = sqlite3.connect(path, isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(store.writer.insert({"rewards": [reward("first")]}))
        await asyncio.sleep(0.05)
        tasks = [asyncio.create_task(store.writer.write([drop(f"s{n}"), put(f"s{n}", n)])) for n in range(200)]
        await asyncio.sleep(0.05)
        held.execute("ROLLBACK")
        held.close()
        await asyncio.gather(first, *tasks)
    assert count(path) == 201
    assert sum(text.startswith(("INSERT", "DELETE")) for text in statements) <= 2 * 10


async def test_lists_and_mappings_are_stored_as_json(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        await store.writer.insert({"runs": [{**RUN, "fingerprint": {"prompts": ["ä", 1, None]}}]})
        with pytest.raises(StoreError, match="not JSON") as caught:
            await store.writer.insert({"runs": [{**RUN, "id": "q", "fingerprint": {"set": {1}}}]})
        assert caught.value.kind == "not-json"
        assert count(path, "runs") == 1
    with reading(path) as db:
        assert db.execute("SELECT json_extract(fingerprint, '$.prompts[0]') FROM runs").fetchone() == ("ä",)


async def test_a_cancelled_writer_disturbs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path, capacity=4) as store:
        tasks = [asyncio.create_task(store.writer.insert({"rewards": [reward(f"s{n}")]})) for n in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert outcomes[1::2] == [None] * 25
        async with asyncio.timeout(10):
            await asyncio.gather(*(store.writer.insert({"rewards": [reward(f"t{n}")]}) for n in range(50)))
        with reading(path) as db:
            stored = {sample for (sample,) in db.execute("SELECT sample FROM rewards")}
        assert {f"s{n}" for n in range(1, 50, 2)} | {f"t{n}" for n in range(50)} <= stored


async def test_a_full_queue_makes_callers_wait_and_not_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path, capacity=2) as store:
        await store.writer.insert({"runs": [RUN]})
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(store.writer.insert({"rewards": [reward(f"s{n}")]})) for n in range(10)]
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert not any(task.done() for task in tasks)
        assert store.writer.waiting == 2
        blocker.execute("ROLLBACK")
        blocker.close()
        await asyncio.gather(*tasks)
    assert count(path) == 10


async def test_closing_writes_what_is_queued_and_folds_the_log_in(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        tasks = [asyncio.create_task(store.writer.insert({"rewards": [reward(f"s{n}")]})) for n in range(30)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert names(tmp_path) == ["run.db", "run.db.lock"]
    assert count(path) == 30
    with pytest.raises(StoreError) as caught:
        await store.writer.insert({"rewards": [reward("late")]})
    assert caught.value.kind == "closed"


async def test_a_full_disk_is_named_and_the_store_goes_on_later(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        await store.writer.insert({"runs": [RUN]})
        (pages,) = await store.read(lambda db: db.execute("PRAGMA page_count").fetchone())
        await store.writer.write([(f"PRAGMA max_page_count={pages + 2}", ())])
        with pytest.raises(StoreError, match="full") as caught:
            await store.writer.insert({"runs": [{**RUN, "id": "q", "fingerprint": {"long": "x" * 100_000}}]})
        assert caught.value.kind == "full"
        await store.writer.write([("PRAGMA max_page_count=1000000", ())])
        await store.writer.insert({"rewards": [reward("s0")]})
    assert (count(path), count(path, "runs")) == (1, 1)


async def test_readers_see_whole_transactions_while_a_writer_writes(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    seen: set[int] = set()
    async with Store.open(path) as store:

        async def write() -> None:
            for n in range(100):
                await store.writer.insert({"rewards": [reward(f"s{n}", 0), reward(f"s{n}", 1)]})

        writing = asyncio.create_task(write())
        while not writing.done():
            seen.add(await asyncio.to_thread(count, path))
        await writing
    assert all(number % 2 == 0 for number in seen)
    assert count(path) == 200


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_a_kill_leaves_a_consistent_store_with_all_that_was_confirmed(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "run.db"
    script = textwrap.dedent("""
        import asyncio, sys
        from evolgraph.store.store import Store
        async def write(store, lane):
            for n in range(1000000):
                row = dict(run="r", sample=f"{lane}/{n}", reward=0.1, tokens=1, rewarded_ns=1)
                rows = [row | {"round": 0}, row | {"round": 1}]
                await store.writer.insert({"rewards": rows})
                sys.stdout.write(f"{lane}/{n}\\n")
                sys.stdout.flush()
        async def main():
            async with Store.open(sys.argv[1]) as store:
                await asyncio.gather(*(write(store, lane) for lane in range(16)))
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        confirmed = [child.stdout.readline().strip()]
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(seconds)
        os.kill(child.pid, signal.SIGKILL)
        confirmed += [line.strip() for line in child.stdout if line.endswith("\n")]
    asyncio.run(reopened(path))
    with reading(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rounds = dict(db.execute("SELECT sample, count(*) FROM rewards GROUP BY sample"))
    assert set(rounds.values()) == {2}
    assert set(confirmed) <= set(rounds)


async def reopened(path: Path) -> None:
    """A dead owner's lock is free."""
    async with Store.open(path) as store:
        await store.writer.insert({"rewards": [reward("after", 0), reward("after", 1)]})
