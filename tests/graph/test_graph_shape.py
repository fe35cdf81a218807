import io
import operator
import re
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from evolgraph.graph.drawing import mermaid, png
from evolgraph.graph.state import State, initial
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from PIL import Image

from ..conftest import make_sample
from .conftest import Rules, graph_of

NODES = ["route", "perception", "reasoning", "interaction", "judge"]


def test_the_mermaid_drawing_has_all_nodes_and_ways() -> None:
    text = mermaid()
    ways = set(re.findall(r"^\s*(\w+) -(?:->|\.->) (?:&nbsp;.*?&nbsp;\|? ?)?(\w+);$", text, re.MULTILINE))
    directions = NODES[1:4]
    expected = {("__start__", "route")}
    expected |= {(source, name) for source in ("route", "judge") for name in (*directions, "__end__")}
    expected |= {(name, "judge") for name in directions}
    expected |= {("route", "curation"), ("curation", "route"), ("curation", "__end__")}
    assert ways == expected


def test_the_png_drawing_is_an_image() -> None:
    with Image.open(io.BytesIO(png())) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert min(picture.size) > 300
        assert len(picture.getcolors(1 << 16) or []) > 3


class ParentState(State):
    """A parent graph's state: the sample's, and a trail of its own."""

    trail: Annotated[list[str], operator.add]


@dataclass
class ParentContext:
    """A parent graph's context, which the nodes of the subgraph must never see."""

    tenant: str


def parent(model: Rules, saver: Any = None) -> Any:
    def before(state: ParentState) -> dict[str, Any]:
        return {"trail": ["before"]}

    def after(state: ParentState) -> dict[str, Any]:
        return {"trail": [f"after {state['status']}"]}

    graph = StateGraph(ParentState, context_schema=ParentContext)
    graph.add_node("before", before)
    graph.add_node("evolution", graph_of(model, rounds=2))
    graph.add_node("after", after)
    graph.add_edge(START, "before")
    graph.add_edge("before", "evolution")
    graph.add_edge("evolution", "after")
    graph.add_edge("after", END)
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("saver", [None, InMemorySaver])
async def test_the_graph_works_as_a_subgraph_of_another(saver: Any) -> None:
    graph = parent(Rules(), saver and saver())
    config = {"configurable": {"thread_id": "r/table"}}
    start = {**initial(make_sample(), 0), "trail": []}
    final = await graph.ainvoke(start, config, context=ParentContext("someone"))
    assert final["trail"] == ["before", "after exhausted"]
    assert [head["round"] for head in final["heads"]] == [2, 2]
    assert [past["direction"] for past in final["history"]] == ["perception", "reasoning"]


async def test_the_decision_is_checkpointed_before_the_rounds_first_call() -> None:
    saver = InMemorySaver()
    stored: list[dict[str, Any]] = []

    class Watching(Rules):
        async def ask(self, ask: Any) -> Any:
            newest = saver.get(config)
            assert newest
            stored.append(newest["channel_values"]["decision"])
            return await super().ask(ask)

    config: Any = {"configurable": {"thread_id": "r/table"}}
    model = Watching()
    graph = graph_of(model, checkpointer=saver, rounds=2)
    await graph.ainvoke(initial(make_sample(), 0), config, durability="sync")
    calls = [(ask.key.round, ask.key.agent) for ask in model.asks]
    assert calls == [(1, "perception"), (1, "judge"), (2, "reasoning"), (2, "judge")]
    assert [(row["round"], row["direction"]) for row in stored] == [
        (1, "perception"), (1, "perception"), (2, "reasoning"), (2, "reasoning")
    ]  # fmt: skip


async def test_a_state_is_plain_json() -> None:
    import orjson

    states = [
        state
        async for state in graph_of(Rules(), rounds=2).astream(
            initial(make_sample(), 0), {"recursion_limit": 9}, stream_mode="values"
        )
    ]
    for state in states:
        assert orjson.loads(orjson.dumps(state)) == state


async def test_the_smallest_recursion_limit_that_is_named_suffices() -> None:
    final = await graph_of(Rules(), rounds=4).ainvoke(initial(make_sample(), 0), {"recursion_limit": 2 * 4 + 3})
    assert len(final["history"]) == 4
