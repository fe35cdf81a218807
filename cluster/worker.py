"""One worker: a Ray actor that runs an evolution on the samples that it is handed, in a store of its own."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from ..endpoints.client import Client
from ..endpoints.lane import Lane
from ..endpoints.pace import Heard, Led
from ..graph.feed import READ_AHEAD, Batch
from ..graph.run import Evolution
from ..samples.embedded import kept_images
from ..samples.formats.reader import Rejected, image_folder
from ..samples.images import ImageRoot
from ..samples.sample import Sample
from ..store.errors import StoreError
from ..store.folder import MERGED
from .plan import Handed, Load, Orders, Plan, Report, Share, known_as
from .purse import SharedGate, budgets
from .shared_policy import SharedPolicy, shared

REPORT_EVERY_S: Final = 0.5
LEARNED_EVERY: Final = 4
"""Reports from one with a policy's statistics to the next."""
LOCKED_S: Final = 30.0
"""Seconds that the process of a driver that was killed gets to let go of the store."""


class Worker:
    """A Ray actor whose process is that of one worker; when it dies, Ray calls `work` again in a new one."""

    def work(self, number: int, plan: Plan, run: str, coordinator: Any) -> None:
        """Evolves until there is nothing left to do or it is told to stop. Raises EvolgraphError."""
        from uvloop import new_event_loop

        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_Shift(number, plan, run, coordinator).work())


class _Shift:
    """What the worker `number` of the run named `run` does in its process."""

    def __init__(self, number: int, plan: Plan, run: str, coordinator: Any) -> None:
        self._number = number
        self._plan = plan
        self._name = run
        self._coordinator = coordinator

    async def work(self) -> None:
        """Evolves to the end."""
        shares = await self._ask("join")
        give_up = time.monotonic() + LOCKED_S
        while True:
            try:
                await self._evolve(shares)
                break
            except StoreError as error:
                if error.kind != "locked" or time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.5)
        await self._ask("leave")

    async def _evolve(self, shares: dict[str, Share]) -> None:
        plan = self._plan
        gate = SharedGate(
            budgets(plan.settings), lambda name: self._ask("grant", name), lambda url: self._ask("probe", url)
        )
        hand = Hand(plan, lambda most: self._ask("take", most), gate)
        run = Evolution(
            hand, plan.shard(self._number), endpoints=plan.endpoints, models={}, settings=plan.settings_of_a_worker(),
            resume=True, gate=gate, policy=shared(plan.settings.policy), name=self._name,
        )  # fmt: skip
        async with run:
            hand.open(run)
            _allot(run.client, shares)
            telling = Telling(run, hand, lambda report: self._ask("report", report))
            reporting = asyncio.create_task(telling.go_on())
            try:
                async for outcome in run:
                    hand.done(outcome.id)
            finally:
                reporting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reporting
            await telling.tell()

    async def _ask(self, name: str, *told: Any) -> Any:
        return await getattr(self._coordinator, name).remote(self._number, *told)


