"""Stores of one run made into one: everything of every store, sound, and refused where it cannot be."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from evolgraph.graph.feed import Batch
from evolgraph.graph.run import Evolution
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample
from evolgraph.store.check import examine
from evolgraph.store.errors import StoreError
from evolgraph.store.folder import as_one, shard_path
from evolgraph.store.merging import merge

from ..toy import SETTINGS, Model, query, records, seeds, toy

COUNTED = ("samples", "settled", "calls", "spans", "decisions", "rewards", "verdicts", "generations", "sample_totals")


class Part:
    """Some of the seeds with their places, as a coordinator hands them out."""

    def __init__(self, rows: Sequence[tuple[int, Sample]], folder: Path) -> None:
        self.images = ImageRoot(folder)
        self._rows = rows
        self.expected = len(rows)
        self.whole = False

    async def begin(self) -> None:
        pass

    async def batches(self) -> AsyncIterator[Batch]:
        yield [*self._rows]


async def evolved(model: Model, store: Path, rows: Sequence[tuple[int, Sample]], name: str = "one") -> None:
    feed = Part(rows, store.parent)
    run = Evolution(
        feed, store, endpoints=[model.endpoint], models={}, settings=SETTINGS, resume=True, name=name
    )  # fmt: skip
    async with run:
        async for _ in run:
            pass


async def left(folder: Path) -> None:
    rows = [*enumerate(seeds(folder))]
    async with toy() as model:
        await evolved(model, folder / "whole.db", rows)
        await evolved(model, shard_path(folder, 0), rows[::2])
        await evolved(model, shard_path(folder, 1), rows[1::2])
        await evolved(model, folder / "another.db", rows[:1], name="two")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    asyncio.run(left(folder))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Two shards, and beside them the store `whole.db` of a run by nobody else."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_two_stores_make_the_one_that_nobody_shared(folder: Path) -> None:
    parts, output = [shard_path(folder, 0), shard_path(folder, 1)], folder / "run.db"
    assert merge(parts, output) == 6
    assert list(map(str, examine(output))) == []
    assert records(output) == records(folder / "whole.db")
    for table in COUNTED:
        count = f"SELECT count(*) FROM {table}"
        assert query(output, count) == query(folder / "whole.db", count), table
    pairs = "SELECT * FROM verdict_totals ORDER BY 1, 2, 3, 4, 5"
    assert query(output, pairs) == query(folder / "whole.db", pairs)
    assert query(output, "SELECT sum(calls) FROM call_totals") == query(output, "SELECT count(*) FROM calls")
    triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY 1"
    assert query(output, triggers) == query(folder / "whole.db", triggers)
    with pytest.raises(StoreError, match="there is a store already"):
        merge(parts, output)


def test_what_is_not_of_one_run_or_there_twice_is_refused(folder: Path) -> None:
    first = shard_path(folder, 0)
    with pytest.raises(StoreError, match=r"another\.db: its run two is not that of the other stores"):
        merge([first, folder / "another.db"], folder / "run.db")
    with pytest.raises(StoreError, match=r"whole\.db: the sample sample-0 is in another store too"):
        merge([first, folder / "whole.db"], folder / "run.db")
    assert not (folder / "run.db").exists()


def test_a_folder_is_merged_again_only_when_a_store_changed(folder: Path) -> None:
    assert as_one(folder / "whole.db") == folder / "whole.db"
    merged = as_one(folder)
    first = merged.stat().st_ino
    assert as_one(folder).stat().st_ino == first
    assert len(records(merged)) == 6
    shard_path(folder, 1).unlink()
    assert len(records(as_one(folder))) == 3
    with pytest.raises(StoreError, match="no stores in this folder"):
        (folder / "empty").mkdir()
        as_one(folder / "empty")
