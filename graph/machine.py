"""The state machine that routes a sample: route -> a direction's agent -> judge -> the next direction ... -> end.

A sample that has a caption and no questions passes through curation first, which writes them.

A round is two supersteps, since each costs CPU: the agent's, and the judge's, which screens before and routes after.
"""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from ..agents.agent import Agent, Evolved, Failure, View
from ..agents.blind import Blind
from ..agents.curation import Curated, Curation
from ..agents.judge import Judge
from ..agents.looking import Looking
from ..agents.screen import SCREENS, Pair, Refusal, Screen
from ..endpoints.errors import PASSING
from ..errors import EvolgraphError
from .learning import Recall
from .policies.policy import Decision, Policy
from .rounds import (
    Ruling,
    Screened,
    close_round,
    failed_round,
    refusals,
    screen_round,
    unjudged,
    unseen,
    verdicts,
)
from .routing import decide, ending, span
from .settings import Settings
from .state import (
    State,
    Update,
    changed,
    curated,
    heads_of,
    is_uncurated,
    plain,
    proposed_of,
    sample_of,
    seed_texts,
)

TERMINAL = PASSING | {"bad-request", "garbled", "image", "internal"}
"""Failures of the call path: another round would meet them again, so the sample fails and can be retried later."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What the graph's nodes work with; bound when the graph is built."""

    agents: Mapping[str, Agent]
    judge: Judge
    policy: Policy
    settings: Settings
    screens: Sequence[Screen] = field(default=SCREENS)
    on_round: Callable[[list[dict[str, Any]]], None] | None = None
    blind: Blind | None = None
    curation: Curation | None = None
    recall: Recall | None = None
    looking: Looking | None = None

    @property
    def eligible(self) -> list[str]:
        """The directions that are not switched off."""
        return [name for name in self.agents if name not in self.settings.ablate]

    def on(self, part: str) -> bool:
        """Whether a switch of the loop is on."""
        off = part == "evidence" and self.settings.evidence == "off"
        return part not in self.settings.ablate and not off

    async def next_round(self, state: State) -> tuple[str, Update]:
        """The decision on the next round, or the sample's end: where to go, and what changes.

        The decision is committed with the step that makes it, before the round's first call. A sample that was taken
        up again keeps the decisions that it has.
        """
        started = time.time_ns()
        settings = self.settings
        end = _failed(state) or ending(
            state, rounds=settings.rounds, target=settings.target, patience=settings.patience
        )
        if end:
            return END, {"status": end[0], "reason": end[1], "decision": None}
        number = state["round"] + 1
        known = await self.recall(state["sample"]["id"], number) if self.recall and state["take"] else None
        decision = known or await decide(state, number, self.policy, self.eligible, settings.seed)
        row = span(number, "route", "route", started, direction=decision.direction, propensity=decision.propensity)
        update = {"round": number, "decision": decision.row(), "spans": [row], "tokens": 0}
        return decision.direction, update

    def evolving(self, agent: Agent) -> Any:
        """The node of `agent`: one evolve call for all heads of the sample."""

        async def evolve(state: State) -> Update:
            started = time.time_ns()
            try:
                evolved = await agent.evolve(self.view(state))
            except EvolgraphError:
                raise
            except Exception as error:
                evolved = Evolved(failure=_internal(error))
            failure = evolved.failure
            row = span(
                state["round"], agent.name, "agent", started,
                candidates=len(evolved.candidates), tokens=evolved.tokens, error=failure.kind if failure else None,
            )  # fmt: skip
            return {
                "candidates": [plain(candidate) for candidate in evolved.candidates],
                "failure": {"kind": failure.kind, "detail": failure.detail} if failure else None,
                "tokens": _total(state["tokens"], evolved.tokens),
                "verdicts": [],
                "generations": [],
                "reward": None,
                "spans": [row],
            }

        return evolve

    async def curate(self, curation: Curation, state: State) -> Command[Any]:
        """The first questions of a sample without any, as its round 0; without them it has failed."""
        started = time.time_ns()
        try:
            found = await curation.curate(self.view(state))
        except EvolgraphError:
            raise
        except Exception as error:
            found = Curated(failure=_internal(error))
        facts = {"questions": len(found.qas), "tokens": found.tokens}
        if failure := found.failure:
            row = span(0, curation.name, "agent", started, **facts, error=failure.kind)
            reason = f"{failure.kind}: no first questions: {failure.detail}"
            return Command(goto=END, update={"status": "failed", "reason": reason, "spans": [row]})
        # No seed file holds these questions: their digest tells when the store's copy is no longer what was written.
        digest = sample_of(state).model_copy(update={"qas": found.qas}).digest()
        row = span(0, curation.name, "agent", started, **facts, digest=digest)
        return Command(goto="route", update=curated(found.qas) | {"spans": [row]})

    def view(self, state: State) -> View:
        """The sample as its agents see it."""
        return View(
            sample=sample_of(state),
            round=state["round"],
            heads=heads_of(state),
            rejected=state["rejected"] if self.on("feedback") else (),
            proposed=proposed_of(state),
            take=state["take"],
            seeds=state["seeds"],
        )

    async def rule(self, state: State) -> Command[Any]:
        """Screens and judges the round's candidates, closes the round, and routes on."""
        decision = Decision(**(state["decision"] or {}))
        spans = [*state.get("spans", ())]  # the agent's: its own state need not be kept (see is_resting)
        tokens = state["tokens"]
        screened = Screened()
        if state["failure"]:
            rulings = failed_round(state)
        else:
            started = time.time_ns()
            screens = self.screens if self.on("screen") else ()
            checks = [_guarded(check) for check in screens]
            screened = screen_round(state, decision.direction, checks, evidence=self.on("evidence"))
            counts: dict[str, Any] = {"passed": len(screened.pairs), "refused": len(screened.refused)}
            if screened.findings:
                counts["evidence"] = {qa: [one.row() for one in found] for qa, found in screened.findings.items()}
            spans.append(span(state["round"], "screen", "screen", started, **counts, unknown=screened.unknown_labels))
            screened, looked = await self._looked(state, screened, spans)
            judged, used = await self._judged(state, screened, decision.direction, spans)
            rulings, tokens = [*refusals(screened), *judged], _total(_total(tokens, looked), used)
        settings = self.settings
        update = close_round(
            {**state, "tokens": tokens}, screened, rulings, decision.direction,
            survivors=settings.survivors, token_price=settings.token_price,
        )  # fmt: skip
        if self.settings.judge == "text" and not state["seeds"]:
            update["seeds"] = seed_texts(state)
        reward = update["reward"]["reward"]
        if reward is not None:
            self.policy.learn(decision, reward)
        if self.on_round:
            self.on_round(update["verdicts"])
        goto, onward = await self.next_round(changed(state, update))
        return Command(goto=goto, update=update | onward | {"spans": [*spans, *onward.get("spans", [])]})

    async def _looked(
        self, state: State, screened: Screened, spans: list[dict[str, Any]]
    ) -> tuple[Screened, int | None]:
        """The pairs with what a model sees of their steps, where it is asked, and what that cost."""
        if not (self.looking and screened.pairs and self.on("evidence") and self.on("judge")):
            return screened, 0
        started = time.time_ns()
        looked = await self.looking.look(self.view(state), list(screened.pairs.values()))
        found = {qa: [one.record() for one in findings] for qa, findings in looked.findings.items() if findings}
        facts = {"asked": looked.asked, "tokens": looked.tokens, "evidence": found}
        spans.append(span(state["round"], self.looking.name, "judge", started, **facts))
        return replace(screened, findings=screened.findings | looked.findings), looked.tokens

    async def _judged(
        self, state: State, screened: Screened, direction: str, spans: list[dict[str, Any]]
    ) -> tuple[list[Ruling], int | None]:
        if not screened.pairs:
            return [], 0
        if not self.on("judge"):
            return unjudged(screened, "unjudged", "judging is switched off", keep=True), 0
        started = time.time_ns()
        judgement = await self.judge.judge(self.view(state), list(screened.pairs.values()), screened.findings)
        failure = judgement.failure
        facts = {"pairs": len(screened.pairs), "tokens": judgement.tokens, "error": failure.kind if failure else None}
        voted = {"panel": judgement.votes} if judgement.votes else {}
        spans.append(span(state["round"], "judge", "judge", started, **facts, **voted))
        if failure:
            return unjudged(screened, failure.kind, failure.detail, keep=False), judgement.tokens
        rulings = verdicts(screened, judgement.verdicts, direction, eliminate=self.on("elimination"))
        if self.blind and (kept := [screened.pairs[one.qa] for one in rulings if one.accepted]):
            started = time.time_ns()
            sightless = await self.blind.check(self.view(state), kept)
            failed = sightless.failure.kind if sightless.failure else None
            found = {"pairs": len(kept), "answered": len(sightless.right), "tokens": sightless.tokens, "error": failed}
            spans.append(span(state["round"], "blind", "judge", started, **found))
            return unseen(rulings, sightless.right), _total(judgement.tokens, sightless.tokens)
        return rulings, judgement.tokens


