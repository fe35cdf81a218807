"""Endpoints as one of several workers sees them: a share of their slots, and the same home for an image."""

import asyncio

from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.lane import Lane, Turn
from evolgraph.endpoints.limits import Clock
from evolgraph.endpoints.pool import Pool, home_of

URLS = [f"http://127.0.0.1:{port}/v1" for port in (1, 2, 3)]
IMAGES = [f"{number:064x}" for number in range(300)]


def pool() -> Pool:
    return Pool([Endpoint(url=url, model="m") for url in URLS], Clock())


def test_an_image_has_one_home_whichever_worker_asks() -> None:
    workers = [pool(), pool()]
    for _ in range(40):  # what one of them has learned moves its own choices
        workers[1].lanes[0].pace.told(running=8, waiting=80, in_flight=8)
    limits = dict.fromkeys(URLS, 8.0)
    homes = [home_of(image, limits) for image in IMAGES]
    for image, home in zip(IMAGES, homes, strict=True):
        for worker in workers:
            worker.send_home(image, [home])
            assert worker.pick("evolver", image).endpoint.url == worker.pick("judge", image).endpoint.url == home
    assert all(60 < homes.count(url) < 140 for url in URLS)


def test_homes_follow_the_limits() -> None:
    homes = [home_of(image, {URLS[0]: 8.0, URLS[1]: 24.0}) for image in IMAGES]
    assert 0.65 < homes.count(URLS[1]) / len(homes) < 0.85


async def test_no_more_go_out_than_the_share() -> None:
    lane = Lane(Endpoint(url=URLS[0], model="m"), Clock())
    lane.allot(0)
    waiting = [asyncio.create_task(lane.enter()) for _ in range(4)]
    await asyncio.sleep(0)
    assert lane.slots.in_flight == 0
    lane.allot(3)
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, True, False]
    lane.allot(1)
    for _ in range(3):
        assert not waiting[3].done()
        lane.leave()
    assert await waiting[3] is Turn.SLOT


async def test_who_has_no_share_does_not_probe_an_endpoint_that_is_down() -> None:
    lane = Lane(Endpoint(url=URLS[0], model="m"), Clock())
    lane.allot(0)
    lane.down_since = 0.0
    entering = asyncio.create_task(lane.enter())
    await asyncio.sleep(0)
    assert not entering.done()
    lane.allot(1)
    assert await entering is Turn.AGAIN
    assert await lane.enter() is Turn.PROBE
