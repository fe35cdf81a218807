"""`python -m benchmarks.evolving`: an evolution as users run it, with everything on. Prints one JSON object.

With `--parts` it tells where its CPU goes, which is no option of the product.
"""

import asyncio
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop
from evolgraph.cli.display import lines_of, show_progress
from evolgraph.endpoints.client import Endpoint
from evolgraph.graph import evolve
from evolgraph.graph.settings import Settings
from rich.console import Console

from .sampling import Sampler
from .usage import Used, freeze, options

TARGET: Final = 10.0
"""Above the mock's scores: every sample uses up its rounds."""
KEPT: Final = ("calls", "exhausted", "failed", "accepted", "rejected")


async def measure(
    given: Namespace, settings: Settings, out: Console | None, sampler: Sampler | None = None
) -> dict[str, Any]:
    """Evolves all seeds, with the progress display on `out` unless that is None; gives the figures."""
    endpoint = Endpoint(url=given.url, model="mock", max_in_flight=settings.concurrency)
    used = Used()
    if sampler:
        sampler.start()
    async with evolve(given.seeds, store=given.store, endpoints=[endpoint], settings=settings) as running:
        display = asyncio.create_task(show_progress(lines_of(running), out)) if out else None
        async for _ in running:
            pass
        if display:
            display.cancel()
        summary = await running.summary()
        looked = sampler.stop() if sampler else {}  # while its threads still run
    return {name: getattr(summary, name) for name in KEPT} | used.figures() | looked


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options("benchmarks.evolving", __doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, help="stop then")
    parser.add_argument("--parts", action="store_true", help="tell where the CPU goes")
    given = parser.parse_args()
    settings = Settings(rounds=given.rounds, target=TARGET, concurrency=given.concurrency, budget_seconds=given.seconds)
    with Path(os.devnull).open("w") as nowhere:
        out = Console(file=nowhere, force_terminal=True)
        sampler = Sampler() if given.parts else None
        freeze()
        found = uvloop.run(measure(given, settings, out, sampler))
    print(orjson.dumps(found | {"store_bytes": given.store.stat().st_size}).decode())


if __name__ == "__main__":
    sys.exit(main())
