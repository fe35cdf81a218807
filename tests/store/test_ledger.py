import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.ledger import Ledger
from evolgraph.store.parts import assembled, dismantled
from evolgraph.store.store import Store
from evolgraph.store.traces import trace

from .conftest import call, seed, settled


async def test_a_recorded_reply_is_found_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    made = call("a")
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        assert await ledger.find(made["key"]) is None
        await ledger.record(made)
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT text FROM calls").fetchall() == [(made["text"],)]
        db.close()
    async with Store.open(path) as store:
        found = await Ledger(store, "r").find(made["key"])
        assert await Ledger(store, "r").find("another key") is None
        assert await Ledger(store, "another run").find(made["key"]) is None
    assert found is not None
    assert {**found} == {name: value for name, value in made.items() if name not in ("messages", "maybe_billed")}


async def test_the_first_reply_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        await ledger.record(call("a", text="first"))
        await ledger.record(call("a", text="second"))
    with reading(path) as db:
        assert db.execute("SELECT text FROM calls").fetchall() == [("first",)]


async def test_a_failure_without_a_reply_gives_way_to_a_reply(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        for status in (None, 503):
            await ledger.record(call("a", text=None, kind="server", http_status=status, maybe_billed=1))
        await ledger.record(call("a"))
        await ledger.record(call("a", text=None, kind="server", http_status=503))
    with reading(path) as db:
        assert db.execute("SELECT kind, http_status, text FROM calls").fetchall() == [("ok", 200, call("a")["text"])]


async def test_the_calls_of_settled_samples_are_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        await ledger.record(call("done"))
        await ledger.record(call("open"))
        await store.writer.insert({**seed("done", 0), **settled("done", "reached", 1, 8.0)})
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        assert await ledger.find("done-1-key") is None
        assert await ledger.find("open-1-key") is not None


async def test_texts_are_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        for number in range(50):
            await ledger.record(call("a", number))
    with reading(path) as db:
        shared = "SELECT count(*) FROM parts WHERE text LIKE 'You evolve%'"
        assert db.execute(shared).fetchone() == (1,)
        found = trace(db, "r", "a")
    assert found is None  # the sample's own row comes with its first checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        'a NUL \0 in {"id":"q1"}',
        "#not a hash",
        "short",
        "long " * 500,
        '[{"id":"q1","a":{"b":[1]}},\n{"id":"q2"}]\n```\n' * 3,
        'braces { in } "strings" ,"proposed_boxes":[]}},"evolved":{"id":"#x"}]\n',
    ],
)
def test_texts_are_put_together_as_they_were(text: str) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "parts": [{"type": "text", "text": text}, {"type": "image", "path": "a", "sha256": "b"}]},
        {"role": "assistant", "parts": [{"type": "text", "text": text}, {"type": "text", "text": text}]},
    ]
    outline, texts = dismantled(messages)
    assert assembled(outline, texts) == messages
    if texts:
        with pytest.raises(StoreError, match="missing"):
            assembled(outline, {})


BEGUN = {"sample": "a", "key": "a-1-key", "round": 1, "agent": "perception", "step": 0, "take": 0, "model": "m"}


async def test_a_call_that_was_cut_off_is_on_record_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        Ledger(store, "r").begin(BEGUN)
    for _ in range(2):  # killed twice while it was under way
        async with Store.open(path) as store:
            ledger = Ledger(store, "r")
            await ledger.cut_off()
            found = await ledger.find("a-1-key")
            assert found and (found["kind"], found["text"]) == ("cut-off", None)
            ledger.begin(BEGUN)
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        await ledger.cut_off()
        await ledger.record(call("a", attempts=2, maybe_billed=1))
        await ledger.cut_off()
    with reading(path) as db:
        assert db.execute("SELECT kind, attempts, maybe_billed FROM calls").fetchall() == [("ok", 5, 4)]
        assert db.execute("SELECT count(*) FROM sending").fetchone() == (0,)


async def test_a_call_whose_end_is_on_record_was_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        ledger = Ledger(store, "r")
        ledger.begin(BEGUN)
        await ledger.record(call("a"))
        await ledger.cut_off()
    with reading(path) as db:
        assert db.execute("SELECT kind, attempts, maybe_billed FROM calls").fetchall() == [("ok", 1, 0)]


async def test_a_note_that_cannot_be_written_is_told_by_the_next_write(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        store.writer.post([("INSERT INTO nowhere VALUES (1)", ())])
        while store.writer.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        with pytest.raises(StoreError, match="nowhere"):
            await store.writer.write([("DELETE FROM sending", ())])
