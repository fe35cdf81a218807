"""Several endpoints: who gets an image, what happens when one is lost, and how their limits follow their queues."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Ask, ImagePart, Message, TextPart
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.lane import Lane, Turn
from evolgraph.endpoints.limits import Clock
from evolgraph.endpoints.pace import START, Pace
from evolgraph.endpoints.pool import Pool
from evolgraph.endpoints.queues import Queue, read_queue
from evolgraph.endpoints.replies import Reply
from evolgraph.endpoints.transport import Attempt
from evolgraph.samples.sample import Image

from .conftest import Scripted, Verdict, Waits, make_ask, make_client, says, sends, serving


def asking(image: int, number: int = 0) -> Ask[Verdict]:
    """An ask about one of many images."""
    shown = ImagePart(Image(path=f"{image}.png", sha256=f"{image:064x}", width=4, height=4))
    return make_ask(f"s{image}-{number}", messages=(Message("user", (shown, TextPart(f"image {image}"))),))


@pytest.fixture
async def four() -> AsyncIterator[list[Scripted]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(Scripted())) for _ in range(4)]


def images_of(server: Scripted) -> Counter[str]:
    return Counter(body["messages"][-1]["content"][-1]["text"].split("\n")[0] for body in server.bodies)


async def test_an_image_stays_with_the_endpoint_that_has_seen_it(four: list[Scripted]) -> None:
    async with make_client(*four) as client:
        for number in range(6):
            await asyncio.gather(*(client.ask(asking(image, number)) for image in range(40)))
    seen = [images_of(server) for server in four]
    assert sum(len(images) for images in seen) <= 44, "an image's six calls go to one server, but for a few"
    assert all(len(images) >= 4 for images in seen), "and no server is left out"


async def test_a_lost_endpoint_moves_only_its_own_images(four: list[Scripted]) -> None:
    async with make_client(*four) as client:
        for image in range(40):
            await client.ask(asking(image))
        before = {image: server for server in four for image in images_of(server)}
        lost = four[0]
        lost.otherwise = sends("going down", 503)
        for server in four:
            server.bodies.clear()
        for image in range(40):
            assert (await client.ask(asking(image, 1))).kind == "ok"
    after = {image: server for server in four[1:] for image in images_of(server)}
    assert len(after) == 40
    assert all(after[image] is server for image, server in before.items() if server is not lost)
    assert len(lost.bodies) <= 5, "it is asked again now and then, not by everybody"


async def test_a_call_that_waits_for_a_lost_endpoint_goes_elsewhere() -> None:
    release = asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await sends("gone", 503)(request)

    async with (
        serving(Scripted(otherwise=held)) as slow,
        serving(Scripted()) as other,
        make_client(slow, other, max_in_flight=3) as client,
    ):
        asked = [asyncio.create_task(client.ask(asking(image))) for image in range(12)]
        while slow.busy < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        release.set()
        answers = await asyncio.gather(*asked)
    assert {answer.kind for answer in answers} == {"ok"}
    assert len(other.bodies) == 12


async def test_an_endpoint_that_comes_back_gets_images_again(four: list[Scripted], waits: Waits) -> None:
    async with make_client(*four[:2], waits=waits) as client:
        for image in range(20):
            await client.ask(asking(image))
        four[0].steps = [sends("no", 503)] * 3
        for image in range(20):
            await client.ask(asking(image, 1))
        four[0].bodies.clear()
        waits.time += 20
        for image in range(20, 120):
            await client.ask(asking(image))
    assert len(images_of(four[0])) >= 4
    assert not client.outages


async def test_errors_move_images_away_for_a_while_but_are_no_outage(four: list[Scripted]) -> None:
    async with make_client(*four[:2]) as client:
        four[0].otherwise = sends("broken", 500)
        answers = [await client.ask(asking(image)) for image in range(30)]
        assert not client.outages
    failed = sum(answer.kind == "server" for answer in answers)
    assert failed <= 4
    assert len(four[1].bodies) >= 26


def pace_of(capacity: int, seconds: int) -> tuple[Pace, list[int]]:
    """A pace beside a server that runs `capacity` requests and tells its queue every second."""
    pace = Pace()
    limits = []
    for _ in range(seconds):
        flight = pace.limit
        pace.told(min(flight, capacity), max(0, flight - capacity), flight)
        limits.append(pace.limit)
    return pace, limits


@pytest.mark.parametrize("capacity", [1, 4, 8, 32, 64, 200, 700])
def test_a_limit_settles_just_above_what_the_server_runs(capacity: int) -> None:
    _, limits = pace_of(capacity, 60)
    settled = limits[20:]
    assert min(settled) >= capacity, "always busy"
    assert max(settled) <= capacity + max(3, 0.4 * capacity), "with a short queue"


def test_a_few_refusals_among_many_replies_do_not_strangle_an_endpoint() -> None:
    pace, now = Pace(), 0.0
    for number in range(20_000):
        flight = pace.limit
        now += 1 / min(flight, 64)
        if number % 25:
            pace.replied(1.0, flight, now)
        else:
            pace.refused(now)
    assert pace.limit >= 48


def test_a_limit_does_not_grow_beyond_what_is_used() -> None:
    pace = Pace()
    for _ in range(100):
        pace.told(3, 0, 3)
    assert pace.limit == START


def test_a_refusal_lowers_the_limit_once_for_all_that_were_in_flight() -> None:
    pace = Pace()
    pace.replied(10.0, 1, 99.0)
    for _ in range(20):
        pace.refused(100.0)
    assert pace.limit == int(START * 0.7)
    pace.refused(111.0)
    assert pace.limit == int(START * 0.7 * 0.7)


@pytest.mark.parametrize("capacity", [8, 64, 256])
def test_without_a_told_queue_the_limit_follows_the_replies_a_second(capacity: int) -> None:
    """Replies of one second each from a server that runs `capacity` at a time, and queues the rest."""
    pace, now, replies = Pace(), 0.0, 0
    while now < 300:
        flight = pace.limit
        rate = min(flight, capacity)
        now += 1 / rate
        replies += 1
        pace.replied(flight / rate, flight, now)
    assert min(capacity, START) <= pace.limit <= max(1.6 * capacity, 1.5 * START)


VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny-vlm"} 3.0
vllm:num_requests_running{engine="1",model_name="tiny-vlm"} 2.0
vllm:num_requests_waiting{engine="0",model_name="tiny-vlm"} 4.0
vllm:num_requests_waiting{engine="1",model_name="tiny-vlm"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
"""


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        (VLLM, Queue(5, 4)),
        ("sglang:num_running_reqs 7\nsglang:num_queue_reqs 2\n", Queue(7, 2)),
        ("llamacpp:requests_processing 1\nllamacpp:requests_deferred 3\n", Queue(1, 3)),
        ("process_cpu_seconds_total 3\n\n{\n", None),
        ("vllm:num_requests_waiting nonsense\n", None),
        ("vllm:num_requests_waiting 1.5e+01", Queue(0, 15)),
        ("vllm:num_requests_waiting ...\n", None),
        ("vllm:num_requests_waiting 1.5e\n", None),
        ("vllm:num_requests_waiting 5e-1\n", Queue(0, 0.5)),
        ("<html>", None),
        ("", None),
    ],
)
def test_the_queue_is_read_from_what_engines_tell(text: str, queue: Queue | None) -> None:
    assert read_queue(text) == queue


