"""A fresh sample's way through the graph, node after node, at a fifth of the cost of LangGraph's own loop.

LangGraph's loop is made for supersteps of many nodes, with streams, interrupts and callbacks around each. In this graph
one node runs at a time and every channel keeps its last value: a superstep is to run a node, to merge what it gives and
to go where it says. So the walk takes nodes, edges and saver from LangGraph's compiled graph and leaves the checkpoints
that LangGraph would leave (langgraph/pregel/_algo.py, `apply_writes`, and _checkpoint.py, `create_checkpoint`): either
goes on from what the other left.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.channels import LastValue
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from langgraph.checkpoint.base.id import uuid6
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from langsmith.utils import tracing_is_enabled

from ..store.checkpoints import Saver
from .state import State, Update

Graph = CompiledStateGraph[State, None, State, State]
_FORMAT = 4
"""LangGraph's version of the layout of a checkpoint."""


class Walker:
    """Takes fresh samples through `graph`, whose checkpointer is `saver`. Raises ValueError where nodes could meet."""

    def __init__(self, graph: Graph, saver: Saver) -> None:
        builder = graph.builder
        channels = builder.channels.values()
        if builder.branches or builder.waiting_edges or not all(type(one) is LastValue for one in channels):
            raise ValueError("only graphs in which one node runs at a time can be walked")
        self._saver = saver
        self._nodes = {name: cast(Runnable[Any, Any], node.runnable) for name, node in builder.nodes.items()}
        self._edges = dict(builder.edges)
        if len(self._edges) != len(builder.edges):
            raise ValueError("two edges leave one node")

    async def settle(self, state: State, thread: str, limit: int) -> State:
        """The last state of the sample that begins with `state`, after at most `limit` nodes.

        Its thread must be new. Raises GraphRecursionError beyond the limit, and what nodes and saver raise.
        """
        config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        account = _Account(state, self._edges[START])
        node = self._edges[START]
        for step in range(1, limit + 1):
            update, goto = self._read(node, await self._nodes[node].ainvoke(state, config))
            state = cast(State, {**state, **update})
            account.note(node, update, goto)
            if self._saver.keeps(state):
                about: CheckpointMetadata = {"source": "loop", "step": step, "parents": {}}
                config = await self._saver.aput(config, account.checkpoint(state, step), about, {})
            if goto == END:
                return state
            node = goto
        raise GraphRecursionError(f"{thread}: no end after {limit} nodes")

    def _read(self, node: str, given: Update | Command[str]) -> tuple[Update, str]:
        """What changes, and the node that comes next, by what `node` has given."""
        if isinstance(given, Command):
            return cast(Update, given.update or {}), cast(str, given.goto)
        return given, self._edges[node]


class _Account:
    """LangGraph's account of a thread: the versions of its channels, and those that each node has seen."""

    def __init__(self, state: Mapping[str, Any], first: str) -> None:
        self._versions = {START: 2} | dict.fromkeys(state, 2)
        self._seen: dict[str, dict[str, int]] = {"__input__": {}, START: {START: 1}}
        self._newest = 2
        self._updated: set[str] = set()
        self._call(first)

    def note(self, node: str, update: Update, goto: str) -> None:
        """`node` has run and changed the channels of `update`; `goto` runs next, or it was the last."""
        called = _call_of(node)
        self._seen.setdefault(node, {})[called] = self._versions[called]
        self._newest += 1
        self._versions.update(dict.fromkeys(update, self._newest))
        self._versions[called] = self._newest
        self._updated = set(update)
        self._call(goto)

    def _call(self, node: str) -> None:
        self._called = [] if node == END else [_call_of(node)]
        for call in self._called:
            self._versions[call] = self._newest
            self._updated.add(call)

    def checkpoint(self, state: State, step: int) -> Checkpoint:
        """The checkpoint of the thread in `state`, after `step` supersteps."""
        return {
            "v": _FORMAT,
            "ts": datetime.now(UTC).isoformat(),
            "id": str(uuid6(clock_seq=step)),
            "channel_values": {**state, **dict.fromkeys(self._called)},
            "channel_versions": {**self._versions},
            "versions_seen": {node: {**seen} for node, seen in self._seen.items()},
            "updated_channels": sorted(self._updated),
        }


def _call_of(node: str) -> str:
    """The channel whose change has LangGraph run `node`."""
    return f"branch:to:{node}"


def is_walkable(keep: str) -> bool:
    """Whether nobody wants more of a run than its newest checkpoints: no history, no LangSmith trace of its nodes."""
    return keep == "latest" and not tracing_is_enabled()