def _failed(state: State) -> tuple[str, str] | None:
    failure = state["history"][-1]["failure"] if state["history"] else ""
    return ("failed", failure) if failure.partition(":")[0] in TERMINAL else None


def _internal(error: Exception) -> Failure:
    """An error nobody foresaw, most likely in a plugin: its sample fails, and can be taken up again later."""
    return Failure("internal", " ".join(f"{type(error).__name__}: {error}".split()))


def _guarded(check: Screen) -> Screen:
    def guarded(pair: Pair) -> Refusal | None:
        try:
            return check(pair)
        except EvolgraphError:
            raise
        except Exception as error:
            return Refusal("internal", _internal(error).detail)

    return guarded


def _total(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def supersteps(rounds: int) -> int:
    """The `recursion_limit` that lets a sample use `rounds` rounds: LangGraph counts two a round, and those around."""
    return 2 * rounds + 5


def build_graph(
    agents: Mapping[str, Agent],
    judge: Judge,
    policy: Policy,
    settings: Settings | None = None,
    *,
    screens: Sequence[Screen] = SCREENS,
    on_round: Callable[[list[dict[str, Any]]], None] | None = None,
    blind: Blind | None = None,
    curation: Curation | None = None,
    recall: Recall | None = None,
    looking: Looking | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[State, None, State, State]:
    """The compiled graph over `State`; start it with `state.initial(sample, position)`.

    Its dependencies are bound here, so it can be a subgraph of another graph: leave `checkpointer` out and the
    parent's is used. `on_round` is told the verdict rows of every finished round. Without `curation` a sample that
    has no questions fails. `looking` carries out what code cannot. `recall` finds the decisions of samples that are
    taken up again. Set `recursion_limit` to `supersteps(rounds)`.
    """
    loop = Loop(agents, judge, policy, settings or Settings(), screens, on_round, blind, curation, recall, looking)
    names = list(agents)
    destinations = Literal[(*names, END)]  # type: ignore[valid-type]
    first = Literal[(*([curation.name] if curation else []), *names, END)]  # type: ignore[valid-type]

    async def route(state: State) -> Command[first]:  # type: ignore[valid-type]
        if curation and is_uncurated(state):
            return Command(goto=curation.name)
        goto, update = await loop.next_round(state)
        return Command(goto=goto, update=update | {"spans": [*state.get("spans", ()), *update.get("spans", ())]})

    async def rule(state: State) -> Command[destinations]:  # type: ignore[valid-type]
        return await loop.rule(state)

    graph: StateGraph[State, None, State, State] = StateGraph(State)
    graph.add_node("route", route)
    for name, agent in agents.items():
        graph.add_node(name, loop.evolving(agent))
        graph.add_edge(name, "judge")
    graph.add_node("judge", rule)
    if curation:
        graph.add_node(curation.name, _curating(loop, curation))
    graph.add_edge(START, "route")
    return graph.compile(checkpointer=checkpointer)


def _curating(loop: Loop, curation: Curation) -> Any:
    async def curate(state: State) -> Command[Literal["route", "__end__"]]:
        return await loop.curate(curation, state)

    return curate


@asynccontextmanager
async def graph() -> AsyncIterator[CompiledStateGraph[State, None, State, State]]:
    """The graph with its default parts, as LangGraph Studio opens it (langgraph.json); see studio.py for the model."""
    # Studio's server takes nothing that blocks its loop, and imports and prompt texts are read from the disk.
    studio = await asyncio.to_thread(importlib.import_module, ".studio", __package__)
    async with studio.model() as asked:
        yield await asyncio.to_thread(studio.default_graph, asked)