def test_images_go_to_endpoints_by_their_limits() -> None:
    endpoints = [Endpoint(url=f"http://127.0.0.1:{port}/v1", model="m") for port in range(1, 5)]
    pool = Pool(endpoints, Clock())
    for lane, limit in zip(pool.lanes, (8, 16, 32, 64), strict=True):
        settle_at(lane, limit)
    homes = Counter(pool.pick("judge", f"image {number}").pace.limit for number in range(2000))
    assert all(0.75 < homes[limit] / 2000 / (limit / 120) < 1.3 for limit in (8, 16, 32, 64))


def settle_at(lane: Lane, limit: int) -> None:
    for _ in range(30):
        lane.pace.told(min(limit, lane.pace.limit), max(0, lane.pace.limit - limit), lane.pace.limit)
        if lane.pace.limit == limit:
            return
        lane.pace = Pace(limit)
        for _ in range(20):
            lane.pace.told(lane.pace.limit, 0, lane.pace.limit)


async def test_schemas_are_put_into_the_prompt_of_a_server_that_ignores_them(server: Scripted) -> None:
    async def careless(request: web.Request) -> web.StreamResponse:
        said = server.raw[-1].decode()
        fits = "this JSON schema names" in said
        return await says('Sure!\n```json\n{"id": "q1", "score": 7}\n```' if fits else "The score is 7.")(request)

    server.otherwise = careless
    async with make_client(server) as client:
        answers = [await client.ask(make_ask(f"s{number}")) for number in range(8)]
        assert client.lanes[0].ignores_schema
    assert [answer.kind for answer in answers] == ["ok"] * 8
    assert [answer.calls for answer in answers] == [2, 2, 1, 1, 1, 1, 1, 1]


