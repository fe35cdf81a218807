import operator
import sqlite3
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from evolgraph.store.checkpoints import Saver
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.store import Store
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

THREAD: RunnableConfig = {"configurable": {"thread_id": "r/s0"}}


class State(TypedDict):
    round: int
    trail: Annotated[list[str], operator.add]
    status: str | None


class Colour(Enum):
    RED = "red"


class Interrupted(Exception):
    pass


class Walk:
    """Two rounds of agent and judge; `stop_at` makes the judge of that round fail once."""

    def __init__(self, stop_at: int = 0) -> None:
        self.stop_at = stop_at
        self.ran: list[str] = []

    async def agent(self, state: State) -> dict[str, Any]:
        self.ran.append(f"agent {state['round']}")
        return {"trail": [f"agent {state['round']}"]}

    async def judge(self, state: State) -> Command[Any]:
        self.ran.append(f"judge {state['round']}")
        if state["round"] == self.stop_at:
            self.stop_at = 0
            raise Interrupted
        done = state["round"] == 2
        update = {"trail": [f"judge {state['round']}"], "round": state["round"] + 1}
        return Command(goto=END if done else "agent", update={**update, "status": "reached" if done else None})

    def graph(self, saver: Saver) -> Any:
        builder = StateGraph(State)
        builder.add_node("agent", self.agent)
        builder.add_node("judge", self.judge, destinations=("agent", END))
        builder.add_edge(START, "agent")
        builder.add_edge("agent", "judge")
        return builder.compile(checkpointer=saver)


