"""The rows that follow from a sample's states, and how they lie in a store."""

from pathlib import Path
from typing import Any

import pytest
from evolgraph.graph.state import OUTBOX, initial, rows
from evolgraph.store.checkpoints import Saver
from evolgraph.store.connections import reading
from evolgraph.store.runs import create_run
from evolgraph.store.store import Store

from ..conftest import make_sample
from .conftest import Row, Rules, graph_of, play


def keyed(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    names = {
        "samples": ("run", "id"),
        "decisions": ("run", "sample", "round"),
        "rewards": ("run", "sample", "round"),
        "verdicts": ("run", "sample", "round", "qa"),
        "generations": ("run", "sample", "round", "qa"),
        "spans": ("run", "sample", "id"),
        "settled": ("run", "sample"),
    }
    return tuple(row[name] for name in names[table])


def collected(states: list[Any]) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """All rows of all states; a row that comes again must be the same row."""
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for state in states:
        for table, given in rows("run1/table", state).items():
            for row in given:
                found.setdefault(table, {}).setdefault(keyed(table, row), row)
    return found


def turn_down_q1(pair: Row, ask: Any) -> Row:
    return {"answerable": pair["id"] == "q0"}


async def test_rows_follow_from_the_states_of_a_sample() -> None:
    played = await play(Rules(judge=turn_down_q1), rounds=2)
    found = collected(played.states)
    assert {name: len(given) for name, given in found.items() if name != "spans"} == {
        "samples": 1, "decisions": 2, "rewards": 2, "verdicts": 4, "generations": 6, "settled": 1,
    }  # fmt: skip
    (sample,) = found["samples"].values()
    assert (sample["position"], sample["digest"]) == (0, make_sample().digest())
    outcomes = {key[2:]: row["outcome"] for key, row in found["generations"].items()}
    assert outcomes == {
        (0, "q0"): "seed", (0, "q1"): "seed", (1, "q0"): "accepted", (1, "q1"): "rejected",
        (2, "q0"): "accepted", (2, "q1"): "rejected",
    }  # fmt: skip
    parents = {key[2:]: row["parent_round"] for key, row in found["generations"].items()}
    assert (parents[2, "q0"], parents[2, "q1"], parents[0, "q0"]) == (1, 0, None)
    (settled,) = found["settled"].values()
    assert (settled["status"], settled["rounds"], settled["reason"]) == ("exhausted", 2, "2 rounds used")
    assert (settled["complexity_before"], settled["complexity_after"]) == (3, (5 + 3) / 2)
    assert settled["heads"] == [head | {"qa": head["qa"]["id"]} for head in played.final["heads"]]
    assert {row["kind"] for row in found["spans"].values()} == {"route", "agent", "screen", "judge"}


async def test_a_sample_is_settled_by_its_last_state_alone() -> None:
    played = await play(rounds=2)
    assert ["settled" in rows("run1/table", state) for state in played.states] == [False] * (len(played.states) - 1) + [
        True
    ]


def test_a_state_that_holds_no_sample_yet_has_no_rows() -> None:
    assert rows("run1/table", {}) == {}
    assert rows("run1/table", initial(make_sample(), 7))["samples"][0]["position"] == 7


async def stored(path: Path, *samples: str, model: Rules, **settings: Any) -> None:
    async with Store.open(path) as store:
        await create_run(store, "run1", {}, 0)
        graph = graph_of(model, checkpointer=Saver(store, rows, passing=OUTBOX), **settings)
        for position, name in enumerate(samples):
            config = {"configurable": {"thread_id": f"run1/{name}"}, "recursion_limit": 64}
            await graph.ainvoke(initial(make_sample(name), position), config, durability="sync")


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with reading(path) as db:
        return db.execute(sql).fetchall()


async def test_the_rows_lie_in_the_store_once_each(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    await stored(path, "a", "b", model=Rules(judge=turn_down_q1), rounds=2)
    counts = {
        table: query(path, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("samples", "decisions", "rewards", "verdicts", "generations", "settled")
    }
    assert counts == {"samples": 2, "decisions": 4, "rewards": 4, "verdicts": 8, "generations": 12, "settled": 2}
    assert query(path, "SELECT DISTINCT status, rounds FROM settled") == [("exhausted", 2)]
    assert query(path, "SELECT accepted, code, count(*) FROM verdicts GROUP BY 1, 2 ORDER BY 1") == [
        (0, "not-answerable", 4), (1, "accepted", 4)
    ]  # fmt: skip
    (total,) = query(path, "SELECT sum(value) FROM decisions, json_each(probabilities)")[0]
    assert total == pytest.approx(4)
    orphans = "SELECT count(*) FROM rewards r LEFT JOIN decisions d USING (run, sample, round) WHERE d.run IS NULL"
    assert query(path, orphans) == [(0,)]


async def test_a_failed_sample_is_settled_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    await stored(path, "a", model=Rules(fail=lambda ask: "unreachable"), rounds=2)
    assert query(path, "SELECT status, reason FROM settled") == [("failed", "unreachable: as the script says")]
    assert query(path, "SELECT stage, code, accepted FROM verdicts") == [("agent", "unreachable", 0)] * 2
