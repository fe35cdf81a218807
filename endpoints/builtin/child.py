"""The embedded model's server as a child process that never outlives its parent."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import IO, Final

import orjson

from ...errors import EvolgraphError

_READY_S: Final = 30.0
_EXIT_S: Final = 5.0


class ChildError(EvolgraphError):
    """The embedded model's process did not start."""

    kind = "endpoint"


@asynccontextmanager
async def running(
    *,
    latency_ms: float = 0.0,
    capacity: int = 256,
    faults: Sequence[str] = (),
    fault_seed: int = 0,
    fault_limit: int | None = None,
    without: Sequence[str] = (),
) -> AsyncIterator[str]:
    """The embedded model on a free loopback port; gives its base URL, which ends in /v1.

    `faults` are written as `--fault` takes them, and `without` as `--without` does.

    The child exits when its standard input closes, also when this process is killed. Raises ChildError when it does not
    start.
    """
    # A file and not a pipe: nobody reads it while the child runs, and a full pipe would stop the child.
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin"),
            *("--latency-ms", str(latency_ms), "--capacity", str(capacity), "--fault-seed", str(fault_seed)),
            *(word for fault in faults for word in ("--fault", fault)),
            *(() if fault_limit is None else ("--fault-limit", str(fault_limit))),
            *(("--without", ",".join(without)) if without else ()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=complaints,
        )
        try:
            yield await _url(process, complaints)
        finally:
            await asyncio.shield(_end(process))


async def _url(process: Process, complaints: IO[bytes]) -> str:
    assert process.stdout
    try:
        async with asyncio.timeout(_READY_S):
            line = await process.stdout.readline()
        return orjson.loads(line)["url"]
    except TimeoutError as error:
        raise ChildError(f"the embedded model was not ready within {_READY_S:.0f} s") from error
    except orjson.JSONDecodeError as error:
        raise ChildError(f"the embedded model did not start: {await _last_words(process, complaints)}") from error


async def _last_words(process: Process, complaints: IO[bytes]) -> str:
    code = await process.wait()
    complaints.seek(0)
    words = complaints.read().decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"exit code {code}"


async def _end(process: Process) -> None:
    """Close the child's standard input, which ends it, and reap it; kill it when it does not go."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(_EXIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
