"""A model that answers by rules, and a way to play one sample through the graph with it."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from evolgraph.agents.agent import Prompter
from evolgraph.agents.judge import FLAGS, Judge
from evolgraph.agents.registry import directions
from evolgraph.endpoints.chat import Answer, Ask, T, TextPart, Usage
from evolgraph.graph.machine import build_graph
from evolgraph.graph.policies.cycle import Cycle
from evolgraph.graph.policies.policy import Policy
from evolgraph.graph.settings import Settings
from evolgraph.graph.state import State, initial
from evolgraph.prompts.library import Library
from evolgraph.samples.sample import Sample

from ..conftest import make_sample

PROMPTER = Prompter(Library())
Row = Mapping[str, Any]


def blocks(ask: Ask[Any]) -> dict[str, Any]:
    """The data blocks of an ask's task."""
    task = ask.messages[1].parts[-1]
    assert isinstance(task, TextPart)
    return {name: json.loads(text) for name, text in re.findall(r"^```json (\w+)\n(.*?)\n```$", task.text, re.M | re.S)}


@dataclass
class Rules:
    """Writes sound questions and sound verdicts, but for what its rules change.

    `write` changes the evolved question for (question, ask), `judge` the verdict for (pair, ask); `fail` names the kind
    with which an ask fails. A reply that its ask's check turns down fails, as it would after the repair turn.
    """

    write: Callable[[Row, Ask[Any]], Row | None] = lambda question, ask: {}
    judge: Callable[[Row, Ask[Any]], Row | None] = lambda pair, ask: {}
    fail: Callable[[Ask[Any]], str] = lambda ask: ""
    asks: list[Ask[Any]] = field(default_factory=list)

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        self.asks.append(ask)
        if kind := self.fail(ask):
            return Answer(None, kind, "as the script says", 1, 0, Usage())
        rows = self._verdicts(ask) if ask.role == "judge" else self._evolved(ask)
        value = cast(T, ask.reply.model_validate(rows))
        error = ask.check(value) if ask.check else None
        if error:
            return Answer(None, "check", error, 2, 0, Usage(200, 0, 20))
        return Answer(value, "ok", "", 1, 0, Usage(100, 0, 10))

    def _evolved(self, ask: Ask[Any]) -> Row:
        written = []
        for question in blocks(ask)["questions"]:
            if (changes := self.write(question, ask)) is not None:
                written.append(_question(question, ask) | dict(changes))
        return {"evolved": written}

    def _verdicts(self, ask: Ask[Any]) -> Row:
        given = []
        for pair in blocks(ask)["pairs"]:
            if (changes := self.judge(pair, ask)) is not None:
                given.append(_verdict(pair, ask) | dict(changes))
        return {"verdicts": given}

    def asked(self, role: str) -> list[Ask[Any]]:
        return [ask for ask in self.asks if ask.role == role]


def _question(parent: Row, ask: Ask[Any]) -> dict[str, Any]:
    name, number = parent["id"], ask.key.round
    form = "depth_order" if parent["form"] != "depth_order" else "relative_distance"
    return {
        "id": name,
        "objects": ["cup", "plate"],
        "skills": ["Grounding"],
        "form": form if ask.key.agent == "interaction" else parent["form"],
        "question": f"Which piece of {name} does round {number} ask about by {ask.key.agent}?",
        "steps": [{"manipulation": None, "description": "Look at the table."}],
        "answer": f"Piece {number} of {name}.",
    }


def _verdict(pair: Row, ask: Ask[Any]) -> dict[str, Any]:
    scores = {"score_before": 3 + ask.key.round - 1, "score_after": 3 + ask.key.round}
    return {"id": pair["id"], **dict.fromkeys(FLAGS, True), **scores, "reason": "As it should be."}


@dataclass(frozen=True)
class Play:
    """One sample's way through the graph: every state it had, the last of which is `final`."""

    states: list[State]
    model: Rules

    @property
    def final(self) -> State:
        return self.states[-1]

    @property
    def ending(self) -> tuple[str, int]:
        return self.final["status"], len(self.final["history"])

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """The decisions in the order they were taken, each once."""
        seen = {row["round"]: row for state in self.states if (row := state["decision"])}
        return list(seen.values())

    def verdicts(self, number: int) -> dict[str, dict[str, Any]]:
        return {row["qa"]: row for state in self.states for row in state["verdicts"] if row["round"] == number}

    def complexities(self) -> dict[str, float | None]:
        return {head["qa"]["id"]: head["complexity"] for head in self.final["heads"]}


def graph_of(model: Rules, policy: Policy | None = None, checkpointer: Any = None, **settings: Any) -> Any:
    agents = {name: agent(model, PROMPTER) for name, agent in directions().items()}
    chosen = Settings(**settings)
    return build_graph(agents, Judge(model, PROMPTER), policy or Cycle(), chosen, checkpointer=checkpointer)


async def play(
    model: Rules | None = None, *, sample: Sample | None = None, policy: Policy | None = None, **settings: Any
) -> Play:
    """Plays `sample` to its end; the directions come in turn unless `policy` says otherwise."""
    model = model or Rules()
    graph = graph_of(model, policy, **settings)
    return Play([state async for state in _states(graph, sample or make_sample())], model)


async def _states(graph: Any, sample: Sample) -> AsyncIterator[State]:
    async for state in graph.astream(initial(sample, 0), {"recursion_limit": 64}, stream_mode="values"):
        yield state
