"""A walk through the graph beside LangGraph's own loop: the same states, kept the same way, and either can go on."""

import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import orjson
import pytest
from evolgraph.endpoints.chat import Ask
from evolgraph.graph.state import OUTBOX, State, initial, is_resting, rows
from evolgraph.graph.walking import Walker, is_walkable
from evolgraph.samples.sample import Sample
from evolgraph.store.checkpoints import Saver
from evolgraph.store.store import Store
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langsmith import tracing_context

from ..conftest import make_sample
from .conftest import Row, Rules, graph_of

THREAD = "r/table"
CONFIG: Any = {"configurable": {"thread_id": THREAD}, "recursion_limit": 20}


class Stopped(Exception):
    pass


class Telling(Saver):
    """Keeps what it is given, but for what differs from run to run; fails instead of keeping the state `stop_at`."""

    def __init__(self, store: Store, resting: Callable[[Mapping[str, Any]], bool], stop_at: int | None = None) -> None:
        super().__init__(store, rows, passing=OUTBOX, resting=resting)
        self.told: list[dict[str, Any]] = []
        self.stop_at = stop_at

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        if self.keeps(checkpoint["channel_values"]):
            if len(self.told) == self.stop_at:
                raise Stopped
            plain = orjson.loads(orjson.dumps([checkpoint, dict(metadata)]))
            self.told.append(timeless({"checkpoint": plain[0], "metadata": plain[1]}))
        return await super().aput(config, checkpoint, metadata, new_versions)


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        known = ("id", "ts") if "channel_values" in value else ()
        return {k: timeless(v) for k, v in value.items() if k not in known and not k.endswith("_ns")}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def in_the_graph(values: Mapping[str, Any]) -> bool:
    """Every state of a sample but the one that LangGraph keeps of its input alone."""
    return "sample" in values and bool(values["decision"] or values["status"] or values["curated"])


def fails_in_round(number: int) -> Callable[[Ask[Any]], str]:
    return lambda ask: "timeout" if ask.key.round == number else ""


def turned_down(pair: Row, ask: Ask[Any]) -> Row:
    return {"improved": ask.key.round != 1}


WAYS: dict[str, tuple[Callable[[], Rules], Sample, dict[str, Any]]] = {
    "three rounds": (Rules, make_sample(), {"rounds": 3}),
    "the target is reached": (Rules, make_sample(), {"rounds": 5, "target": 5.0}),
    "a round is turned down": (lambda: Rules(judge=turned_down), make_sample(), {"rounds": 2}),
    "a call fails": (lambda: Rules(fail=fails_in_round(2)), make_sample(), {"rounds": 3}),
    "a call fails for good": (lambda: Rules(fail=lambda ask: "bad-request"), make_sample(), {"rounds": 3}),
    "nothing is to be asked": (Rules, make_sample().model_copy(update={"qas": (), "caption": ""}), {"rounds": 3}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_walk_leaves_what_langgraph_leaves(tmp_path: Path, way: str) -> None:
    model, sample, settings = WAYS[way]
    async with Store.open(tmp_path / "walked.db") as store:
        walking = Telling(store, in_the_graph)
        walked = await Walker(graph_of(model(), checkpointer=walking, **settings), walking).settle(
            initial(sample, 0), THREAD, 20
        )
    async with Store.open(tmp_path / "looped.db") as store:
        looping = Telling(store, in_the_graph)
        looped = await graph_of(model(), checkpointer=looping, **settings).ainvoke(
            initial(sample, 0), CONFIG, durability="sync"
        )
    assert timeless(walked) == timeless(looped)
    assert len(looping.told) > 0
    assert walking.told == looping.told


@pytest.mark.parametrize("stop_at", [0, 1, 2, 3])
async def test_langgraph_goes_on_where_a_walk_was_stopped(tmp_path: Path, stop_at: int) -> None:
    whole = Rules()
    looped = await graph_of(whole, rounds=3).ainvoke(initial(make_sample(), 0), CONFIG)
    model = Rules()
    async with Store.open(tmp_path / "run.db") as store:
        saver = Telling(store, is_resting, stop_at)
        with pytest.raises(Stopped):
            await Walker(graph_of(model, checkpointer=saver, rounds=3), saver).settle(
                initial(make_sample(), 0), THREAD, 20
            )
    async with Store.open(tmp_path / "run.db") as store:
        graph = graph_of(model, checkpointer=Telling(store, is_resting), rounds=3)
        kept = await graph.aget_state(CONFIG)
        assert kept.next == (("perception", "reasoning", "interaction")[stop_at - 1],) if stop_at else not kept.next
        final = await graph.ainvoke(None if stop_at else initial(make_sample(), 0), CONFIG, durability="sync")
    assert timeless(final) == timeless(looped)
    # The round under way is asked for again (its replies come from the ledger then); no other is.
    assert len(model.asks) == len(whole.asks) + (2 if stop_at else 0)


async def test_a_walk_that_never_ends_is_ended(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "run.db") as store:
        saver = Telling(store, is_resting)
        walker = Walker(graph_of(Rules(), checkpointer=saver, rounds=3), saver)
        with pytest.raises(GraphRecursionError, match="no end after 3 nodes"):
            await walker.settle(initial(make_sample(), 0), THREAD, 3)


class Summed(TypedDict):
    total: Annotated[int, operator.add]


@pytest.mark.parametrize("kind", ["sums up", "branches", "forks"])
async def test_a_graph_in_which_nodes_can_meet_is_not_walked(tmp_path: Path, kind: str) -> None:
    builder: StateGraph[Any, None, Any, Any] = StateGraph(Summed if kind == "sums up" else State)
    for name in ("one", "two"):
        builder.add_node(name, lambda state: {})
    builder.add_edge(START, "one")
    if kind == "branches":
        builder.add_conditional_edges("one", lambda state: "two", ["two"])
    if kind == "forks":
        builder.add_edge(START, "two")
    async with Store.open(tmp_path / "run.db") as store:
        saver = Telling(store, is_resting)
        with pytest.raises(ValueError, match="one node"):
            Walker(builder.compile(checkpointer=saver), saver)


def test_who_wants_a_history_or_a_trace_gets_langgraphs_loop() -> None:
    assert is_walkable("latest")
    assert not is_walkable("all")
    with tracing_context(enabled=True):
        assert not is_walkable("latest")
