"""Totals of samples follow what happens to them, in old stores too."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.connections import open_for_writing, reading
from evolgraph.store.ledger import Ledger
from evolgraph.store.listing import Filter, Order, choices, counted, listed
from evolgraph.store.store import Store

from .conftest import call, settled

Written = list[dict[str, list[dict[str, Any]]]]


def lines(path: Path) -> dict[str, tuple[Any, ...]]:
    with reading(path) as db:
        return {
            one.sample: (one.status, one.rounds, one.accepted, one.rejected, one.directions, one.calls)
            for one in listed(db, "r").samples
        }


def sums(path: Path) -> tuple[list[Any], list[Any]]:
    with reading(path) as db:
        return (
            db.execute("SELECT round, direction, code, ruled, pairs FROM verdict_totals").fetchall(),
            db.execute(
                "SELECT second, kind, calls, prompt_tokens, cached_tokens, completion_tokens FROM call_totals"
                " WHERE calls"
            ).fetchall(),
        )


def counted_by_hand(path: Path) -> tuple[list[Any], list[Any]]:
    with reading(path) as db:
        return (
            db.execute(
                "SELECT round, direction, code, accepted, count(*) FROM verdicts GROUP BY 1, 2, 3, 4"
            ).fetchall(),
            db.execute(
                "SELECT ended_ns / 1000000000, kind, count(*), sum(prompt_tokens), sum(cached_tokens),"
                " sum(completion_tokens) FROM calls GROUP BY 1, 2"
            ).fetchall(),
        )


CHOICES = {
    "direction": ["perception", "reasoning"],
    "code": ["not-correct"],
    "agent": ["perception"],
    "endpoint": ["http://127.0.0.1:1"],
    "error": [],
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
        assert [one.sample for one in listed(db, "r", order=Order("after", descending=True)).samples] == ["a", "b", "c"]
        assert choices(db, "r") == CHOICES


@pytest.mark.parametrize(
    ("wanted", "order", "offset", "expected"),
    [
        (Filter(), Order(), 0, (3, ["a", "b"])),
        (Filter(), Order(descending=True), 0, (3, ["c", "b"])),
        (Filter(), Order(), 2, (3, ["c"])),
        (Filter(), Order(), 4, (3, [])),
        (Filter(text="CAPTION OF B"), Order(), 0, (1, ["b"])),
        (Filter(direction="reasoning"), Order("rounds", descending=True), 0, (3, ["b", "a"])),
        (Filter(direction="reasoning"), Order("rounds", descending=True), 2, (3, ["c"])),
        (Filter(verdict="rejected"), Order(), 1, (1, [])),
        (Filter(text="nothing"), Order(), 0, (0, [])),
    ],
)
async def test_a_page_is_told_how_many_there_are(
    tmp_path: Path, written: Written, wanted: Filter, order: Order, offset: int, expected: tuple[int, list[str]]
) -> None:
    await fill(tmp_path / "run.db", written)
    with reading(tmp_path / "run.db") as db:
        count, page = listed(db, "r", wanted, order, limit=2, offset=offset)
    assert (count, [one.sample for one in page]) == expected


async def test_a_sample_without_a_caption_is_found_by_what_its_seed_asked(tmp_path: Path, written: Written) -> None:
    await fill(tmp_path / "run.db", written)
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute("UPDATE sample_totals SET caption = '' WHERE sample = 'b'")
        key = ("r", "b", 0, 1, "z", "seed", '{"id": "z", "question": "Is it Raining?"}')
        db.execute(
            "INSERT INTO generations (run, sample, round, take, qa, outcome, content) VALUES (?,?,?,?,?,?,?)", key
        )
    db.close()
    with reading(tmp_path / "run.db") as db:
        assert [one.sample for one in listed(db, "r", Filter(text="raining")).samples] == ["b"]
        assert listed(db, "r", Filter(text="question")).total == 0


async def test_sums_count_every_row_once(tmp_path: Path, written: Written) -> None:
    path, late = tmp_path / "run.db", 3 * 10**9
    async with Store.open(path) as store:
        for rows in [*written, *written]:  # what is written twice is kept once
            await store.writer.insert(rows)
        ledger, usage = Ledger(store, "r"), {"prompt_tokens": 7, "completion_tokens": 2}
        await ledger.record(call("a", 1))
        await ledger.record(call("a", 1, kind="timeout", usage=usage, ended_ns=late))  # it keeps its first reply
        await ledger.record(call("a", 2, kind="timeout", http_status=None, usage=None))
        await ledger.record(call("b", 3, kind="timeout", http_status=None, usage=None))
        assert sums(path)[1] == counted_by_hand(path)[1]
        await ledger.record(call("a", 2, usage=usage, ended_ns=late))  # a failure gives way to it
    assert sums(path) == counted_by_hand(path)
    assert sums(path)[1] == [(0, "ok", 1, 100, None, 20), (0, "timeout", 1, None, None, None), (3, "ok", 1, 7, None, 2)]


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
            DROP TRIGGER totals_of_verdicts; DROP TRIGGER totals_of_calls; DROP TRIGGER totals_of_calls_mended;
            DROP VIEW v_sample_totals; DROP TABLE sample_totals; DROP INDEX calls_that_failed;
            DROP TABLE verdict_totals; DROP TABLE call_totals; DROP TABLE choices;
            ALTER TABLE sessions DROP COLUMN images;
            DELETE FROM _sqlite_migrations WHERE name IN ('m0011_sample_totals', 'm0013_totals');
        """)
    db.close()
    open_for_writing(path).close()
    assert lines(path) == EXPECTED
    assert sums(path) == counted_by_hand(path)
    with reading(path) as db:
        assert choices(db, "r") == CHOICES
