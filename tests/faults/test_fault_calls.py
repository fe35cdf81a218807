"""Single calls at a server with faults (FAULTS F1, F8, F9, F12, F19-F21, F28): times, slots, memory, connections."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
from evolgraph.store.ledger import Ledger
from evolgraph.store.runs import create_run
from evolgraph.store.store import Store

from .conftest import Line, Seeds, line, stats


async def kinds(at: Line, count: int) -> Counter[str]:
    """How `count` different asks at a time end."""
    ended = await asyncio.gather(*(at.ask(number) for number in range(1, count + 1)))
    return Counter(one.failure.kind if one.failure else "ok" for one in ended)


async def test_a_cancelled_call_closes_its_connection_and_no_other(few: Seeds) -> None:
    """F28."""
    async with line("hang:1", seeds=few) as at, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(at.ask(number)) for number in (1, 2, 3)]
        await at.until_in_flight(3)
        asked[1].cancel()
        async with asyncio.timeout(1):
            await at.until_in_flight(2)
        assert not asked[0].done() and not asked[2].done()
        for task in asked:
            task.cancel()


@pytest.mark.faults
async def test_a_reply_that_comes_late_is_kept_once(few: Seeds, tmp_path: Path) -> None:
    """F21: given up, asked again while the first answer is still to come, and on record once."""
    async with Store.open(tmp_path / "run.db") as store:
        run = await create_run(store, "r", {}, 0)
        ledger = Ledger(store, run.id)
        async with line("hang=4:1", seeds=few, fault_limit=1, timeout_s=3, ledger=ledger) as at:
            first, second = await at.ask(), await at.ask()
            await asyncio.sleep(1.5)
            seen = await stats(at.url)
        assert first.failure
        assert (first.failure.kind, second.failure) == ("timeout", None)
        assert (seen["requests"], seen["distinct_bodies"], seen["answered"]) == (2, 1, 1)
        rows = await store.read(lambda db: db.execute("SELECT kind FROM calls").fetchall())
        assert [tuple(row) for row in rows] == [("ok",)]


@pytest.mark.faults
async def test_the_wait_is_what_the_server_asks_for(few: Seeds) -> None:
    """F1."""
    async with line("429=2:1", seeds=few, fault_limit=1, max_in_flight=1) as at:
        started = time.monotonic()
        assert await kinds(at, 3) == {"ok": 3}
        assert time.monotonic() - started >= 3 * 2


@pytest.mark.faults
@pytest.mark.parametrize("fault", ["hang:1", "stall:1"])
async def test_a_silent_server_is_given_up_in_time_and_its_slots_are_freed(few: Seeds, fault: str) -> None:
    """F8, F9: two waves of two, each as long as the timeout; 10% and the time to build the requests."""
    async with line(fault, seeds=few, timeout_s=2, max_in_flight=2) as at:
        started = time.monotonic()
        assert await kinds(at, 4) == {"timeout": 4}
        assert 0.9 * 4 <= time.monotonic() - started <= 1.1 * 4 + 0.3
        async with asyncio.timeout(1):
            await at.until_in_flight(0)


@pytest.mark.faults
async def test_ten_thousand_calls_over_connections_that_close_unannounced(few: Seeds) -> None:
    """F12."""
    async with line("close:0.5", seeds=few, max_in_flight=32) as at:
        ended: Counter[str] = Counter()
        for _ in range(20):
            ended += await kinds(at, 500)
        seen = await stats(at.url)
    assert ended == {"ok": 10_000}
    assert seen["max_in_flight"] <= 32


def resident_peak() -> int:
    """The most bytes of memory that this process held since the last `forget_peak`."""
    (line,) = [row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory in /proc")
async def test_a_flood_is_cut_before_it_fills_memory(few: Seeds) -> None:
    """F19: 50 MB are cut at 4, and nothing of it stays."""
    async with line("flood:1", seeds=few, max_in_flight=1) as at:
        await kinds(at, 1)
        forget_peak()
        before = resident_peak()
        assert await kinds(at, 5) == {"too-large": 5}
        assert resident_peak() - before < 20 * 2**20
        async with asyncio.timeout(1):
            await at.until_in_flight(0)


@pytest.mark.faults
async def test_two_thousand_tasks_at_a_slow_server_wait_for_their_turn(few: Seeds) -> None:
    """F20: nobody is given up for having waited, though all together wait far longer than one call may take."""
    async with line(seeds=few, latency_ms=20, capacity=8, max_in_flight=32, timeout_s=5) as at:
        assert await kinds(at, 2000) == {"ok": 2000}
        seen = await stats(at.url)
    assert (seen["requests"], seen["answered"]) == (2000, 2000)
    assert seen["max_in_flight"] <= 32
