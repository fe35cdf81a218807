"""`python -m benchmarks.evolving`: an evolution as users run it, with everything on. Prints one JSON object."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop
from evolgraph.cli.display import show_progress
from evolgraph.endpoints.client import Endpoint
from evolgraph.graph import evolve
from evolgraph.graph.settings import Settings
from rich.console import Console

from .usage import Used, freeze, options

TARGET: Final = 10.0
"""Above the mock's scores: every sample uses up its rounds."""
KEPT: Final = ("calls", "exhausted", "failed", "accepted", "rejected")


async def measure(url: str, seeds: Path, store: Path, settings: Settings, out: Console) -> dict[str, Any]:
    """Evolves all seeds, with the progress display on `out`; gives the figures."""
    endpoint = Endpoint(url=url, model="mock", max_in_flight=settings.concurrency)
    freeze()
    used = Used()
    async with evolve(seeds, store=store, endpoints=[endpoint], settings=settings) as run:
        display = asyncio.create_task(show_progress(run, out))
        async for _ in run:
            pass
        display.cancel()
        summary = await run.summary()
    return {name: getattr(summary, name) for name in KEPT} | used.figures()


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options("benchmarks.evolving", __doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, help="stop then")
    given = parser.parse_args()
    settings = Settings(rounds=given.rounds, target=TARGET, concurrency=given.concurrency, budget_seconds=given.seconds)
    with Path(os.devnull).open("w") as nowhere:
        out = Console(file=nowhere, force_terminal=True)
        found = uvloop.run(measure(given.url, given.seeds, given.store, settings, out))
    print(orjson.dumps(found | {"store_bytes": given.store.stat().st_size}).decode())


if __name__ == "__main__":
    sys.exit(main())
