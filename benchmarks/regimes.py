"""`python -m benchmarks.regimes`: an evolution on mock engines in virtual time, with one thing done as others do it.

Prints one JSON object. Requests are handed to the engines in this process, where evolgraph would post them; everything
else runs as it does for users. What is done otherwise is put in the place of evolgraph's parts here; the product has
no switch for it.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Final, cast

import orjson
from evolgraph.agents.agent import Agent, Evolved, Prompter, View
from evolgraph.agents.judge import Judge
from evolgraph.agents.registry import directions
from evolgraph.endpoints import client, pool, queues
from evolgraph.endpoints.chat import Model
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.lane import Lane
from evolgraph.endpoints.limits import Clock
from evolgraph.endpoints.replies import read_completion
from evolgraph.endpoints.transport import Attempt
from evolgraph.graph import assembly, evolve, models
from evolgraph.graph.settings import Settings

from .caches import OriginalOrder
from .engine import Engine
from .evolving import KEPT, TARGET
from .usage import Used, freeze
from .virtual import VirtualLoop

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
            def __init__(self, model: Model, prompter: Prompter, **options: Any) -> None:
                super().__init__(model, OriginalOrder(prompter.library, kind.name), **options)

        return Ordered

    found: Callable[[], Any] = assembly.directions
    assembly.directions = lambda: {name: ordered(kind) for name, kind in found().items()}
    assembly.Judge = ordered(Judge)


def use_barrier(samples: int) -> None:
    """Has all agents wait for each other before each round."""
    barrier = Barrier(samples)

    def waiting(kind: type[Agent]) -> type[Agent]:
        class Waiting(kind):
            async def evolve(self, view: View) -> Evolved:
                await barrier.reach(view.round)
                return await super().evolve(view)

        return Waiting

    assembly.directions = lambda: {name: waiting(kind) for name, kind in directions().items()}


def use_engines(urls: Mapping[str, Engine], loop: VirtualLoop) -> None:
    """Has requests go to the engines, and their queues be looked at there."""

    async def post(_: Any, endpoint: Endpoint, body: bytes) -> Attempt:
        return Attempt(read_completion(await urls[endpoint.url].complete(body), 200))

    async def metrics(endpoint: Endpoint, _: Any) -> str:
        engine = urls[endpoint.url]
        return f"vllm:num_requests_running {engine.running}\nvllm:num_requests_waiting {engine.waiting}\n"

    async def probe(endpoint: Endpoint) -> Endpoint:
        return endpoint

    client.post = post  # type: ignore[assignment]
    client.Clock = lambda: Clock(now=loop.time)  # type: ignore[misc,assignment]
    queues.metrics = metrics
    models.probe = probe


async def measure(given: Namespace, settings: Settings) -> dict[str, Any]:
    """Evolves all seeds; gives the figures, the moments at which samples settled, and what the engines did."""
    loop = cast(VirtualLoop, asyncio.get_running_loop())
    engines = {f"http://127.0.0.1:{port}/v1": Engine(given.slots, given.cache_blocks) for port in range(given.engines)}
    use_engines(engines, loop)
    endpoints = [Endpoint(url=url, model="mock") for url in engines]
    freeze()
    used = Used()
    settled: list[float] = []
    async with evolve(given.seeds, store=given.store, endpoints=endpoints, settings=settings) as running:
        loop.is_waiting = lambda: running.writes_waiting > 0
        began = loop.time()  # what comes before is told by the start-up scenario
        async for _ in running:
            settled.append(loop.time())
        summary = await running.summary()
    told = {name: getattr(summary, name) for name in KEPT}
    seen = [engine.counts for engine in engines.values()]
    return told | used.figures() | {"began": began, "settled": settled, "engines": seen}


def main() -> None:
    """Reads the options, measures and prints."""
    parser = ArgumentParser(prog="benchmarks.regimes", description=__doc__)
    parser.add_argument("--variant", choices=VARIANTS, required=True)
    for name in ("seeds", "store"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("samples", "rounds", "engines", "slots", "cache-blocks", "concurrency"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    every, concurrency = given.variant == "all_three", given.concurrency
    if every or given.variant == "round_robin":
        pool.Group = RoundRobin  # type: ignore[misc]
    if every or given.variant == "barrier":
        use_barrier(given.samples)
        concurrency = given.samples
    if every or given.variant == "original_order":
        use_original_order()
    settings = Settings(rounds=given.rounds, target=TARGET, patience=0, concurrency=concurrency)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        found = runner.run(measure(given, settings))
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    sys.exit(main())
