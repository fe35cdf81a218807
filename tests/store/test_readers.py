import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.ledger import Ledger
from evolgraph.store.lineage import rewarded, settled_records
from evolgraph.store.listing import Filter, listed
from evolgraph.store.runs import standing
from evolgraph.store.store import Store
from evolgraph.store.traces import rejection_reasons, runs, totals, trace

from .conftest import call, decision, round_, seed, settled


@pytest.fixture
async def store(tmp_path: Path, written: list[Any]) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "run.db") as opened:
        for rows in written:
            await opened.writer.insert(rows)
        yield opened


async def test_runs_are_listed_with_their_counts(store: Store) -> None:
    with reading(store.path) as db:
        (run,) = runs(db)
    assert (run.id, run.seed, run.samples, run.settled, run.sessions) == ("r", 7, 3, 2, 1)
    assert run.fingerprint == {"policy": "uniform"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["a", "b", "c"]),
        ({"status": "reached"}, ["a"]),
        ({"status": "pending"}, ["c"]),
        ({"direction": "reasoning"}, ["a", "b", "c"]),
        ({"direction": "perception"}, ["b"]),
        ({"code": "not-correct"}, ["b"]),
        ({"code": "not-correct", "status": "reached"}, []),
        ({"limit": 1, "offset": 1}, ["b"]),
        ({"limit": -1}, ["a", "b", "c"]),
    ],
)
async def test_samples_are_listed_in_seed_order_and_filtered(
    store: Store, filters: dict[str, Any], expected: list[str]
) -> None:
    with reading(store.path) as db:
        limits = {name: filters[name] for name in filters if name in ("limit", "offset")}
        wanted = Filter(**{name: filters[name] for name in filters if name not in limits})
        assert [line.sample for line in listed(db, "r", wanted, **limits).samples] == expected


async def test_a_sample_line_tells_its_way(store: Store) -> None:
    with reading(store.path) as db:
        line = listed(db, "r").samples[1]
    assert line.directions == ["perception", "reasoning"]
    assert (line.status, line.rounds, line.accepted, line.rejected) == ("exhausted", 2, 1, 1)
    assert (line.complexity_before, line.complexity_after) == (3.0, 5.0)


async def test_a_trace_holds_everything_of_its_sample(store: Store) -> None:
    ledger = Ledger(store, "r")
    asked = [call("b", 1), call("b", 2), call("a", 1)]
    for one in asked:
        await ledger.record(one)
    span = {"run": "r", "sample": "b", "round": 1, "id": "1/perception", "parent": "1/route", "name": "perception"}
    await store.writer.insert({"spans": [span | {"kind": "agent", "started_ns": 0, "ended_ns": 7}]})
    with reading(store.path) as db:
        found = trace(db, "r", "b")
        assert trace(db, "r", "nobody") is None
    assert found is not None
    assert found.settled is not None
    assert found.sample["caption"] == "caption of b"
    assert [one.direction for one in found.lineage.decisions] == ["perception", "reasoning"]
    assert found.lineage.decisions[0].probabilities == {"perception": 0.5, "reasoning": 0.5}
    assert [one.accepted for one in found.lineage.verdicts] == [False, True]
    assert found.lineage.generations[0].content["question"] == "seed of b"
    assert [one.messages for one in found.calls] == [asked[0]["messages"], asked[1]["messages"]]
    assert [(one.id, one.kind) for one in found.spans] == [
        ("1/perception", "agent"),
        ("1/perception/0", "call"),
        ("2/perception/0", "call"),
    ]
    assert found.spans[1].parent == "1/perception"
    assert found.spans[1].attributes["gen_ai.usage.input_tokens"] == 100


async def test_settled_records_come_in_seed_order_with_their_history(store: Store) -> None:
    with reading(store.path) as db:
        first, second = settled_records(db, "r")
    assert (first["id"], first["image"], first["status"]) == ("a", "a-0.png", "reached")
    assert second["image"] == ["b-0.png", "b-1.png"]
    assert [qa["question"] for qa in second["qas"]] == ["seed of b"]
    past = second["history"]
    assert [(one["round"], one["direction"], one["propensity"]) for one in past] == [
        (1, "perception", 0.5),
        (2, "reasoning", 0.5),
    ]
    assert [one["verdicts"][0]["accepted"] for one in past] == [False, True]
    assert [one["verdicts"][0]["code"] for one in past] == ["not-correct", "accepted"]
    assert [one["qas"][0]["question"] for one in past] == ["b after round 1, take 0", "b after round 2, take 0"]


