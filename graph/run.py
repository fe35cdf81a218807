"""Many samples through the graph: a bounded stream from the seeds to the settled, resumable at any point."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from ..agents.registry import directions, prompt_library
from ..endpoints.client import Client
from ..endpoints.endpoint import Endpoint
from ..endpoints.gate import Budget, Gate, Stopped
from ..endpoints.pool import check_alike
from ..errors import EvolgraphError
from ..samples.embedded import kept_images
from ..samples.formats.reader import Rejected
from ..samples.sample import Sample
from ..store.checkpoints import Saver
from ..store.ledger import Ledger
from ..store.runs import (
    Standing,
    end_session,
    failed,
    quarantine,
    quarantined,
    short_of,
    standing,
    start_session,
    strike_quarantined,
    take_up_again,
)
from ..store.store import Store
from ..store.traces import RunTotals, totals
from .assembly import assembled
from .checks import check_ablations, check_policy, check_prompts
from .feed import READ_AHEAD, Feed, Rows
from .identity import RunError, claim, fingerprint
from .learning import learn_again, recalling
from .machine import supersteps
from .models import gathered
from .outcome import STATUSES, Outcome, Progress, Summary, outcome_of
from .policies.policy import Policy
from .policies.registry import load_policy
from .seats import seated, seats
from .settings import Settings
from .state import OUTBOX, State, initial, is_resting, reopened, rows
from .walking import Graph, Walker, is_walkable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

GRACE_S: Final = 8.0
"""Seconds that calls in flight get to finish when a run is stopped; all is over after 10."""
_AFTER_ALL: Final = 1
Waiting = asyncio.PriorityQueue[tuple[int, int, Sample | None]]
"""Samples by their rank, lowest first, and their position; None, behind all of them, ends a worker."""


class Evolution:
    """A run under way. Made by `evolve`; used as `async with evolve(...) as run: async for outcome in run: ...`.

    Take its outcomes: a run waits when too many of them pile up. Leaving the block early stops it; its store goes on
    where it stopped. While it runs, `progress` counts.
    """

    def __init__(
        self,
        feed: Rows,
        store: Path,
        *,
        endpoints: Sequence[Endpoint],
        models: Mapping[str, "BaseChatModel"],
        settings: Settings,
        resume: bool,
        gate: Gate | None = None,
        policy: Policy | None = None,
        name: str | None = None,
    ) -> None:
        """`gate`, `policy` and `name`, the id of a new run, are for one of several runs that share the seeds."""
        self._feed = feed
        self.endpoints = tuple(endpoints)
        self._models = models
        self._resume = resume
        self._policy = policy
        self._name = name
        self._stack = AsyncExitStack()
        self._outcomes: deque[Outcome] = deque()
        self._room = asyncio.Semaphore(2 * settings.concurrency)
        self._news = asyncio.Event()
        self._gate = gate or Gate(Budget(settings.budget_calls, settings.budget_tokens, settings.budget_seconds))
        self._main: asyncio.Task[None] | None = None
        self.settings = settings
        self.store_path = store
        self.progress = Progress()
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        """Opens the store, checks that it may go on, starts the embedded model if no endpoint was given, and begins."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        self._main = asyncio.create_task(self._run(), name="evolution")
        self._main.add_done_callback(lambda _: self._news.set())
        if self.settings.budget_seconds is not None:
            # Every request asks the gate, but none may be due for a long while.
            timer = asyncio.get_running_loop().call_later(self.settings.budget_seconds, self._check_budget)
            self._stack.callback(timer.cancel)
        return self

    def _check_budget(self) -> None:
        with suppress(Stopped):  # told by the gate's `reason`
            self._gate.admit(self.client.stats)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stops what still runs, notes how it ended, and closes everything."""
        try:
            await self._end(delivered=error is not None)
        finally:
            await self._stack.aclose()

    async def _end(self, *, delivered: bool) -> None:
        assert self._main
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)
        await self._ledger.cut_off()
        finished = self.progress.read_all and self.progress.done == self.progress.seen
        await end_session(self._store, self._session, "finished" if finished else self.stopped or "stopped")
        if self._error and not delivered:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[Outcome]:
        """The outcomes of samples as they settle in this start. Raises what stopped the run, if anything failed."""
        assert self._main, "use `async with`"
        while self._outcomes or not self._main.done():
            if self._outcomes:
                self._room.release()
                yield self._outcomes.popleft()
            else:
                self._news.clear()
                await self._news.wait()
        if self._error:
            error, self._error = self._error, None
            raise error

    @property
    def stopped(self) -> str | None:
        """Why the run ended before every sample was settled: what `stop` was told, or the budget; None otherwise."""
        unfinished = not self.progress.read_all or self.progress.done < self.progress.seen
        return self._gate.reason if unfinished else None

    @property
    def seconds(self) -> float:
        """Seconds since this start began."""
        return time.monotonic() - self._started

    @property
    def calls_in_flight(self) -> int | None:
        """Requests that are not answered yet; None until the run has begun."""
        return self.client.stats.in_flight if self._main else None

    @property
    def writes_waiting(self) -> int:
        """Writes that wait for the store's writer or are under way."""
        return self._store.writer.waiting

    def stop(self, reason: str, grace: float = GRACE_S) -> None:
        """Sends nothing more, lets calls in flight finish for `grace` seconds, then ends. The store can be resumed."""
        self._gate.close(reason)
        if self._main:
            asyncio.get_running_loop().call_later(grace, self._main.cancel)

    async def summary(self) -> Summary:
        """The run in numbers, as far as it has come."""
        found: RunTotals = await self._store.read(lambda db: totals(db, self.run.id))
        bad = await self._store.read(lambda db: sum(1 for _ in quarantined(db, self.run.id)))
        stats = self.client.stats
        settled = {status: found.statuses.get(status, 0) for status in STATUSES}
        samples = max(self.progress.seen, sum(found.statuses.values()))
        calls = stats.received
        metered = stats.tells_tokens
        return Summary(
            run=self.run.id,
            samples=samples,
            **settled,
            pending=samples - sum(settled.values()),
            quarantined=bad,
            calls=calls,
            replayed=stats.replayed,
            accepted=found.accepted,
            rejected=found.rejected,
            lost=found.lost,
            directions=found.directions,
            prompt_tokens=stats.prompt_tokens if metered else None,
            cached_tokens=stats.cached_tokens if metered else None,
            completion_tokens=stats.completion_tokens if metered else None,
            image_tokens=stats.image_tokens if metered else None,
            maybe_billed=found.maybe_billed,
            complexity_before=found.complexity_before,
            complexity_after=found.complexity_after,
            seconds=round(self.seconds, 3),
            cpu_ms_per_call=round((time.process_time() - self._cpu) * 1000 / calls, 3) if calls else None,
        )

    async def _open(self) -> None:
        self._started, self._cpu = time.monotonic(), time.process_time()
        settings = self.settings
        agents, library = directions(), prompt_library(settings.prompts)
        self.policy = policy = self._policy or load_policy(settings.policy)
        check_ablations(settings.ablate, list(agents))
        await self._feed.begin()
        self._store = await self._stack.enter_async_context(Store.open(self.store_path))
        self.endpoints = seated(await gathered(self.endpoints, self._models, self._stack), settings)
        check_alike(self.endpoints)
        await check_policy(policy, [name for name in agents if name not in settings.ablate], list(agents))
        check_prompts(library, list(agents.values()))
        identity = fingerprint(settings, library, policy, self.endpoints, list(agents))
        chosen = {"resume": self._resume, "extend": settings.extend, "name": self._name}
        self.run = await claim(self._store, identity, settings.seed, **chosen)
        await self._take_up_again()
        self.standing: Standing = await self._store.read(lambda db: standing(db, self.run.id))
        self._ledger = Ledger(self._store, self.run.id)
        await self._ledger.cut_off()  # what the last start had under way when it was killed
        client = Client(self.endpoints, self._feed.images, self._ledger, run_seed=settings.seed, gate=self._gate)
        self.client = await self._stack.enter_async_context(client)
        await learn_again(policy, self._store, self.run.id)
        saver = Saver(self._store, rows, keep=settings.checkpoints, passing=OUTBOX, resting=is_resting)
        self.graph: Graph = assembled(
            self.client,
            library,
            policy,
            settings,
            judges=seats(self.endpoints, settings.panel),
            on_round=self.progress.close_round,
            recall=recalling(self._store, self.run.id),
            checkpointer=saver,
        )
        self._walker = Walker(self.graph, saver) if is_walkable(settings.checkpoints) else None
        self._bad_rows = await self._store.read(lambda db: {row["where"] for row in quarantined(db, self.run.id)})
        self._session = await start_session(self._store, self.run.id, self._feed.images.root)

    async def _take_up_again(self) -> None:
        """Opens the settled samples again that the settings name: failed ones, or those that may now go further."""
        run, settings, again = self.run.id, self.settings, dict[str, str]()
        if settings.retry_failed is not None:
            kind = settings.retry_failed
            again |= dict.fromkeys(await self._store.read(lambda db: failed(db, run, kind)), "failed")
        if settings.extend:
            found = await self._store.read(lambda db: short_of(db, run, settings.rounds, settings.target))
            again |= dict.fromkeys(found, "extended")
        if again:
            takes = (await self._store.read(lambda db: standing(db, run))).takes
            for reason in set(again.values()):
                chosen = {name: takes.get(name, 0) + 1 for name, why in again.items() if why == reason}
                await take_up_again(self._store, run, chosen, reason)

    async def _run(self) -> None:
        """Feeds the samples to as many workers as may be in flight; the end of the stream closes the outcomes."""
        # Of the samples that wait the longest goes first: when the stream ends, short ones are left, not stragglers.
        waiting: Waiting = asyncio.PriorityQueue(maxsize=max(READ_AHEAD, self.settings.concurrency))
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self.settings.concurrency):
                    tasks.create_task(self._work(waiting))
                await self._admit(waiting)
        except* Exception as group:
            self._error = _first(group)

    async def _admit(self, waiting: Waiting) -> None:
        """Hands the samples that are not settled to the workers, and puts the rows that cannot be used on record."""
        async for batch in self._feed.batches():
            if self._gate.reason:
                break
            self.progress.expected = self._feed.expected
            if rejected := [row for _, row in batch if isinstance(row, Rejected)]:
                self.progress.quarantined += len(rejected)
                reasons = {row.where: row.reason for row in rejected}
                self._bad_rows -= reasons.keys()
                await quarantine(self._store, self.run.id, reasons)
            for position, row in batch:
                if isinstance(row, Sample):
                    self.progress.seen += 1
                    if not self._is_settled(row):
                        await waiting.put((-len(row.qas), position, row))
        else:
            self.progress.read_all = True
            if self._feed.whole:  # what an earlier start found and this one did not is no longer so
                await strike_quarantined(self._store, self.run.id, self._bad_rows)
        for number in range(self.settings.concurrency):
            await waiting.put((_AFTER_ALL, number, None))

    def _is_settled(self, sample: Sample) -> bool:
        known = self.standing.digests.get(sample.id)
        if known and known != sample.digest():
            raise RunError(
                "this seed is not what it was when the run began", where=sample.id,
                remedy="restore it, or name another --store to start anew",
            )  # fmt: skip
        status = self.standing.settled.get(sample.id)
        if status:
            self.progress.settled[status] += 1
            self.progress.resumed += 1
        elif sample.id in self.standing.begun:
            self.progress.taken_up += 1
        return bool(status)

    async def _work(self, waiting: Waiting) -> None:
        while True:
            _, position, sample = await waiting.get()
            if sample is None:
                return
            try:
                outcome = await self._evolve_one(position, sample)
            except Stopped:
                continue  # what waits is taken and left, so that whoever hands out samples is never stuck
            self.progress.settle(outcome)
            await self._room.acquire()
            self._outcomes.append(outcome)
            self._news.set()

    async def _evolve_one(self, position: int, sample: Sample) -> Outcome:
        begun = sample.id in self.standing.begun
        thread, limit = f"{self.run.id}/{sample.id}", supersteps(self.settings.rounds)
        if not begun and self._walker:
            return outcome_of(await self._walker.settle(initial(sample, position), thread, limit))
        config: Any = {"configurable": {"thread_id": thread}, "recursion_limit": limit}
        state: Any = None if begun else initial(sample, position)
        if take := self.standing.takes.get(sample.id):
            before = cast(State, (await self.graph.aget_state(config)).values)
            state = reopened(before, take) if before["take"] < take else None
        final = await self.graph.ainvoke(state, config, durability="sync")
        return outcome_of(cast(State, final))


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error that stopped a run: the first that was raised on purpose, else the first of all."""
    flat = list(_flat(group))
    return next((error for error in flat if isinstance(error, EvolgraphError)), flat[0])


def _flat(group: BaseExceptionGroup) -> Iterator[BaseException]:
    for error in group.exceptions:
        yield from _flat(error) if isinstance(error, BaseExceptionGroup) else [error]


def evolve(
    seeds: str | Path | Iterable[Sample],
    *,
    store: str | Path,
    images: str | Path | None = None,
    endpoints: Sequence[Endpoint] = (),
    models: Mapping[str, "BaseChatModel"] | None = None,
    settings: Settings | None = None,
    resume: bool = True,
    layout: str | None = None,
    allow_image_hosts: Collection[str] = (),
) -> Evolution:
    """An evolution of `seeds` (a seed file, or samples), kept in the SQLite file `store` and resumed from it.

    `images` is the folder that image paths are relative to (default: the seed file's). `models` are LangChain
    chat models by the role they serve, `evolver` or `judge`, in the place of any endpoint. Without `endpoints` the
    embedded model is started as a child process for the roles that are left. With `resume=False` a store that holds a
    run is refused. `layout` names the format of all rows of the seed file (default: each is recognised).
    Images inside the seed file, and those whose URL names one of `allow_image_hosts`, are kept in `STORE.images`.

    On entering, raises EvolgraphError: FormatError, StoreError, EndpointError, PolicyError, PromptError or RunError.
    """
    source = Path(seeds) if isinstance(seeds, str | Path) else seeds
    chosen, kept = settings or Settings(), kept_images(Path(store))
    folder = Path(images) if images else None
    feed = Feed(
        source, folder, chosen.limit, kept=kept, layout=layout, hosts=allow_image_hosts, workers=chosen.concurrency
    )
    return Evolution(feed, Path(store), endpoints=endpoints, models=models or {}, settings=chosen, resume=resume)
