"""Add samples, step, stop, kill, resume and read a run in any order: the store stays sound and nothing is lost.

A real run over a real store asks a scripted model on a loopback port. A kill is a copy of the store's files at that
moment, as a dead process leaves them, its log cut anywhere; the run goes on with the copy.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evolgraph.graph import evolve
from evolgraph.store import traces
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.listing import listed
from evolgraph.store.runs import newest_run
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ..toy import MOST, SETTINGS, Model, committed, is_readable, query, records, seeds

FRAME = 24 + 8192
"""Bytes of a page in the log."""


def files_of(store: Path) -> tuple[Path, Path]:
    return store, store.with_name(store.name + "-wal")


def killed(store: Path, to: Path, lost: float) -> Path:
    """The store as a kill leaves it, without the last `lost` frames of its log: they were not written yet."""
    while True:
        stamp = store.stat().st_mtime_ns
        for source, target in zip(files_of(store), files_of(to), strict=True):
            shutil.copy(source, target)
        if stamp == store.stat().st_mtime_ns:  # not copied across a checkpoint
            break
    log = files_of(to)[1]
    with log.open("r+b") as file:
        file.truncate(max(0, log.stat().st_size - int(lost * FRAME)))
    return to


class AnyOrder(RuleBasedStateMachine):
    """`number` samples are in the seeds; `store` is the file that the next start takes."""

    expected: dict[str, dict[str, Any]] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="evolgraph-"))
        self.samples = seeds(self.folder)
        self.loop = asyncio.Runner()
        self.model = self.loop.run(started())
        if AnyOrder.expected is None:
            self.store, self.number = self.folder / "undisturbed.db", MOST
            self.loop.run(self.run())
            AnyOrder.expected = {record["id"]: record for record in records(self.store)}
            assert len(AnyOrder.expected) == MOST
        self.store, self.number, self.kills = self.folder / "run.db", 3, 0

    def teardown(self) -> None:
        try:
            self.loop.run(self.run())
            self.goes_on_soundly()
            assert [record["id"] for record in records(self.store)] == [
                sample.id for sample in self.samples[: self.number]
            ]
            assert query(self.store, "SELECT count(*), count(DISTINCT sample) FROM settled") == [
                (self.number, self.number)
            ]
            self.loop.run(self.run())
            assert not self.model.asked, "everything is settled"
        finally:
            self.loop.run(self.model.runner.cleanup())
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(more=st.integers(1, 3))
    def add(self, more: int) -> None:
        self.number = min(self.number + more, MOST)

    @rule(calls=st.integers(1, 12), ticks=st.integers(0, 4))
    def step(self, calls: int, ticks: int) -> None:
        """Runs until a call is under way, then leaves."""
        self.loop.run(self.run(calls, ticks))

    @rule(calls=st.integers(1, 12))
    def stop(self, calls: int) -> None:
        """Runs until a call is under way, then is asked to stop, for which that call has a moment."""
        self.loop.run(self.run(calls, stopping=True))

    @rule(calls=st.integers(1, 12), ticks=st.integers(0, 20), lost=st.floats(0, 40) | st.integers(0, 500))
    def kill(self, calls: int, ticks: int, lost: float) -> None:
        self.kills += 1
        self.loop.run(self.run(calls, ticks, copy=self.folder / f"run-{self.kills}.db", lost=lost))

    @rule()
    def read(self) -> None:
        """Whatever was written can be read, and what is settled is what an undisturbed run settles."""
        if not is_readable(self.store):
            return
        with reading(self.store) as db:
            run = newest_run(db)
            assert len(traces.runs(db)) == bool(run)
            for line in listed(db, run.id, limit=-1).samples if run else ():
                found = traces.trace(db, run.id, line.sample) if run else None
                assert found
                assert found.id == line.sample
                assert (found.settled is None) == (line.status == "pending")
        assert self.expected
        for record in records(self.store):
            assert record == self.expected[record["id"]]

    @invariant()
    def goes_on_soundly(self) -> None:
        if is_readable(self.store):
            assert list(map(str, examine(self.store))) == []

    async def run(
        self, calls: int | None = None, ticks: int = 0, *, stopping: bool = False, copy: Path | None = None,
        lost: float = 0,
    ) -> None:  # fmt: skip
        """One start: to the end, or until the model holds back its request number `calls`."""
        before = committed(self.store)
        self.model.begin(calls)
        given = self.samples[: self.number]
        run = evolve(given, store=self.store, images=self.folder, endpoints=[self.model.endpoint], settings=SETTINGS)
        async with run, asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(taken(run))
            held = tasks.create_task(self.model.held.wait())
            await asyncio.wait([taking, held], return_when=asyncio.FIRST_COMPLETED)
            for _ in range(ticks):
                await asyncio.sleep(0)
            if copy:
                killed(self.store, copy, lost)
            if stopping and not taking.done():
                run.stop("told to", grace=0.02)
                await taking
            taking.cancel()
            held.cancel()
        assert not before & {*self.model.asked}, "a committed reply was asked for again"
        repeats = [seed for seed, times in Counter(self.model.asked).items() if times > 1]
        assert not repeats, "one start asks nothing twice"
        self.store = copy or self.store


async def started() -> Model:
    model = Model()
    await model.serve()
    return model


async def taken(run: Any) -> None:
    async for _ in run:
        pass


def explored(examples: int, steps: int, *, derandomize: bool = False) -> None:
    AnyOrder.expected = None
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=checks,
            derandomize=derandomize,
        ),
    )


@pytest.mark.slow
def test_any_order_keeps_the_store_sound() -> None:
    explored(8, 6, derandomize=True)


@pytest.mark.faults
def test_any_long_order_keeps_the_store_sound() -> None:
    explored(500, 12)
