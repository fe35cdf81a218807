"""`python -m evolgraph.endpoints.builtin`: the embedded model's server as a process of its own.

The first line on standard output is one JSON object, {"url", "model", "pid"}, printed once connections are accepted.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import orjson

from .faults import FaultError, parse_fault
from .lacks import LACKS, LackError, parse_lacks
from .plants import PlantError, parse_plants
from .request import MODEL
from .server import Options, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="evolgraph.endpoints.builtin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time a request holds its slot")
    parser.add_argument(
        "--capacity", type=int, default=Options().capacity, help="requests handled at a time; more wait"
    )
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input closes")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND:RATE", help="such as 429=2:0.1; repeatable"
    )
    parser.add_argument("--fault-seed", type=int, default=0, help="decides which requests meet a fault")
    parser.add_argument("--fault-limit", type=int, help="the most faults that one and the same body meets")
    parser.add_argument(
        "--without", action="append", default=[], metavar="WORD,...", help=f"what the server lacks: {', '.join(LACKS)}"
    )
    parser.add_argument("--plant", action="append", default=[], metavar="KIND:RATE", help="spoil evolved questions")
    given = parser.parse_args(arguments)
    try:
        options = Options(
            port=given.port,
            latency_ms=given.latency_ms,
            capacity=given.capacity,
            faults=tuple(map(parse_fault, given.fault)),
            fault_seed=given.fault_seed,
            fault_limit=given.fault_limit,
            without=parse_lacks(given.without),
            plants=parse_plants(given.plant),
        )
        return run(options, exit_with_stdin=given.exit_with_stdin)
    except (FaultError, LackError, PlantError) as error:
        print(error, file=sys.stderr)
        return 2


def run(options: Options, *, exit_with_stdin: bool = False, ready: Callable[[str], None] | None = None) -> int:
    """Serve in a new event loop until SIGTERM, SIGINT or (if asked) the end of standard input; returns the exit code.

    `ready` is told the URL after the line on standard output.
    """

    def announce(url: str) -> None:
        print(orjson.dumps({"url": url, "model": MODEL, "pid": os.getpid()}).decode(), flush=True)
        if ready:
            ready(url)

    try:
        asyncio.run(_until_stopped(options, exit_with_stdin, announce))
    except OSError as error:
        print(f"cannot serve on port {options.port}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


async def _until_stopped(options: Options, exit_with_stdin: bool, announce: Callable[[str], None]) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if exit_with_stdin:
        # Ctrl-C reaches the whole process group: the parent decides when it no longer needs its model.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        threading.Thread(target=_watch_stdin, args=(loop, stopped), daemon=True).start()
    else:
        loop.add_signal_handler(signal.SIGINT, stopped.set)
    await serve(options, announce, stopped)


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """Set `stopped` at the end of standard input; reads the descriptor itself, a buffer's lock would outlive us."""
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop was closed by a signal before
        loop.call_soon_threadsafe(stopped.set)


if __name__ == "__main__":
    sys.exit(main())
