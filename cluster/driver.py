"""The run as whoever started it sees it: Ray, the workers, their progress and what came of it."""

import asyncio
import contextlib
import os
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ..errors import EvolgraphError
from ..graph.checks import check_ablations
from ..graph.looking import Look
from ..graph.outcome import Progress, Summary
from ..store.folder import OWNERS
from ..store.ownership import Ownership
from .coordinator import Coordinator
from .plan import Plan, Status
from .purse import spent
from .summing import Paid, paid, summary
from .worker import Worker

RESTARTS: Final = 50
"""How often a dead worker is started anew."""
GRACE_S: Final = 12.0
"""Seconds from the order to stop until workers that have not ended are killed."""
_LOOK_S: Final = 0.25
_ANSWER_S: Final = 10.0
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_MEMORY_MONITOR": "1",
    "RAY_NUM_REDIS_GET_RETRIES": "1",
}
_LOCAL: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes Ray's own processes listen on the loopback interface alone."""


class ClusterError(EvolgraphError):
    """A run on Ray that cannot be started or go on."""

    kind = "ray"


class ClusterRun:
    """A run by several workers. Used as `async with ClusterRun(plan, address) as run: await run.finish()`.

    `address` is that of a Ray cluster; without one Ray is started here, for the length of the block. While it goes on,
    `status` tells of all workers.
    """

    def __init__(self, plan: Plan, address: str | None = None) -> None:
        self._plan = plan
        self._address = address
        self._stack = AsyncExitStack()
        self._ending: str | None = None
        self._killed = False
        self.status = Status()
        self.run = ""
        self.workers = plan.workers
        self._before: Paid | None = None

    async def __aenter__(self) -> Self:
        """Takes the folder, starts Ray and the workers. Raises EvolgraphError."""
        self._started = time.monotonic()
        if not self._address:
            os.environ.update(_LOCAL)
        _ray()  # nothing is left in the folder where it is missing
        check_ablations(self._plan.settings.ablate, _directions())
        await self._plan.feed().begin()  # before anything is started for seeds that cannot be read
        if self._address:
            await _check_answers(self._address)
        try:
            self._plan.folder.mkdir(parents=True, exist_ok=True)
            owner = Ownership(self._plan.folder / OWNERS)
            self._stack.callback(owner.release)
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Ends what still runs."""
        await self._stack.aclose()

    async def finish(self) -> None:
        """Returns when every worker has ended. Raises the first error that one of them met."""
        seconds = self._plan.settings.budget_seconds
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self.stop, spent("seconds", seconds)) if seconds else None
        looking = asyncio.create_task(self._look())
        try:
            ended = await asyncio.gather(*self._runs, return_exceptions=True)
        finally:
            if timer:
                timer.cancel()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)  # without a coordinator, the workers tell of it
        if error := self._first(ended):
            raise error
        self.status = await self._coordinator.status.remote()

    def stop(self, reason: str) -> None:
        """Has the workers stop: calls in flight get some seconds to finish."""
        if self._ending is None:
            self._ending = reason
            self._coordinator.stop.remote(reason)
            asyncio.get_running_loop().call_later(GRACE_S, self._kill)

    @property
    def calls_in_flight(self) -> int:
        """Requests of all workers that were not answered yet when they last told."""
        return self.status.stats.in_flight

    @property
    def stopped(self) -> str | None:
        """Why the run ended before every sample was settled; None otherwise."""
        progress = self.status.progress
        unfinished = not progress.read_all or progress.done < progress.seen
        return (self._ending or self.status.stop) if unfinished else None

    @property
    def seconds(self) -> float:
        """Seconds since this start began."""
        return time.monotonic() - self._started

    @property
    def progress(self) -> Progress:
        """What the workers together have done so far."""
        return self.status.progress

    def look(self) -> Look:
        """The run at this moment, as the workers have told of it."""
        settings, status = self._plan.settings, self.status
        about = {"run": self.run, "policy": settings.policy, "seed": str(settings.seed)}
        workers = {"number": self.workers, "restarts": status.restarts, "cpu_seconds": status.cpu_s}
        return Look(about, self.seconds, status.lanes, status.stats, status.progress, status.writes_waiting, workers)

    def summary(self) -> Summary:
        """The run in numbers, once it has ended."""
        return summary(self._plan.folder, self.run, self.status, self._before, self.seconds)

    async def _start(self) -> None:
        ray = _ray()
        self._stack.enter_context(_unheard())
        # What Ray leaves goes with it. Removed last: until then its processes write there.
        logs = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
        await asyncio.to_thread(_connect, ray, self._address, self._plan.workers, logs)
        self._stack.callback(ray.shutdown)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        coordinator = ray.remote(Coordinator).options(num_cpus=0, max_concurrency=1000, scheduling_strategy=here)
        self._coordinator = coordinator.remote(self._plan)
        try:
            self.run, self.workers = await self._coordinator.begin.remote()
        except ray.exceptions.RayError as error:
            raise _told(error) from error
        self._before = await asyncio.to_thread(paid, self._plan.folder, self.run)
        worker = ray.remote(Worker).options(
            num_cpus=1 if self._address else 0, max_restarts=RESTARTS, max_task_retries=RESTARTS,
            scheduling_strategy="SPREAD",
        )  # fmt: skip
        self._actors = [worker.remote() for _ in range(self.workers)]
        shifts = [
            actor.work.remote(number, self._plan, self.run, self._coordinator)
            for number, actor in enumerate(self._actors)
        ]
        self._runs = [asyncio.wrap_future(shift.future()) for shift in shifts]
        for run in self._runs:
            run.add_done_callback(self._notice)

    def _notice(self, run: asyncio.Future[None]) -> None:
        """What one worker cannot get over, the others will not either."""
        if not run.cancelled() and run.exception():
            self.stop("another worker failed")

    def _kill(self) -> None:
        ray, self._killed = _ray(), True
        for actor, run in zip(self._actors, self._runs, strict=True):
            if not run.done():
                ray.kill(actor)

    def _first(self, ended: list[Any]) -> EvolgraphError | None:
        errors = [_told(error) for error in ended if isinstance(error, Exception)]
        # Those that were killed, since they did not stop in time, are no errors.
        lost = [error for error in errors if not (isinstance(error, ClusterError) and self._killed)]
        return next(iter(sorted(lost, key=lambda error: isinstance(error, ClusterError))), None)

    async def _look(self) -> None:
        while True:
            self.status = await self._coordinator.status.remote()
            await asyncio.sleep(_LOOK_S)


def _directions() -> list[str]:
    from ..agents.registry import directions

    return list(directions())


def _ray() -> Any:
    """The package, which is imported only when it is used. Raises ClusterError where it is missing."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise ClusterError("Ray is not installed", where="--engine ray", remedy="install evolgraph[ray]") from error
    return ray


