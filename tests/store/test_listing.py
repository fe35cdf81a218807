"""Totals of samples follow what happens to them, in old stores too."""

import sqlite3
from pathlib import Path
from typing import Any

from evolgraph.store import migrations
from evolgraph.store.connections import open_for_writing, reading
from evolgraph.store.ledger import Ledger
from evolgraph.store.listing import Filter, Order, counted, listed
from evolgraph.store.store import Store

from .conftest import call, settled

Written = list[dict[str, list[dict[str, Any]]]]


def lines(path: Path) -> dict[str, tuple[Any, ...]]:
    with reading(path) as db:
        return {
            one.sample: (one.status, one.rounds, one.accepted, one.rejected, one.directions, one.calls)
            for one in listed(db, "r")
        }


EXPECTED = {
    "a": ("reached", 1, 1, 0, ["reasoning"], 0),
    "b": ("exhausted", 2, 1, 1, ["perception", "reasoning"], 1),
    "c": ("pending", 1, 0, 0, ["reasoning"], 0),
}


async def fill(path: Path, written: Written) -> None:
    async with Store.open(path) as store:
        for number, rows in enumerate(written):
            if number == 2:
                await Ledger(store, "r").record(call("b"))
            await store.writer.insert(rows)


async def test_totals_follow_the_run(tmp_path: Path, written: Written) -> None:
    await fill(tmp_path / "run.db", written)
    assert lines(tmp_path / "run.db") == EXPECTED
    with reading(tmp_path / "run.db") as db:
        assert counted(db, "r", Filter(verdict="rejected", code="not-correct")) == 1
        assert [one.sample for one in listed(db, "r", order=Order("after", descending=True))] == ["a", "b", "c"]


async def test_a_sample_that_is_taken_up_again_is_pending_until_it_settles_again(
    tmp_path: Path, written: Written
) -> None:
    await fill(tmp_path / "run.db", written)
    async with Store.open(tmp_path / "run.db") as store:
        again = {"run": "r", "sample": "a", "take": 1, "reason": "failed", "since_ns": 1}
        await store.writer.insert({"retries": [again]})
        assert lines(tmp_path / "run.db")["a"][0] == "pending"
        await store.writer.insert(settled("a", "stalled", 3, 8.0, take=1))
        assert lines(tmp_path / "run.db")["a"][:2] == ("stalled", 3)


async def test_an_older_store_is_given_its_totals(tmp_path: Path, written: Written) -> None:
    path = tmp_path / "run.db"
    await fill(path, written)
    with sqlite3.connect(path) as db:
        db.executescript("""
            DROP TRIGGER totals_of_samples; DROP TRIGGER totals_of_settled; DROP TRIGGER totals_of_retries;
            DROP VIEW v_sample_totals; DROP TABLE sample_totals; DROP INDEX calls_by_time;
            ALTER TABLE sessions DROP COLUMN images;
            DELETE FROM _sqlite_migrations WHERE name = 'm0011_sample_totals';
        """)
    db.close()
    open_for_writing(path).close()
    assert migrations._NAMES
    assert lines(path) == EXPECTED