def projected(thread: str, values: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    run, sample = thread.split("/")
    if values.get("status") is None:
        return {}
    heads = {"run": run, "sample": sample, "rounds": values["round"] - 1, "heads": values["trail"]}
    return {"settled": [{**heads, "status": values["status"], "settled_ns": 1}]}


START_STATE: State = {"round": 1, "trail": [], "status": None}
TRAIL = ["agent 1", "judge 1", "agent 2", "judge 2"]


async def test_a_graph_that_fails_resumes_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    walk = Walk(stop_at=2)
    async with Store.open(path) as store:
        with pytest.raises(Interrupted):
            await walk.graph(Saver(store, projected)).ainvoke(START_STATE, THREAD, durability="sync")
    async with Store.open(path) as store:
        graph = walk.graph(Saver(store, projected))
        assert (await graph.aget_state(THREAD)).next == ("judge",)
        final = await graph.ainvoke(None, THREAD, durability="sync")
        assert final["trail"] == TRAIL
        assert walk.ran == ["agent 1", "judge 1", "agent 2", "judge 2", "judge 2"]
        assert (await graph.aget_state(THREAD)).values == final


async def test_a_kill_between_a_nodes_end_and_its_checkpoint_runs_the_node_again(tmp_path: Path) -> None:
    """What the newest-only default gives up, and that the outcome is the same."""
    path = tmp_path / "run.db"
    walk = Walk()

    class Cut(Saver):
        async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
            if metadata["step"] == 2:
                raise Interrupted
            return await super().aput(config, checkpoint, metadata, new_versions)

    async with Store.open(path) as store:
        with pytest.raises(Interrupted):
            await walk.graph(Cut(store, projected)).ainvoke(START_STATE, THREAD, durability="sync")
    async with Store.open(path) as store:
        final = await walk.graph(Saver(store, projected)).ainvoke(None, THREAD, durability="sync")
    assert final["trail"] == TRAIL
    assert walk.ran == ["agent 1", "judge 1", "judge 1", "agent 2", "judge 2"]


async def test_projected_rows_come_with_their_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        await Walk().graph(Saver(store, projected)).ainvoke(START_STATE, THREAD)
    with reading(path) as db:
        assert db.execute("SELECT run, sample, status, rounds FROM settled").fetchall() == [("r", "s0", "reached", 2)]


async def test_rows_that_cannot_be_stored_leave_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    bad = {"settled": [{"run": "r", "sample": "s0", "status": "lost", "rounds": 1, "heads": [], "settled_ns": 1}]}
    async with Store.open(path) as store:
        with pytest.raises(StoreError, match="CHECK"):
            await Walk().graph(Saver(store, lambda *_: bad)).ainvoke(START_STATE, THREAD, durability="sync")
        assert await Saver(store).aget_tuple(THREAD) is None


@pytest.mark.parametrize(("keep", "checkpoints"), [("latest", 1), ("all", 6)])
async def test_what_is_kept(tmp_path: Path, keep: Any, checkpoints: int) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        graph = Walk().graph(Saver(store, keep=keep))
        await graph.ainvoke(START_STATE, THREAD)
        history = [state async for state in graph.aget_state_history(THREAD)]
        assert len(history) == checkpoints
        assert history[0].values["trail"] == TRAIL
        assert [state async for state in graph.aget_state_history(THREAD, limit=1)] == history[:1]


async def test_a_restart_goes_on_from_the_last_resting_state(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    walk = Walk(stop_at=2)

    def judged(values: Mapping[str, Any]) -> bool:
        return bool(values.get("trail")) and values["trail"][-1].startswith("judge")

    async with Store.open(path) as store:
        with pytest.raises(Interrupted):
            await walk.graph(Saver(store, projected, resting=judged)).ainvoke(START_STATE, THREAD, durability="sync")
    async with Store.open(path) as store:
        graph = walk.graph(Saver(store, projected, resting=judged))
        assert (await graph.aget_state(THREAD)).next == ("agent",)
        final = await graph.ainvoke(None, THREAD, durability="sync")
    assert final["trail"] == TRAIL
    assert walk.ran == ["agent 1", "judge 1", "agent 2", "judge 2", "agent 2", "judge 2"]


async def test_with_all_kept_resting_does_not_matter(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        graph = Walk().graph(Saver(store, keep="all", resting=lambda _: False))
        await graph.ainvoke(START_STATE, THREAD)
        assert len([state async for state in graph.aget_state_history(THREAD)]) == 6


async def test_many_checkpoints_are_listed_page_by_page(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        saver = Saver(store)
        graph = Walk().graph(saver)
        for number in range(250):
            await graph.aupdate_state({"configurable": {"thread_id": f"r/s{number}"}}, START_STATE, as_node="agent")
        found = [one.config.get("configurable", {})["thread_id"] async for one in saver.alist(None)]
        assert found == [f"r/s{number}" for number in reversed(range(250))]


@pytest.mark.parametrize(
    "value", [b"bytes", {1: "a"}, {"x"}, object(), float("nan"), UUID(int=1), Colour.RED, "\ud800", 1 << 70, Path("/")]
)
async def test_state_that_is_not_json_is_refused(tmp_path: Path, value: Any) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        with pytest.raises(StoreError, match="not JSON") as caught:
            await Walk().graph(Saver(store)).ainvoke({**START_STATE, "status": value}, THREAD, durability="sync")
    assert caught.value.kind == "not-json"
    assert "r/s0" in str(caught.value)


@pytest.mark.parametrize("poison", [b"\xc7\x27\x05\x93\xa2os\xa5mkdir\xa4/tmp", '{"v": ', "[]", '"text"'])
async def test_a_poisoned_checkpoint_is_named_and_builds_nothing(
    tmp_path: Path, poison: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.db"
    async with Store.open(path) as store:
        await Walk().graph(Saver(store)).ainvoke(START_STATE, THREAD)
    db = sqlite3.connect(path)
    for statement in (
        "ALTER TABLE checkpoints RENAME TO old",
        "CREATE TABLE checkpoints (thread, namespace, id, parent, checkpoint, metadata)",
        "INSERT INTO checkpoints SELECT * FROM old",
    ):
        db.execute(statement)
    db.execute("UPDATE checkpoints SET checkpoint = ?", (poison,))
    db.commit()
    db.close()
    made: list[Any] = []
    monkeypatch.setattr("os.mkdir", made.append)
    async with Store.open(path) as store:
        with pytest.raises(StoreError, match="cannot be read") as caught:
            await Walk().graph(Saver(store)).ainvoke(None, THREAD)
    assert caught.value.kind == "checkpoint"
    assert made == []


@pytest.mark.parametrize("keep", ["latest", "all"])
async def test_interrupts_and_sends_survive_a_restart(tmp_path: Path, keep: Any) -> None:
    path = tmp_path / "run.db"

    async def ask(state: State) -> dict[str, Any]:
        return {"trail": [interrupt("first?"), interrupt({"second": "?"})]}

    async def each(state: Any) -> dict[str, Any]:
        return {"trail": [state["name"]]}

    builder = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_node("each", each)
    builder.add_edge(START, "ask")
    builder.add_conditional_edges(
        "ask", lambda state: [Send("each", {"name": f"{name}!"}) for name in state["trail"]], ["each"]
    )

    async def step(given: Any, **options: Any) -> Any:
        async with Store.open(path) as store:
            return await builder.compile(checkpointer=Saver(store, keep=keep)).ainvoke(given, THREAD, **options)

    assert (await step(START_STATE))["__interrupt__"][0].value == "first?"
    assert (await step(Command(resume="one")))["__interrupt__"][0].value == {"second": "?"}
    assert (await step(Command(resume="two"), interrupt_before=["each"]))["trail"] == ["one", "two"]
    assert (await step(None))["trail"] == ["one", "two", "one!", "two!"]


async def test_synchronous_use_is_refused_with_words(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        with pytest.raises(NotImplementedError, match="aget_state"):
            Walk().graph(Saver(store)).get_state(THREAD)
