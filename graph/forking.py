"""Time travel: a sample runs on from an old state, as a run of its own that knows what it came from."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from ..agents.registry import directions, prompt_library
from ..endpoints.client import Client, Model
from ..endpoints.endpoint import Endpoint
from ..prompts.library import Library
from ..samples.embedded import kept_images
from ..samples.images import ImageRoot
from ..samples.sample import Image
from ..store.checkpoints import Saver
from ..store.ledger import Ledger
from ..store.runs import Run, history_of, is_fork, run_named
from ..store.store import Store
from .assembly import assembled
from .checks import check_policy
from .identity import RunError, fingerprint
from .machine import supersteps
from .models import gathered
from .outcome import Outcome, outcome_of
from .policies.model import AskingPolicy
from .policies.policy import Context, Decision, Policy
from .policies.registry import load_policy
from .seats import seated, seats
from .settings import Settings
from .state import OUTBOX, Rows, State, changed, rows

_OF_A_ROUND: Final = {
    "decision": None, "candidates": [], "failure": None, "verdicts": [], "generations": [], "reward": None,
    "spans": [], "status": "", "reason": "", "tokens": 0,
}  # fmt: skip

_KEEP: Final = "evolve with --checkpoints all"


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a fork leaves its parent: `round` is the first that is run anew, with whatever is given here.

    `direction` is taken in that round; `policy` chooses in all others (default: the parent's); `prompts` is a folder
    of prompt texts that replace single ones.
    """

    sample: str
    round: int
    direction: str | None = None
    policy: str | None = None
    prompts: Path | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork that has come to its end: its run, the run it came from, and the sample's outcome."""

    run: str
    parent: str
    outcome: Outcome


class _Turned:
    """A policy that takes one direction in one round, and asks another policy in all others."""

    def __init__(self, policy: Policy, turn: Turn) -> None:
        self._policy, self._turn = policy, turn
        self.name, self.version = policy.name, policy.version

    def bind(self, model: Model, library: Library, directions: Mapping[str, str]) -> None:
        """Tells the other policy whom to ask, if it asks."""
        if isinstance(self._policy, AskingPolicy):
            self._policy.bind(model, library, directions)

    async def propose(self, context: Context) -> Mapping[str, float]:
        """Certainty in the round that was turned."""
        if context.round == self._turn.round and self._turn.direction:
            return {self._turn.direction: 1.0}
        return await self._policy.propose(context)

    def learn(self, decision: Decision, reward: float) -> None:
        """Tells the other policy of the rounds that it chose."""
        if decision.round != self._turn.round or not self._turn.direction:
            self._policy.learn(decision, reward)


async def fork(
    store: Path,
    turn: Turn,
    *,
    run: str | None = None,
    images: Path | None = None,
    endpoints: Sequence[Endpoint] = (),
) -> Forked:
    """Runs a sample of `run` (default: the newest that is no fork) on from before `turn`, in the same store.

    The store must hold the old state, so the run must have kept all of them. Settings are the parent's. `images` is
    the image root (default: the store's folder). Without `endpoints` the embedded model answers. A fork that is
    stopped stays pending.

    Raises RunError, ImageError, StoreError, PolicyError, PromptError or EndpointError.
    """
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(Store.open(store))
        parent = await opened.read(lambda db: run_named(db, run))
        if parent is None:
            raise RunError(f"no run is called {run!r}" if run else "the store holds no run", where=str(store))
        state = await _state_before(opened, parent.id, turn)
        settings = _settings(parent)
        policy = await _policy(parent, turn, settings)
        root = ImageRoot(images or store.parent, kept=kept_images(store))
        for image in state["sample"]["images"]:
            await asyncio.to_thread(root.encode, Image.model_validate(image))
        served = seated(await gathered(endpoints, {}, stack), settings)
        return await _run(opened, parent, turn, state, (settings, policy, root, served))