class Hand:
    """The rows of one worker, asked for as there is room: what it has not begun, another worker may yet have.

    `take` asks for rows; `gate` is closed when there are none because the run stops.
    """

    def __init__(self, plan: Plan, take: Callable[[int], Awaitable[list[Handed] | None]], gate: SharedGate) -> None:
        kept = kept_images(plan.folder / MERGED)
        self.whole = plan.settings.limit is None
        self.images = ImageRoot(plan.images or image_folder(plan.seeds), kept=kept, hosts=plan.hosts)
        concurrency = plan.settings.concurrency
        self._most = concurrency + max(1, concurrency // 4)
        self._least = max(1, concurrency // 8)
        self._take = take
        self._gate = gate
        self._settled: list[str] = []
        self._taken = 0
        self.expected = 0  # only the coordinator can tell
        self._room = asyncio.Event()
        gate.when_closed(self._room.set)

    def open(self, run: Evolution) -> None:
        """Tells whose hand this is, before the first row is taken."""
        self._run = run

    async def begin(self) -> None:
        """Nothing to find out: whoever reads the seeds has done so."""

    async def batches(self) -> AsyncIterator[Batch]:
        """The rows as they are handed out, until there are none."""
        while True:
            # A run that may not go on settles nothing more: there would never be room.
            while not self._gate.reason and self._room_left() < self._least:
                self._room.clear()
                await self._room.wait()
            handed = None if self._gate.reason else await self._take(min(self._room_left(), READ_AHEAD))
            if handed is None:
                self._gate.close("stopped")
                yield []  # so that the run looks at its gate before it takes this for the end of the seeds
                return
            if not handed:
                return
            for one in handed:
                self._receive(one)
            yield [(one.position, one.row) for one in handed]

    def _room_left(self) -> int:
        return self._most - self._taken + self._run.progress.done

    def _receive(self, one: Handed) -> None:
        if isinstance(one.row, Rejected):
            return
        self._taken += 1
        if one.homes:
            self._run.client.send_home(_affinity(one.row), one.homes)
        if one.row.id in self._run.standing.settled:
            self._settled.append(one.row.id)

    def done(self, sample: str) -> None:
        """A sample has settled."""
        self._settled.append(sample)
        self._room.set()

    def settled(self) -> list[str]:
        """The samples that have settled since this was asked last."""
        told, self._settled = self._settled, []
        return told


class Telling:
    """Reports of `run` to the coordinator, by `send`, and its orders carried out."""

    def __init__(self, run: Evolution, hand: Hand, send: Callable[[Report], Any]) -> None:
        self._run = run
        self._hand = hand
        self._send = send
        self._sent = 0
        self._cpu_began = time.process_time()

    async def go_on(self) -> None:
        """Reports until it is cancelled."""
        while True:
            await self.tell()
            await asyncio.sleep(REPORT_EVERY_S)

    def _cpu(self) -> float:
        return time.process_time() - self._cpu_began

    async def tell(self) -> None:
        """Reports once."""
        run = self._run
        policy = run.policy
        learned = policy.state() if isinstance(policy, SharedPolicy) and self._sent % LEARNED_EVERY == 0 else None
        self._sent += 1
        outages = [f"{lane.endpoint.url}: {lane.why}" for lane in run.client.outages]
        down = [lane.endpoint.url for lane in run.client.lanes if lane.down]
        settled, stats = self._hand.settled(), run.client.stats
        lanes = [lane.sight() for lane in run.client.lanes]
        report = Report(
            settled, run.progress, stats, _loads(run.client), outages, down, self._cpu(), lanes, run.writes_waiting,
            learned,
        )  # fmt: skip
        orders: Orders = await self._send(report)
        for lane in run.client.lanes:
            if lane.down and lane.endpoint.url in orders.back:
                lane.come_back()
        _allot(run.client, orders.shares)
        if orders.learned is not None and isinstance(policy, SharedPolicy):
            policy.hear(orders.learned)
        if orders.stop:
            run.stop(orders.stop)


def _affinity(sample: Sample) -> str:
    """What the requests about a sample stick to an endpoint by."""
    return sample.images[0].sha256 if sample.images else sample.id


def _loads(client: Client) -> dict[str, Load]:
    return {known_as(lane.endpoint): _load(lane) for lane in client.lanes}


def _load(lane: Lane) -> Load:
    heard = lane.pace.heard() if isinstance(lane.pace, Led) else Heard()
    return Load(lane.slots.in_flight, lane.slots.load, lane.limit, heard)


def _allot(client: Client, shares: dict[str, Share]) -> None:
    for lane in client.lanes:
        if share := shares.get(known_as(lane.endpoint)):
            if lane.endpoint.max_in_flight is None:
                lane.lead(share.limit)
            lane.allot(share.part)
