"""SIGKILL on each side of every commit (FAULTS F25, F26, F33): nothing lost, nothing settled or paid twice."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.check import examine

from ..toy import MOST, SETTINGS, committed, is_readable, query, records
from .starts import KILLED, Forks, Starts, names, starts

SIDES = ("before", "after")
QUICK, MANY = 1, 50
COMMITS = {"put": 12, "reply": 12, "transaction": 12, "put_writes": 24}
"""The points, and the most times that they are passed before the kill."""
EXTRA: dict[str, dict[str, Any]] = {"put_writes": {"checkpoints": "all"}}
"""By default nothing is committed there."""


@dataclass
class Killed:
    """Runs that are killed until they are done; every look at the store in between finds it sound."""

    starts: Starts
    expected: list[dict[str, Any]]
    kills: int = 0
    runs: int = 0
    asked: set[int] = field(default_factory=set)

    @property
    def store(self) -> Path:
        return self.starts.folder / f"killed-{self.runs}.db"

    async def until(self, kills: int, point: str, side: str, rng: random.Random) -> None:
        """More and more `kills`; whenever a run is done before its kill, the next one is begun."""
        while self.kills < kills:
            count = rng.randint(1, COMMITS[point])
            await self.one(point=point, side=side, count=count, **EXTRA.get(point, {}))

    async def done(self) -> None:
        runs = self.runs
        await self.one()
        assert self.runs == runs + 1

    async def one(self, **order: Any) -> None:
        """One start, which is killed or comes to its end."""
        before = committed(self.store)
        ended = await self.starts.start(self.store, **order)
        now = self.starts.model.asked
        assert not before & {*now}, "a committed reply was asked for again"
        assert len(now) == len({*now}), "one start asks nothing twice"
        assert len({*now} & self.asked) <= SETTINGS.concurrency, "more was repeated than was in flight"
        self.asked |= {*now}
        if is_readable(self.store):
            assert list(map(str, examine(self.store))) == []
        if ended.code == KILLED:
            self.kills += 1
            return
        assert (ended.code, ended.error) == (0, "")
        assert records(self.store) == self.expected
        assert query(self.store, "SELECT count(*), count(DISTINCT sample) FROM settled") == [(MOST, MOST)]
        self.asked.clear()
        self.runs += 1


async def undisturbed(at: Starts) -> list[dict[str, Any]]:
    store = at.folder / "undisturbed.db"
    assert (await at.start(store)).code == 0
    found = records(store)
    assert len(found) == MOST
    return found


@pytest.mark.slow
async def test_a_kill_beside_a_commit_loses_and_repeats_nothing(forks: Forks, tmp_path: Path) -> None:
    """F25: each side of each commit, a few times."""
    async with starts(forks, tmp_path) as at:
        killed = Killed(at, await undisturbed(at))
        for point in ("put", "reply", "transaction"):
            for side in SIDES:
                await killed.until(killed.kills + QUICK, point, side, random.Random(point))
        await killed.done()


@pytest.mark.faults
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("point", COMMITS)
async def test_many_kills_beside_a_commit_lose_and_repeat_nothing(
    forks: Forks, tmp_path: Path, point: str, side: str
) -> None:
    """F25: fifty kills on each side."""
    async with starts(forks, tmp_path) as at:
        killed = Killed(at, await undisturbed(at))
        await killed.until(MANY, point, side, random.Random(f"{point} {side}"))
        await killed.done()


EARLY = [(point, side) for point in ("transaction", "run", "session", "put") for side in SIDES]


@pytest.mark.slow
@pytest.mark.parametrize(
    "points", [[("run", "after"), ("put", "before")], pytest.param(EARLY, marks=pytest.mark.faults)]
)
async def test_a_kill_before_the_first_checkpoint_runs_the_sample_again(
    forks: Forks, tmp_path: Path, points: list[tuple[str, str]]
) -> None:
    """F26."""
    async with starts(forks, tmp_path) as at:
        expected = await undisturbed(at)
        for point, side in points:
            store = tmp_path / f"{point}-{side}.db"
            assert (await at.start(store, point=point, side=side)).code == KILLED
            assert at.model.asked == []
            assert (await at.start(store)).code == 0
            assert records(store) == expected


@pytest.mark.slow
async def test_a_kill_while_the_results_are_written_leaves_whole_lines(forks: Forks, tmp_path: Path) -> None:
    """F33: the old file stays until the new one is whole, and what a kill leaves is not taken for results."""
    async with starts(forks, tmp_path) as at:
        store, out = tmp_path / "run.db", tmp_path / "out.jsonl"
        expected = await undisturbed(at)
        for point, side, count in [
            ("line", "before", 1), ("line", "after", 3), ("line", "after", MOST), ("rename", "before", 1)
        ]:  # fmt: skip
            assert (await at.start(store, out=str(out), point=point, side=side, count=count)).code == KILLED
            assert not out.exists()
        assert (await at.start(store, out=str(out))).code == 0
        whole = out.read_bytes()
        assert [json.loads(line) for line in whole.splitlines()] == expected
        for point, side in [("line", "after"), ("rename", "before"), ("rename", "after")]:
            out.write_bytes(b'{"old": 1}\n' + whole)
            before = out.read_bytes()
            assert (await at.start(store, out=str(out), point=point, side=side)).code == KILLED
            assert out.read_bytes() == (whole if (point, side) == ("rename", "after") else before)
        assert [name for name in names(tmp_path) if name.endswith(".jsonl")] == ["out.jsonl"]