async def _run(
    store: Store,
    parent: Run,
    turn: Turn,
    state: State,
    parts: tuple[Settings, Policy, ImageRoot, tuple[Endpoint, ...]],
) -> Forked:
    settings, policy, root, served = parts
    run, library, agents = uuid.uuid4().hex[:12], prompt_library(turn.prompts), directions()
    identity = fingerprint(settings, library, policy, served, list(agents))
    forked = {"sample": turn.sample, "round": turn.round, "direction": turn.direction}
    row = {"id": run, "created_ns": time.time_ns(), "fingerprint": identity | {"fork": forked}, "seed": parent.seed}
    before = await store.read(lambda db: history_of(db, parent.id, turn.sample, turn.round, run))
    saver = Saver(store, _first_with({"runs": [row | {"parent": parent.id}], **before}), keep="all", passing=OUTBOX)
    ledger = Ledger(store, run)
    async with Client(served, root, ledger, run_seed=settings.seed) as client:
        judges = seats(served, settings.panel)
        graph = assembled(client, library, policy, settings, judges=judges, checkpointer=saver)
        config: Any = {
            "configurable": {"thread_id": f"{run}/{turn.sample}"},
            "recursion_limit": supersteps(settings.rounds),
        }
        try:
            final = await graph.ainvoke(state, config, durability="sync")
        finally:
            await ledger.cut_off()
    return Forked(run, parent.id, outcome_of(cast(State, final)))


def _first_with(before: Rows) -> Any:
    """The rows of each state, the first time with those of `before`: a fork is there whole, or not at all."""
    waiting = [before]

    def project(thread: str, values: Mapping[str, Any]) -> Rows:
        found = rows(thread, values)
        if not found or not waiting:
            return found
        earlier = waiting.pop()
        return {table: [*earlier.get(table, ()), *found.get(table, ())] for table in {**earlier, **found}}

    return project


async def _state_before(store: Store, run: str, turn: Turn) -> State:
    """The sample's state as it was routed into the turn's round, but for that decision."""
    where = turn.sample
    newest: State | None = None
    async for kept in Saver(store).alist({"configurable": {"thread_id": f"{run}/{where}"}}):
        state = cast(State, kept.checkpoint["channel_values"])
        if "sample" not in state:
            continue
        newest = newest or state
        if newest["take"]:
            raise RunError("the sample was retried or extended", where=where, remedy="fork one that was not")
        rounds = len(newest["history"])
        if not 1 <= turn.round <= rounds:
            raise RunError(f"round {turn.round} never ended", where=where, remedy=f"it had rounds 1 to {rounds}")
        if len(state["history"]) == turn.round - 1:
            return changed(state, {**_OF_A_ROUND, "round": turn.round - 1})
    if newest is None:
        raise RunError("no such sample in this run", where=where, remedy="see evolgraph trace list")
    remedy = "fork the run that it came from" if await store.read(lambda db: is_fork(db, run)) else _KEEP
    raise RunError(f"its state before round {turn.round} was not kept", where=where, remedy=remedy)


def _settings(parent: Run) -> Settings:
    known = {name: parent.fingerprint[name] for name in Settings().fingerprint() if name in parent.fingerprint}
    return Settings(**known)


async def _policy(parent: Run, turn: Turn, settings: Settings) -> Policy:
    """The policy of the fork. Raises PolicyError or RunError for one that cannot be, and for an unknown direction."""
    names = list(directions())
    eligible = [name for name in names if name not in settings.ablate]
    if turn.direction and turn.direction not in eligible:
        raise RunError(
            f"no direction is called {turn.direction!r}", where="--direction", remedy=f"known: {', '.join(eligible)}"
        )
    name, _, version = parent.fingerprint["policy"].partition(" ")
    weights = version.partition(":")[2]  # as Fixed tells them in its version
    policy = load_policy(turn.policy or (f"{name}:{weights}" if weights else name))
    await check_policy(policy, eligible, names)
    return _Turned(policy, turn)
