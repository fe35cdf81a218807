"""An endpoint that is down for several workers: looked at as seldom as by one, and its return is soon known to all."""

import asyncio
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from itertools import pairwise

from evolgraph.cluster.outages import Outages
from evolgraph.cluster.purse import SharedGate
from evolgraph.endpoints.client import Client
from evolgraph.endpoints.lane import PROBE_S
from evolgraph.endpoints.limits import Clock

from ..endpoints.conftest import Pictures, Scripted, make_ask, says, sends, serving

SPEED = 25.0
"""Seconds of the clients' clock in one of ours."""


def fast_clock() -> Clock:
    return Clock(now=lambda: time.monotonic() * SPEED, sleep=lambda seconds: asyncio.sleep(seconds / SPEED))


class Shared:
    """What four workers share of an outage, as the coordinator and the workers' reports have it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.outages = Outages()
        self.clients: list[Client] = []
        self.probes: list[float] = []

    async def probe(self, url: str) -> float:
        now = self.clock.now()
        if not (left := self.outages.probe(url, now)):
            self.probes.append(now)
        return left

    def report(self, numbers: Collection[int]) -> None:
        for number in numbers:
            (lane,) = self.clients[number].lanes
            if self.outages.told(number, [lane.endpoint.url] if lane.down else []):
                lane.come_back()


async def _grant(name: str) -> int:
    raise AssertionError("there is no budget")


async def test_four_workers_probe_no_more_often_than_one_and_go_on_together() -> None:
    clock = fast_clock()
    shared = Shared(clock)
    scripted = Scripted(otherwise=sends("busy", 503))
    async with serving(scripted) as server, AsyncExitStack() as stack:
        for _ in range(4):
            gate = SharedGate({}, _grant, shared.probe)
            client = Client([server.endpoint(max_in_flight=4)], Pictures(), None, 3, gate=gate, clock=clock)
            shared.clients.append(await stack.enter_async_context(client))
        asked = [asyncio.create_task(client.ask(make_ask(f"s{k}"))) for client in shared.clients for k in range(4)]

        async def reporting() -> None:
            while True:
                shared.report(range(4))
                await asyncio.sleep(0.5 / SPEED)

        told = asyncio.create_task(reporting())
        while not all(lane.down for client in shared.clients for lane in client.lanes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while server.busy:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        before = len(server.bodies) - len(shared.probes)
        await asyncio.sleep(8 * PROBE_S / SPEED)
        probed = len(server.bodies) - before
        server.otherwise = says()
        back = clock.now()
        answers = await asyncio.gather(*asked)
        told.cancel()
    assert {answer.kind for answer in answers} == {"ok"}
    assert 3 <= probed <= len(shared.probes), "nothing goes out that was not allowed to"
    assert all(later - earlier > PROBE_S for earlier, later in pairwise(shared.probes))
    assert len([when for when in shared.probes if when >= back]) <= 2, "one that finds it back is enough"


def test_only_those_are_told_of_a_return_for_whom_it_is_down() -> None:
    outages = Outages()
    assert [outages.told(worker, ["a"]) for worker in range(3)] == [[], [], []]
    outages.leave(2)
    assert outages.told(0, []) == []
    assert outages.told(1, ["a", "b"]) == ["a"]
    assert outages.told(1, ["a"]) == [], "it is told once: if it goes down again, that is news of its own"
    assert outages.told(2, ["a"]) == []
