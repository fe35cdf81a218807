"""`python -m tests.faults.forked`: starts of evolutions as processes of their own, without the seconds of importing.

Each line on standard input is an order (see `Order`); a fork of this process carries it out, and may be told to kill
itself at a point in the code. A line of JSON on standard output says how it ended.
"""

import asyncio
import contextlib
import gc
import inspect
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.errors import EvolgraphError
from evolgraph.graph import evolve, identity, results, run
from evolgraph.graph.results import write_results
from evolgraph.store.checkpoints import Saver
from evolgraph.store.ledger import Ledger
from evolgraph.store.writer import Writer

from ..toy import SETTINGS, seeds


@dataclass(frozen=True)
class Order:
    """A start: `point` is where it kills itself, as soon as it is there the `count`th time."""

    store: str
    folder: str
    url: str
    point: str = ""
    side: str = "before"
    count: int = 1
    checkpoints: str = "latest"
    out: str = ""
    file_limit: int = 0
    """The most bytes a file may have, 0: no limit."""
    out_limit: int = 0
    """The same, while `out` is written."""


POINTS: dict[str, tuple[Any, str]] = {
    "run": (identity, "create_run"),
    "session": (run, "start_session"),
    "put": (Saver, "aput"),
    "put_writes": (Saver, "aput_writes"),
    "reply": (Ledger, "record"),
    "transaction": (Writer, "_transact"),
    "line": (results.orjson, "dumps"),
    "rename": (results.Path, "replace"),
}


class _Json:
    """`orjson` as the results are written with, so that nobody else's use of it counts."""

    dumps = staticmethod(orjson.dumps)
    OPT_APPEND_NEWLINE = orjson.OPT_APPEND_NEWLINE


def arm(point: str, side: str, count: int) -> None:
    """Makes the function `point` kill this process before or after its `count`th call."""
    if point == "line":
        results.orjson = _Json  # type: ignore[assignment]
    owner, name = (_Json, "dumps") if point == "line" else POINTS[point]
    real, left = getattr(owner, name), [count]

    def reached() -> bool:
        left[0] -= 1
        return left[0] == 0

    async def waiting(*given: Any, **named: Any) -> Any:
        if now := reached():
            _die_if(side == "before")
        found = await real(*given, **named)
        _die_if(now)
        return found

    def direct(*given: Any, **named: Any) -> Any:
        if now := reached():
            _die_if(side == "before")
        found = real(*given, **named)
        _die_if(now)
        return found

    wrapped: Callable[..., Any] = waiting if inspect.iscoroutinefunction(real) else direct
    setattr(owner, name, staticmethod(wrapped) if owner is _Json else wrapped)


def _die_if(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


async def carry_out(order: Order) -> None:
    folder, store = Path(order.folder), Path(order.store)
    settings = SETTINGS.model_copy(update={"checkpoints": order.checkpoints})
    endpoint = Endpoint(url=order.url, model="toy")
    async with evolve(seeds(folder), store=store, images=folder, endpoints=[endpoint], settings=settings) as going:
        async for _ in going:
            pass
        if order.out:
            limit_files(order.out_limit)
            try:
                write_results(store, going.run.id, Path(order.out))
            finally:
                limit_files(0)


def limit_files(most: int) -> None:
    """Makes writes beyond `most` bytes fail as on a full disk; 0: no limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most or resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _child(order: Order) -> int:
    if order.point:
        arm(order.point, order.side, order.count)
    limit_files(order.file_limit)
    try:
        asyncio.run(carry_out(order))
    except EvolgraphError as error:
        _say(kind=error.kind, error=str(error))
        return 2
    return 0


def _say(**said: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(said).encode() + b"\n")


def main() -> None:
    gc.freeze()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = _child(order)
            finally:
                os._exit(code)
        _say(ended=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main()
