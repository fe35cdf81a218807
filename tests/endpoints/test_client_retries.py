"""The one retry layer: how often the server is asked, and when."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Message, TextPart
from evolgraph.endpoints.client import Client
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.limits import Room, Slots
from evolgraph.endpoints.probing import probe
from evolgraph.endpoints.retries import retry_after

from .conftest import Book, Pictures, Scripted, Step, Waits, make_ask, make_client, resets, says, sends, serving

SECRET = "sk-sentinel-0123456789"


async def half_a_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("step", "kind", "requests"),
    [
        (sends("oops", 500), "server", 3),
        (sends("gateway timeout", 504), "server", 3),
        (sends("<html>", 200), "garbled", 3),
        (resets, "unreachable", 3),
        (half_a_body, "unreachable", 3),
        (sends("no", 400), "bad-request", 1),
        (sends("no", 422), "bad-request", 1),
    ],
)
async def test_a_lasting_failure_ends_after_so_many_requests(
    server: Scripted, book: Book, step: Step, kind: str, requests: int
) -> None:
    server.otherwise = step
    async with make_client(server, book=book) as client:
        answer = await client.ask(make_ask())
    assert (answer.kind, len(server.bodies)) == (kind, requests)
    assert (book.only["kind"], book.only["attempts"]) == (kind, requests)
    assert client.stats.failures == {kind: 1}


@pytest.mark.parametrize("step", [sends("oops", 500), sends("busy", 429), resets, half_a_body])
async def test_a_passing_failure_is_not_noticed(server: Scripted, book: Book, step: Step) -> None:
    server.steps = [step]
    async with make_client(server, book=book) as client:
        answer = await client.ask(make_ask())
    assert (answer.kind, answer.calls, book.only["attempts"]) == ("ok", 1, 2)
    assert server.raw[0] == server.raw[1]


async def test_the_ledger_says_what_may_have_been_billed_twice(server: Scripted, book: Book) -> None:
    server.steps = [resets]
    async with make_client(server, book=book) as client:
        await client.ask(make_ask())
    assert (book.only["kind"], book.only["maybe_billed"]) == ("ok", 1)


async def test_a_failure_that_left_no_reply_is_not_replayed(server: Scripted, book: Book) -> None:
    server.steps = [sends("oops", 500)] * 3
    async with make_client(server, book=book) as client:
        assert (await client.ask(make_ask())).kind == "server"
        answer = await client.ask(make_ask())
    assert (answer.kind, answer.replayed, book.only["kind"]) == ("ok", 0, "ok")


async def test_nobody_asks_again_before_the_server_said(server: Scripted, waits: Waits) -> None:
    seen: list[float] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(waits.time)
        return await (sends("busy", 429, Retry_After="120") if len(seen) == 1 else says())(request)

    server.otherwise = note
    async with make_client(server, waits=waits, max_in_flight=1) as client:
        answers = await asyncio.gather(*(client.ask(make_ask(f"s{i}")) for i in range(10)))
    assert {answer.kind for answer in answers} == {"ok"}
    assert len(seen) == 11
    assert all(later >= seen[0] + 120 for later in seen[1:])


@pytest.mark.parametrize("header", ["-1", "inf", "nan", "junk", "", "9" * 400])
async def test_a_senseless_header_means_backoff(server: Scripted, waits: Waits, header: str) -> None:
    server.steps = [sends("busy", 429, Retry_After=header)]
    async with make_client(server, waits=waits) as client:
        assert (await client.ask(make_ask())).kind == "ok"
    assert sum(waits.waited) <= 300


def test_the_header_may_be_seconds_or_a_date() -> None:
    assert retry_after("2") == 2
    assert retry_after("0.5") == 0.5
    soon = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert soon and 80 < soon <= 90
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_server_that_refuses_everything_is_waited_for(
    server: Scripted, book: Book, waits: Waits, status: int
) -> None:
    server.steps = [sends("busy", status)] * 200
    async with make_client(server, book=book, waits=waits) as client:
        answers = await asyncio.gather(*(client.ask(make_ask(f"s{i}")) for i in range(4)))
        assert not client.outages
    assert {answer.kind for answer in answers} == {"ok"}
    assert len(server.bodies) == 204
    # All that were in flight were refused; then it was asked once in five seconds, by one at a time.
    assert waits.time - 1000 >= 5 * (200 - 4 - 2)


async def test_what_a_server_refuses_alone_is_given_up(server: Scripted, book: Book) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        return await (sends("busy", 429) if "s0" in server.raw[-1].decode() else says())(request)

    server.otherwise = picky
    asked = make_ask("s0", messages=(Message("user", (TextPart("about s0"),)),))
    async with make_client(server, book=book) as client, asyncio.TaskGroup() as tasks:
        refused = tasks.create_task(client.ask(asked))
        number = 0
        while not refused.done():
            number += 1
            other = make_ask(f"t{number}", messages=(Message("user", (TextPart("t"),)),))
            assert (await client.ask(other)).kind == "ok"
    assert refused.result().kind == "rate-limited"
    assert sum(b"s0" in raw for raw in server.raw) == 12


async def test_a_call_that_is_refused_alone_does_not_keep_the_others_from_a_server_that_is_back(
    server: Scripted,
) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        down = len(server.bodies) <= 5 or "s0" in server.raw[-1].decode()
        return await (sends("busy", 503) if down else says())(request)

    server.otherwise = picky
    async with make_client(server, max_in_flight=1) as client:
        refused = asyncio.create_task(client.ask(make_ask("s0", messages=(Message("user", (TextPart("s0"),)),))))
        while not client.outages:  # noqa: ASYNC110
            await asyncio.sleep(0)
        others = [client.ask(make_ask(f"t{number}")) for number in range(4)]
        answers = await asyncio.wait_for(asyncio.gather(*others), 20)
        refused.cancel()
    assert {answer.kind for answer in answers} == {"ok"}


async def test_a_call_that_nothing_but_a_greeting_is_beside_is_given_up(server: Scripted, book: Book) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        return await (says("yes") if "Say yes." in server.raw[-1].decode() else sends("busy", 503))(request)

    server.otherwise = picky
    async with make_client(server, book=book) as client:
        answer = await client.ask(make_ask())
        assert client.stats.sent == len(server.bodies)
    assert (answer.kind, answer.detail) == ("server", "HTTP 503: busy")
    greetings = [body for body in server.bodies if "response_format" not in body]
    assert 3 <= len(greetings) <= 8
    assert all(body["max_tokens"] == 16 for body in greetings)
    assert len(server.bodies) <= 80


async def test_a_lone_call_waits_for_a_server_that_refuses_greetings_too(server: Scripted, waits: Waits) -> None:
    server.steps = [sends("busy", 503)] * 300
    async with make_client(server, waits=waits) as client:
        assert (await client.ask(make_ask())).kind == "ok"
    assert waits.time - 1000 >= 5 * (300 - 3)


async def test_a_server_that_was_not_there_at_first_is_asked_what_it_is(unused_tcp_port: int) -> None:
    server = Scripted(models=sends('{"data": [{"id": "toy", "owned_by": "vllm"}]}'))
    server.url = f"http://127.0.0.1:{unused_tcp_port}/v1"
    async with Client([server.endpoint()], Pictures(), None, run_seed=3) as client:
        asked = asyncio.create_task(client.ask(make_ask()))
        while not client.outages:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with serving(server, port=unused_tcp_port):
            assert (await asyncio.wait_for(asked, 20)).kind == "ok"
            assert (await client.ask(make_ask("s2"))).kind == "ok"
    assert not any("seed" in body for body in server.bodies)
    shown = [body["messages"][1]["content"][0] for body in server.bodies]
    assert [bool(part["uuid"] and part["image_url"]) for part in shown] == [True, False], "each image is sent once"


async def test_a_server_that_is_not_there_is_waited_for_and_then_stops_the_run(book: Book, waits: Waits) -> None:
    async with serving(Scripted()) as gone:
        pass
    async with make_client(gone, book=book, waits=waits) as client:
        with pytest.raises(EndpointError, match="no connection") as caught:
            await client.ask(make_ask())
        assert [lane.endpoint.url for lane in client.outages] == [gone.url]
    assert caught.value.kind == "unreachable"
    assert waits.time - 1000 > 3600
    assert client.stats.sent <= 3600 / 5 + 3
    assert (book.only["kind"], book.only["attempts"], book.only["maybe_billed"]) == ("cut-off", 0, 0)


async def test_spent_credit_stops_the_run(server: Scripted) -> None:
    server.otherwise = sends('{"error": {"message": "You exceeded it", "code": "insufficient_quota"}}', 429)
    async with make_client(server) as client:
        with pytest.raises(EndpointError, match="no quota left") as caught:
            await client.ask(make_ask())
    assert (caught.value.kind, len(server.bodies)) == ("quota", 1)


async def test_a_lost_connection_is_followed_by_a_fresh_one() -> None:
    """One that a server closed while it was idle may be lost; the next attempt takes none that was idle."""
    ports: list[tuple[int, bool]] = []

    async def once_then_reset(request: web.Request) -> web.StreamResponse:
        assert request.transport
        port = request.transport.get_extra_info("peername")[1]
        used = any(port == earlier for earlier, _ in ports)
        ports.append((port, used))
        return await (resets if used else says())(request)

    async with serving(Scripted(otherwise=once_then_reset)) as server, make_client(server) as client:
        answers = [await client.ask(make_ask(f"s{i}")) for i in range(6)]
    assert {answer.kind for answer in answers} == {"ok"}
    assert [used for _, used in ports].count(True) > 0
    assert client.stats.sent - len(answers) == [used for _, used in ports].count(True)


async def test_connections_that_the_server_closes_when_idle_cost_nothing() -> None:
    async with serving(Scripted(), keepalive_timeout=0.004) as server, make_client(server) as client:
        for i in range(60):
            assert (await client.ask(make_ask(f"s{i}"))).kind == "ok"
            await asyncio.sleep(0.003 + 0.002 * (i % 3))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_stops_the_run_and_is_named_nowhere(
    server: Scripted, book: Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("TOY_KEY", SECRET)
    server.otherwise = sends(f"Incorrect API key: {SECRET}", status)
    async with make_client(server, book=book, key_env="TOY_KEY") as client:
        with pytest.raises(EndpointError) as caught:
            await client.ask(make_ask())
        with pytest.raises(EndpointError):
            await client.ask(make_ask("s2"))
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
    assert (caught.value.kind, len(server.bodies), book.only["kind"]) == ("auth", 1, "auth")
    told = f"{caught.value!r} {caught.value} {server.endpoint(key_env='TOY_KEY')!r} {vars(client)} {caplog.text}"
    assert SECRET not in told
    assert server.url in str(caught.value) and "key_env" in str(caught.value)


async def test_an_account_without_credit_is_told_so_and_not_that_its_key_is_wrong(server: Scripted) -> None:
    server.otherwise = sends('{"error": {"message": "Insufficient credits"}}', 402)
    async with make_client(server) as client:
        with pytest.raises(EndpointError, match=r"no quota left \(HTTP 402: Insufficient credits\) \(add credit\)"):
            await client.ask(make_ask())
    assert len(server.bodies) == 1


async def test_a_quoted_key_does_not_reach_the_records(
    server: Scripted, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_KEY", SECRET)
    server.otherwise = sends(f'{{"error": {{"message": "bad header Bearer {SECRET}"}}}}', 400)
    async with make_client(server, book=book, key_env="TOY_KEY") as client:
        answer = await client.ask(make_ask())
    assert SECRET not in f"{answer} {book.calls}"
    assert "bad header Bearer ***" in answer.detail


@pytest.mark.parametrize("value", [None, "", "a\nb"])
async def test_an_unusable_key_is_told_by_its_variable(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("TOY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TOY_KEY", value)
    async with make_client(server, key_env="TOY_KEY") as client:
        with pytest.raises(EndpointError, match="TOY_KEY holds no usable key"):
            await client.ask(make_ask())
    assert not server.bodies


@pytest.mark.parametrize("status", [404, 302])
async def test_an_unknown_model_or_path_stops_the_run(server: Scripted, book: Book, status: int) -> None:
    server.otherwise = sends('{"message": "no model toy"}', status, Location="http://127.0.0.1:1/")
    async with make_client(server, book=book) as client:
        with pytest.raises(EndpointError) as caught:
            await client.ask(make_ask())
    assert (caught.value.kind, len(server.bodies), book.only["kind"]) == ("not-found", 1, "not-found")


async def test_a_probe_finds_what_would_stop_a_run(server: Scripted) -> None:
    await probe(server.endpoint())
    with pytest.raises(EndpointError, match=r"does not serve the model other \(served: toy"):
        await probe(server.endpoint(model="other"))
    server.models = sends("<html>")
    with pytest.raises(EndpointError, match="not an OpenAI-compatible server"):
        await probe(server.endpoint())
    server.models = sends("no", 401)
    with pytest.raises(EndpointError, match=r"refused the key .*--key-env NAME"):
        await probe(server.endpoint())


async def test_vllm_is_asked_without_a_seed_and_others_with_one(server: Scripted) -> None:
    async with make_client(server) as client:
        await client.ask(make_ask())
    server.models = sends('{"data": [{"id": "toy", "owned_by": "vllm"}]}')
    probed = await probe(server.endpoint())
    assert (probed.send_seed, probed.image_uuid) == (False, True)
    async with make_client(server, send_seed=probed.send_seed) as client:
        await client.ask(make_ask())
    assert ["seed" in body for body in server.bodies] == [True, False]
    assert (await probe(server.endpoint(send_seed=True))).send_seed is True, "what the user says counts"


async def test_a_probe_of_nothing_names_the_address_and_the_remedy() -> None:
    async with serving(Scripted()) as gone:
        pass
    with pytest.raises(EndpointError) as caught:
        await probe(gone.endpoint())
    assert caught.value.kind == "unreachable"
    assert str(caught.value).startswith(gone.url) and "start the server" in str(caught.value)


async def test_slots_are_given_in_order_and_survive_cancellation() -> None:
    slots, order = Slots(lambda: 1), []

    async def work(name: int) -> None:
        assert await slots.take()
        order.append(name)
        await asyncio.sleep(0)
        slots.give_back()

    tasks = [asyncio.create_task(work(name)) for name in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    tasks[4].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3, 5]
    assert (slots.in_flight, slots.load) == (0, 0)


async def test_a_lowered_capacity_takes_effect_as_slots_come_back() -> None:
    capacity, most = 3, 0
    slots = Slots(lambda: capacity)

    async def work() -> None:
        nonlocal most, capacity
        assert await slots.take()
        await asyncio.sleep(0)
        capacity = 1
        most = max(most, slots.in_flight)
        await asyncio.sleep(0)
        slots.give_back()

    await asyncio.gather(*(work() for _ in range(9)))
    assert (most, slots.in_flight) == (3, 0)


async def test_whoever_waits_can_be_sent_away() -> None:
    slots = Slots(lambda: 1)
    assert await slots.take()
    waiting = [asyncio.create_task(slots.take()) for _ in range(3)]
    await asyncio.sleep(0)
    slots.send_away(1)
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False, False]
    slots.send_away()
    assert await asyncio.gather(*waiting) == [False, False, False]
    slots.give_back()
    assert (slots.in_flight, slots.load) == (0, 0)


async def test_when_one_that_is_sent_away_is_cancelled_the_next_one_goes() -> None:
    slots = Slots(lambda: 0)
    first, second = [asyncio.create_task(slots.take()) for _ in range(2)]
    await asyncio.sleep(0)
    slots.send_away(1)
    first.cancel()
    assert await asyncio.wait_for(second, 5) is False


async def test_bytes_in_flight_are_bounded_and_what_is_larger_goes_alone() -> None:
    room = Room(100)
    most = 0

    async def work(size: int) -> None:
        nonlocal most
        await room.take(size)
        most = max(most, room.held if room.held != size else 0)
        await asyncio.sleep(0)
        room.give_back(size)

    tasks = [asyncio.create_task(work(size)) for size in (60, 60, 40, 250, 10, 90, 30)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert 60 < most <= 100
    assert room.held == 0