async def _check_answers(address: str) -> None:
    """Raises ClusterError when nobody listens at `address`, for which Ray itself would try for minutes.

    For `auto` it is the one that Ray has noted, which may be that of a cluster that is gone.
    """
    noted = await asyncio.to_thread(_noted) if address == "auto" else address
    host, colon, port = noted.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        async with asyncio.timeout(_ANSWER_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        number, said = getattr(error, "errno", None), getattr(error, "strerror", None)
        told = os.strerror(number) if number and number > 0 else said or "no answer"
        where = address if noted == address else f"{address} ({noted})"
        raise ClusterError(f"no Ray cluster answers: {told}", where=where, remedy="see ray status") from error
    writer.close()


def _noted() -> str:
    """The address that `auto` stands for; empty where Ray knows none, which it tells itself at once."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        return canonicalize_bootstrap_address("auto") or ""
    except (ConnectionError, ValueError):
        return ""


def _connect(ray: Any, address: str | None, workers: int, logs: str) -> None:
    if address:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())
            raise ClusterError(f"no Ray cluster answers: {told}", where=address, remedy="see ray status") from error
        return
    try:
        ray.init(
            address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR", num_cpus=workers,
            object_store_memory=80 << 20, _temp_dir=logs,
        )  # fmt: skip
    except Exception as error:  # Ray raises no narrower one when its processes do not come up
        told = " ".join(str(error).split())
        raise ClusterError(f"Ray did not start: {told}", where=logs, remedy="is there room and memory left?") from error


@contextlib.contextmanager
def _unheard() -> Any:
    """Keeps off standard output what Ray prints there: it belongs to results."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _told(error: BaseException) -> EvolgraphError:
    """A worker's error as it was raised there, or one that tells how the worker was lost."""
    cause = error
    while isinstance(inner := getattr(cause, "cause", None), BaseException):
        cause = inner  # a worker may have met the coordinator's
    if isinstance(cause, EvolgraphError) and cause is not error:
        return cause
    said = " ".join(str(error).split())
    return ClusterError(f"a worker was lost: {said}", remedy="start the same command again: it goes on")
