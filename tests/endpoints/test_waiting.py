"""Who waits, who is woken, and who is sent where."""

import asyncio
import random

import pytest
from evolgraph.endpoints.client import Client
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.gate import Gate, Stopped
from evolgraph.endpoints.lane import Lane, Turn
from evolgraph.endpoints.limits import Clock
from evolgraph.endpoints.pool import Pool
from evolgraph.endpoints.replies import Reply
from evolgraph.endpoints.retries import Retries
from evolgraph.endpoints.transport import Attempt

from .conftest import Pictures, Scripted, Waits, make_ask, sends

LOST = Attempt(Reply("unreachable", detail="no connection"), connected=False)
FINE = Attempt(Reply("ok", "{}", http_status=200))


async def test_a_call_that_waits_for_its_next_try_is_woken_when_the_run_stops(server: Scripted) -> None:
    server.otherwise = sends("oops", 500)
    slow = Retries(base=600, ceiling=600)
    gate = Gate()
    async with Client(
        [server.endpoint()], Pictures(), None, 3, gate=gate, retries=slow, rng=random.Random(1)
    ) as client:
        asked = asyncio.create_task(client.ask(make_ask()))
        while not client.stats.retries:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        gate.close("interrupted")
        with pytest.raises(Stopped, match="interrupted"):
            await asyncio.wait_for(asked, 5)
    assert len(server.bodies) == 1


async def test_an_idle_endpoint_relieves_one_that_it_can_stand_in_for() -> None:
    both = Endpoint(url="http://127.0.0.1:1/v1", model="m", max_in_flight=1)
    judging = Endpoint(url="http://127.0.0.1:2/v1", model="m", max_in_flight=1, roles=("judge",))
    pool = Pool([both, judging], Clock())
    served: dict[str, str] = {}

    async def work(role: str, name: str, release: asyncio.Event) -> None:
        async with pool.lease(role, name, lambda: None) as (lane, _):
            served[name] = lane.endpoint.url
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        releases = {name: asyncio.Event() for name in ("first", "second", "evolving", "rest")}
        tasks.create_task(work("evolver", "first", releases["first"]))
        await asyncio.sleep(0)
        tasks.create_task(work("judge", "second", releases["second"]))
        await asyncio.sleep(0)
        assert served == {"first": both.url, "second": judging.url}
        tasks.create_task(work("evolver", "evolving", releases["rest"]))
        await asyncio.sleep(0)
        third = next(name for name in map(str, range(99)) if pool.pick("judge", name) is pool.lanes[0])
        tasks.create_task(work("judge", third, releases["rest"]))
        await asyncio.sleep(0)
        releases["second"].set()
        for _ in range(9):
            await asyncio.sleep(0)
        assert served.get(third) == judging.url, "not the evolver's request, which waits longer but cannot go there"
        for release in releases.values():
            release.set()
    assert served["evolving"] == both.url


async def test_a_probe_of_an_earlier_outage_does_not_end_that_of_a_later_one(waits: Waits) -> None:
    pool = Pool([Endpoint(url="http://127.0.0.1:1/v1", model="m")], waits.clock())
    lane: Lane = pool.lanes[0]
    turns: list[Turn] = []

    async def probe() -> None:
        async with pool.lease("judge", "x", lambda: None) as (_, turn):
            turns.append(turn)
            await asyncio.Event().wait()

    async def probing() -> asyncio.Task[None]:
        task, known = asyncio.create_task(probe()), len(turns)
        while len(turns) == known:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return task

    lane.settle(LOST, Turn.SLOT, 0.1)
    early = await probing()
    lane.settle(FINE, Turn.SLOT, 0.1)
    lane.settle(LOST, Turn.SLOT, 0.1)
    late = await probing()
    assert turns == [Turn.PROBE, Turn.PROBE]
    early.cancel()
    await asyncio.gather(early, return_exceptions=True)
    waits.time += 60
    assert lane.down and not lane.ready, "the later probe is still under way"
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert lane.ready
