"""`python -m benchmarks.regimes`: an evolution as users run it, or with one thing done as others do it.

Prints one JSON object. What is done otherwise is put in the place of evolgraph's parts here; the product has no switch
for it.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop
from evolgraph.agents.agent import Agent, Evolved, Prompter, View
from evolgraph.agents.judge import Judge
from evolgraph.agents.registry import directions
from evolgraph.endpoints import pool, queues
from evolgraph.endpoints.chat import Model
from evolgraph.endpoints.client import Endpoint
from evolgraph.endpoints.lane import Lane
from evolgraph.graph import evolve, run
from evolgraph.graph.settings import Settings

from .caches import OriginalOrder
from .evolving import KEPT, TARGET
from .usage import Used, freeze, options

VARIANTS: Final = ("ours", "round_robin", "original_order", "barrier", "all_three")


class RoundRobin(pool.Group):
    """Each request goes to the next endpoint, and waits there."""

    def __init__(self, lanes: Any) -> None:
        super().__init__(lanes)
        self._turns = cycle(self.lanes)

    def pick(self, affinity: str) -> Lane:
        """The next lane."""
        return next(self._turns)

    def relieve(self, idle: Lane) -> None:
        """Nobody goes elsewhere."""


class Barrier:
    """Lets nobody into a round before all `samples` have come to its beginning."""

    def __init__(self, samples: int) -> None:
        self._missing = defaultdict[int, int](lambda: samples)
        self._open = defaultdict[int, asyncio.Event](asyncio.Event)

    async def reach(self, number: int) -> None:
        """Returns when all have reached round `number`."""
        self._missing[number] -= 1
        if not self._missing[number]:
            self._open[number].set()
        await self._open[number].wait()


def use_original_order() -> None:
    """Has all agents put their prompts in the original's order."""

    def ordered(kind: Any) -> Any:
        class Ordered(kind):
            def __init__(self, model: Model, prompter: Prompter) -> None:
                super().__init__(model, OriginalOrder(prompter.library, kind.name))

        return Ordered

    found: Callable[[], Any] = run.directions
    run.directions = lambda: {name: ordered(kind) for name, kind in found().items()}
    run.Judge = ordered(Judge)


def use_barrier(samples: int) -> None:
    """Has all agents wait for each other before each round."""
    barrier = Barrier(samples)

    def waiting(kind: type[Agent]) -> type[Agent]:
        class Waiting(kind):
            async def evolve(self, view: View) -> Evolved:
                await barrier.reach(view.round)
                return await super().evolve(view)

        return Waiting

    run.directions = lambda: {name: waiting(kind) for name, kind in directions().items()}


async def measure(urls: list[str], seeds: Path, store: Path, settings: Settings) -> dict[str, Any]:
    """Evolves all seeds; gives the figures and the moments at which it began and samples settled (monotonic s)."""
    endpoints = [Endpoint(url=url, model="mock") for url in urls]
    freeze()
    used, began = Used(), time.monotonic()
    settled: list[float] = []
    async with evolve(seeds, store=store, endpoints=endpoints, settings=settings) as running:
        async for _ in running:
            settled.append(time.monotonic())
        summary = await running.summary()
    told = {name: getattr(summary, name) for name in KEPT}
    return told | used.figures() | {"began": began, "settled": settled}


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options("benchmarks.regimes", __doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--samples", type=int, required=True, help="how many the seeds are")
    parser.add_argument("--scale", type=float, required=True, help="of the mock's times")
    parser.add_argument("--variant", choices=VARIANTS, required=True)
    given = parser.parse_args()
    queues.LOOK_EVERY_S = queues.LOOK_EVERY_S * given.scale  # type: ignore[misc]
    every, concurrency = given.variant == "all_three", given.concurrency
    if every or given.variant == "round_robin":
        pool.Group = RoundRobin  # type: ignore[misc]
    if every or given.variant == "barrier":
        use_barrier(given.samples)
        concurrency = given.samples
    if every or given.variant == "original_order":
        use_original_order()
    settings = Settings(rounds=given.rounds, target=TARGET, patience=0, concurrency=concurrency)
    found = uvloop.run(measure(given.url.split(","), given.seeds, given.store, settings))
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    sys.exit(main())
