"""The one actor that all workers ask: it reads the seeds, hands out samples, and shares out what there is one of."""

import asyncio
import contextlib
import time
import uuid
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from ..endpoints.lane import Sight
from ..endpoints.pool import home_of
from ..endpoints.stats import Stats
from ..graph.identity import RunError
from ..graph.outcome import Progress
from ..samples.formats.reader import Rejected
from ..samples.sample import Sample
from ..store.folder import OWNERS
from .deal import Deal, name_of
from .outages import Outages
from .owners import Owners
from .plan import Handed, Orders, Plan, Report, Share, Status, added, known_as
from .purse import Purse
from .shared_policy import merged_state
from .shares import Shares

AHEAD: Final = 512
"""Rows read ahead for each worker."""
PATIENCE_S: Final = 30.0
"""Seconds that the piles of workers which have not begun yet are left to them."""
_HOMES: Final = 200_000


class Coordinator:
    """Made as a Ray actor on the machine that the run was started from. Its methods run in one event loop."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._news = asyncio.Condition()
        self._writing = asyncio.Lock()
        self._read_all = False
        self._stop: str | None = None
        self._rows = self._quarantined = self._restarts = 0
        self._past: list[Report] = []
        self._reports: dict[int, Report] = {}
        self._joined: set[int] = set()
        self._since = 0.0
        self._cpu_began = time.process_time()
        self._homes: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    async def begin(self) -> tuple[str, int]:
        """Opens what there is and starts reading; gives the run's id and the number of its workers.

        Raises FormatError, RunError and StoreError.
        """
        plan = self._plan
        self._feed = plan.feed()
        await self._feed.begin()
        self._owners = Owners(plan.folder / OWNERS)
        name = uuid.uuid4().hex[:12]
        run, workers = self._owners.claim(name, plan.workers)
        if run != name and not plan.resume:
            raise RunError("the folder holds a run already", where=str(plan.folder), remedy="name another --store")
        self._deal = Deal(workers, self._owners.all())
        self._shares = Shares({known_as(one): one.max_in_flight for one in plan.endpoints}, workers)
        self._outages = Outages()
        self._purse = Purse(plan.settings, workers)
        self._workers = workers
        self._reading = asyncio.create_task(self._read())
        return run, workers

    async def join(self, worker: int) -> dict[str, Share]:
        """A worker begins, or begins again after its process died; gives its shares of the endpoints."""
        self._since = self._since or time.monotonic()
        if worker in self._joined:
            self._restarts += 1
            if worker in self._reports:
                self._past.append(_ended(self._reports.pop(worker)))
            self._deal.again(worker)
            self._outages.leave(worker)
        self._joined.add(worker)
        await self._tell()
        return self._shares.told(worker, {}, time.monotonic())

    async def take(self, worker: int, most: int) -> list[Handed] | None:
        """Rows for a worker, which are its own for good once this returns; none when all are taken, None to stop.

        Raises whatever the seeds cannot be read for.
        """
        while not (rows := self._deal.take(worker, most, others=self._others)):
            if self._stop:
                return None
            if self._read_all and not self._deal.waiting_for(worker):
                return []
            if self._reading.done() and (error := self._reading.exception()):
                raise error
            await self._wait()
        samples = [row.id for _, row in rows if isinstance(row, Sample)]
        async with self._writing:
            await asyncio.to_thread(self._owners.record, worker, samples)
        await self._tell()  # there is room to read on
        return [Handed(position, row, self._homes_of(row)) for position, row in rows]

    async def report(self, worker: int, report: Report) -> Orders:
        """Takes note of what a worker tells, and tells it what others are about."""
        if report.learned is None and (last := self._reports.get(worker)):
            told, report = None, replace(report, learned=last.learned)
        else:
            told = report.learned
        self._reports[worker] = report
        self._deal.settled(worker, report.settled)
        if report.settled:
            await self._tell()  # it has less to do, and may have rows of others
        others = [one.learned for each, one in self._reports.items() if each != worker and one.learned is not None]
        learned = merged_state(self._plan.settings.policy, others) if told is not None and others else None
        shares = self._shares.told(worker, report.loads, time.monotonic())
        return Orders(shares, self._outages.told(worker, report.down), learned, self._stop)

    async def grant(self, worker: int, name: str) -> int:
        """A part of what is left of the budget `name`; 0 when it is spent."""
        return self._purse.grant(name)

    async def probe(self, worker: int, url: str) -> float:
        """Seconds until a worker may look whether the endpoint at `url` is back; 0: now, and no other does."""
        return self._outages.probe(url, time.monotonic())

    async def leave(self, worker: int) -> None:
        """A worker is done."""
        self._shares.leave(worker)
        self._outages.leave(worker)
        if worker in self._reports:
            self._reports[worker] = _ended(self._reports[worker])

    async def stop(self, reason: str) -> None:
        """Has every worker stop soon; the first reason stays."""
        self._stop = self._stop or reason
        await self._tell()

    async def status(self) -> Status:
        """The run as far as the workers have told."""
        reports = [*self._past, *self._reports.values()]
        progress = added(Progress, [one.progress for one in reports])
        progress.seen, progress.read_all = self._rows - self._quarantined, self._read_all
        progress.quarantined, progress.expected = self._quarantined, self._feed.expected
        outages = dict.fromkeys(line for one in self._reports.values() for line in one.outages)
        stats = added(Stats, [one.stats for one in reports])
        cpu_s = sum(one.cpu_s for one in reports) + time.process_time() - self._cpu_began
        return Status(
            progress,
            stats,
            tuple(outages),
            self._restarts,
            cpu_s,
            time.monotonic() - self._since if self._since else 0.0,
            tuple(lane for one in reports for lane in one.lanes),
            sum(one.writes_waiting for one in reports),
            self._stop or self._purse.spent,
        )

    @property
    def _others(self) -> bool:
        """Whether workers may take from each other's piles: not before all had the chance to begin."""
        return len(self._joined) == self._workers or time.monotonic() - self._since > PATIENCE_S

    async def _read(self) -> None:
        try:
            async for batch in self._feed.batches():
                for position, row in batch:
                    self._rows += 1
                    self._quarantined += isinstance(row, Rejected)
                    self._deal.put(position, row)
                await self._tell()
                while self._deal.waiting > AHEAD * self._workers and not self._stop:
                    await self._wait()
                if self._stop:
                    return
            self._read_all = True
        finally:
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0), self._news:
                await self._news.wait()

    def _homes_of(self, row: Sample | Rejected) -> tuple[str, ...]:
        """One endpoint of each group for the image of a row, the same for whoever has that image."""
        if isinstance(row, Rejected) or len(self._plan.endpoints) < 2:
            return ()
        image = row.images[0].sha256 if row.images else name_of(row)
        if image not in self._homes:
            limits = {one.url: float(self._shares.limit(known_as(one))) for one in self._plan.endpoints}
            self._homes[image] = tuple(
                home_of(image, {url: limits[url] for url in group}) for group in self._plan.groups()
            )
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
        return self._homes[image]


def _ended(report: Report) -> Report:
    """The last report of a worker that is gone: what it has done counts, and nothing is under way any more."""
    lanes = [Sight(one.url, one.model, one.roles, one.counts) for one in report.lanes]
    return replace(report, lanes=lanes, writes_waiting=0, outages=[])