async def test_many_records_are_read_page_by_page(store: Store) -> None:
    names = [f"s{number}" for number in range(3, 453)]
    for position, name in enumerate(reversed(names)):
        rows = {**seed(name, 452 - position), **settled(name, "stalled", 0, None)}
        await store.writer.insert(rows)
    with reading(store.path) as db:
        assert [record["id"] for record in settled_records(db, "r")] == ["a", "b", *names]


async def test_totals_and_reasons(store: Store) -> None:
    ledger = Ledger(store, "r")
    await ledger.record(call("a"))
    await ledger.record(call("b"))
    with reading(store.path) as db:
        found = totals(db, "r")
        assert rejection_reasons(db, "r") == [("not-correct", 1, "why")]
    assert found.statuses == {"reached": 1, "exhausted": 1, "pending": 1}
    assert (found.accepted, found.rejected) == (2, 1)
    assert found.directions == {"perception": 1, "reasoning": 2}, "the pending sample's round has not ended"
    assert (found.calls, found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (2, 200, None, 40)
    assert (found.complexity_before, found.complexity_after) == (3.0, 6.5)


async def test_rewards_come_in_the_order_of_their_commits(store: Store) -> None:
    with reading(store.path) as db:
        met = [(one.sample, one.round, one.direction, prize.reward) for one, prize in rewarded(db, "r")]
    assert met == [("b", 1, "perception", 0.2), ("a", 1, "reasoning", 0.2), ("b", 2, "reasoning", 0.2)]


async def test_a_retried_sample_is_pending_until_its_new_take_settles(store: Store) -> None:
    retry = {"run": "r", "sample": "b", "take": 1, "since_ns": 20}
    await store.writer.insert({"retries": [retry]})
    with reading(store.path) as db:
        assert standing(db, "r").settled == {"a": "reached"}
        assert [record["id"] for record in settled_records(db, "r")] == ["a"]
    again = {**round_("b", 2, "reasoning", accepted=False, take=1), **settled("b", "stalled", 2, 3.0, take=1)}
    await store.writer.insert(again)
    with reading(store.path) as db:
        assert standing(db, "r").settled == {"a": "reached", "b": "stalled"}
        record = [*settled_records(db, "r")][1]
    assert record["status"] == "stalled"
    assert record["history"][1]["qas"][0]["question"] == "b after round 2, take 1"


async def test_the_views_for_people_can_be_read(store: Store) -> None:
    ledger = Ledger(store, "r")
    asked = call("b")
    await ledger.record(asked)
    with reading(store.path) as db:
        db.row_factory = sqlite3.Row
        views = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
        assert {"v_pairs", "v_samples", "v_settled", "v_calls", "v_spans", "v_decisions", "v_prompts"} <= {*views}
        rows = {view: [dict(row) for row in db.execute(f"SELECT * FROM {view}")] for view in views}
    assert all(rows.values())
    pair = next(row for row in rows["v_pairs"] if row["sample"] == "b" and row["round"] == 1)
    assert (pair["question_before"], pair["question_after"]) == ("seed of b", "b after round 1, take 0")
    way = {row["sample"]: (row["directions"], row["gain"], row["caption"]) for row in rows["v_samples"]}
    assert way["b"] == ("perception > reasoning", 2.0, "caption of b")
    said = [row["text"].strip() for row in rows["v_prompts"]]
    assert said == ["".join(part.get("text", "") for part in turn["parts"]).strip() for turn in asked["messages"]]


async def test_damaged_json_is_named(store: Store) -> None:
    await store.writer.write([("UPDATE decisions SET features = '{' WHERE sample = 'b'", ())])
    with reading(store.path) as db, pytest.raises(StoreError, match="decisions") as caught:
        trace(db, "r", "b")
    assert caught.value.kind == "corrupt"


async def test_standing_tells_begun_from_settled(store: Store) -> None:
    begun = await store.read(lambda db: standing(db, "r"))
    assert begun.settled == {"a": "reached", "b": "exhausted"}
    assert begun.digests == {"a": "d", "b": "d", "c": "d"}


async def test_readers_page_while_the_run_goes_on(store: Store) -> None:
    async def go_on() -> None:
        for number in range(50):
            name = f"t{number}"
            rows = {**seed(name, 10 + number), "decisions": [decision(name, 1, "reasoning")]}
            await store.writer.insert({**rows, **settled(name, "reached", 1, 8.0)})

    def read() -> list[str]:
        with reading(store.path) as db:
            return [record["id"] for record in settled_records(db, "r")]

    going = asyncio.create_task(go_on())
    counts = []
    while not going.done():
        counts.append(len(await asyncio.to_thread(read)))
    await going
    assert counts == sorted(counts)
    assert len(read()) == 52