async def test_one_bad_reply_among_good_ones_changes_no_prompt(server: Scripted) -> None:
    async with make_client(server) as client:
        for number in range(12):
            if number in (3, 9):
                server.steps = [says('{"id": "q1", "score": 11}')]
            await client.ask(make_ask(f"s{number}"))
        assert not client.lanes[0].ignores_schema


class Keeping:
    """Plays a server that keeps images by their uuid, as vLLM does."""

    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.images: set[str] = set()
        self.with_bytes = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        for part in (await request.json())["messages"][-1]["content"]:
            if part["type"] == "image_url" and part["image_url"] is None:
                if not self.keeps:
                    return await sends('{"error": {"message": "image_url must not be null"}}', 400)(request)
                if part["uuid"] not in self.images:
                    return await sends('{"error": {"message": "Cache miss for image at index 0."}}', 400)(request)
            elif part["type"] == "image_url":
                self.with_bytes += 1
                self.images.add(part.get("uuid", ""))
        return await says()(request)


async def test_an_image_is_sent_once_to_a_server_that_keeps_it(server: Scripted) -> None:
    server.otherwise = keeping = Keeping()
    async with make_client(server, image_uuid=True) as client:
        for number in range(5):
            assert (await client.ask(make_ask(f"s{number}"))).kind == "ok"
        assert keeping.with_bytes == 1
        keeping.images.clear()
        answer = await client.ask(make_ask("again"))
    assert (answer.kind, keeping.with_bytes) == ("ok", 2)
    assert len(server.bodies) == 7, "a miss is answered by sending the image"


async def test_a_server_that_keeps_no_images_gets_them_every_time(server: Scripted) -> None:
    server.otherwise = keeping = Keeping(keeps=False)
    async with make_client(server, image_uuid=True) as client:
        answers = [await client.ask(make_ask(f"s{number}")) for number in range(4)]
        assert not client.lanes[0].held.trusted
    assert {answer.kind for answer in answers} == {"ok"}
    assert (keeping.with_bytes, len(server.bodies)) == (4, 5)


async def test_a_server_that_forgets_every_image_gets_them_every_time_after_a_while(server: Scripted) -> None:
    server.otherwise = keeping = Keeping()
    async with make_client(server, image_uuid=True) as client:
        for number in range(20):
            keeping.images.clear()
            assert (await client.ask(make_ask(f"s{number}"))).kind == "ok"
    assert len(server.bodies) == 20 + 3


def test_a_lane_learns_nothing_from_what_other_requests_still_bring() -> None:
    lane = Lane(Endpoint(url="http://127.0.0.1:1/v1", model="m"), Clock())
    assert not lane.down and lane.ready
    lost = Attempt(Reply("unreachable", detail="no connection"), connected=False)
    lane.settle(lost, Turn.SLOT, 0.1)
    assert lane.down
    left = lane.quiet_left
    for _ in range(20):
        lane.settle(lost, Turn.SLOT, 0.1)
    assert lane.quiet_left <= left, "the first probe is not put off by those that were in flight with it"


async def test_whoever_would_ask_whether_an_endpoint_is_back_hears_of_it() -> None:
    lane = Lane(Endpoint(url="http://127.0.0.1:1/v1", model="m"), Clock())
    lost = Attempt(Reply("rate-limited", detail="busy"), retry_after="300")
    for _ in range(3):
        lane.settle(lost, Turn.SLOT, 0.1)
    waiting = asyncio.create_task(lane.enter())
    await asyncio.sleep(0)
    assert lane.down and not lane.ready
    lane.settle(Attempt(Reply("ok", "{}", http_status=200)), Turn.SLOT, 0.1)
    assert await asyncio.wait_for(waiting, 5) is Turn.AGAIN
    assert lane.ready and not lane.down


async def test_a_refused_probe_of_an_endpoint_that_is_back_is_one_refusal() -> None:
    lane = Lane(Endpoint(url="http://127.0.0.1:1/v1", model="m"), Clock())
    lane.settle(Attempt(Reply("rate-limited", detail="busy")), Turn.PROBE, 0.1)
    assert lane.quiet_left < 1 and not lane.down


async def test_a_request_that_is_wrong_in_itself_says_nothing_of_images(server: Scripted) -> None:
    keeping = Keeping()

    async def strict(request: web.Request) -> web.StreamResponse:
        if "too long" in server.raw[-1].decode():
            return await sends('{"error": {"message": "maximum context length"}}', 400)(request)
        return await keeping(request)

    server.otherwise = strict
    async with make_client(server, image_uuid=True) as client:
        first = make_ask("s0")
        assert (await client.ask(first)).kind == "ok"
        long = make_ask("s1", messages=(*first.messages, Message("user", (TextPart("too long"),))))
        assert (await client.ask(long)).kind == "bad-request"
        assert client.lanes[0].held.trusted
