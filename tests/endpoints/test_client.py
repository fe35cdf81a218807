"""What a caller of the client gets, and what the server sees of it."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Answer, CallKey, ImagePart, Message, Usage
from evolgraph.endpoints.client import Client
from evolgraph.endpoints.errors import EndpointError
from evolgraph.samples.sample import Image

from .conftest import GOOD, SHA, Book, Pictures, Scripted, Verdict, make_ask, make_client, says, serving


async def ask(server: Scripted, book: Book | None = None, **changes: Any) -> Answer[Verdict]:
    async with make_client(server, book=book) as client:
        return await client.ask(make_ask(**changes))


async def test_an_ask_is_answered_with_a_validated_value(server: Scripted) -> None:
    async with make_client(server) as client:
        answer = await client.ask(make_ask())
    assert answer.value == Verdict(id="q1", score=7, weight=0.5)
    assert (answer.kind, answer.calls, answer.replayed) == ("ok", 1, 0)
    assert answer.usage == Usage(100, None, 20)
    assert (client.stats.sent, client.stats.received, client.stats.in_flight) == (1, 1, 0)


async def test_the_request_has_the_agreed_shape(server: Scripted) -> None:
    await ask(server)
    (body,) = server.bodies
    system, user = body["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "facts"},
        {"type": "text", "text": "task {}"},
    ]
    assert body["response_format"]["json_schema"]["name"] == "judge"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("toy", 1.0, 4096)
    assert 0 <= body["seed"] < 2**31
    assert "Authorization" not in server.headers[0]


async def test_the_same_ask_is_the_same_bytes_and_another_has_another_seed(server: Scripted) -> None:
    await ask(server)
    await ask(server)
    await ask(server, key=CallKey("s1", 1, "judge", take=1))
    await ask(server, key=CallKey("s1", 2, "judge"))
    assert server.raw[0] == server.raw[1]
    assert len({body["seed"] for body in server.bodies}) == 3


async def test_further_parameters_pass_through(server: Scripted) -> None:
    extra = {"chat_template_kwargs": {"thinking": False}}
    async with make_client(server, temperature=None, extra_body=extra) as client:
        await client.ask(make_ask())
    assert server.bodies[0]["chat_template_kwargs"] == {"thinking": False}
    assert "temperature" not in server.bodies[0]


async def test_an_image_is_encoded_once(server: Scripted) -> None:
    pictures = Pictures()
    async with Client([server.endpoint()], pictures, None, run_seed=3) as client:
        await asyncio.gather(*(client.ask(make_ask(f"s{i}")) for i in range(20)))
    assert pictures.asked == 1


async def test_a_bad_reply_gets_one_repair_turn_with_the_error(server: Scripted, book: Book) -> None:
    server.steps = [says('{"id": "q1", "score": 11}')]
    answer = await ask(server, book)
    assert (answer.kind, answer.calls) == ("ok", 2)
    assert answer.usage == Usage(200, None, 40)
    first, second = server.bodies
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2] == {"role": "assistant", "content": '{"id": "q1", "score": 11}'}
    mend = second["messages"][3]["content"]
    assert mend.startswith("mend this: score: Input should be less than or equal to 10")
    assert second["seed"] != first["seed"]
    assert [(call["step"], call["kind"]) for call in book.calls.values()] == [(0, "schema"), (1, "ok")]


async def test_a_second_bad_reply_ends_the_ask(server: Scripted) -> None:
    server.otherwise = says("no idea")
    answer = await ask(server)
    assert (answer.value, answer.kind, answer.calls) == (None, "not-json", 2)
    assert len(server.bodies) == 2


async def test_what_the_caller_checks_is_repaired_too(server: Scripted) -> None:
    answer = await ask(server, check=lambda value: None if value.id == "q2" else "there is no q1")
    assert (answer.kind, answer.detail) == ("check", "there is no q1")
    assert server.bodies[1]["messages"][3]["content"].startswith("mend this: there is no q1\n\nReply with one JSON")


@pytest.mark.parametrize("first", [GOOD, "no idea"])
async def test_a_recorded_call_is_replayed_without_a_request(server: Scripted, book: Book, first: str) -> None:
    server.steps = [says(first)]
    paid = await ask(server, book)
    sent = len(server.bodies)
    again = await ask(server, book)
    assert len(server.bodies) == sent
    assert (again.value, again.usage, again.calls) == (paid.value, paid.usage, paid.calls)
    assert (paid.replayed, again.replayed) == (0, paid.calls)


async def test_a_record_tells_the_whole_call(server: Scripted, book: Book) -> None:
    await ask(server, book)
    call = book.only
    assert call["messages"][1]["parts"][0] == {"type": "image", "sha256": SHA, "path": "a.png"}
    assert (call["sample"], call["round"], call["agent"], call["step"], call["take"]) == ("s1", 1, "judge", 0, 0)
    assert (call["model"], call["kind"], call["text"], call["error"]) == ("toy", "ok", GOOD, None)
    assert (call["endpoint"], call["attempts"], call["http_status"]) == (server.url, 1, 200)
    assert (call["finish_reason"], call["response_id"]) == ("stop", "cmpl-1")
    unknown = {"image_tokens": None, "reasoning_tokens": None}
    assert call["usage"] == {"prompt_tokens": 100, "cached_tokens": None, "completion_tokens": 20} | unknown
    assert call["started_ns"] <= call["ended_ns"]
    assert "base64" not in json.dumps(call)


async def test_the_key_of_a_call_does_not_depend_on_where_it_is_sent(server: Scripted, book: Book) -> None:
    await ask(server, book)
    async with serving(Scripted()) as other:
        answer = await ask(other, book)
    assert (answer.replayed, len(other.bodies)) == (1, 0)


async def test_requests_in_flight_stay_within_the_limit(server: Scripted) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.01)
        return await says()(request)

    server.otherwise = slowly
    async with make_client(server, max_in_flight=4) as client:
        answers = await asyncio.gather(*(client.ask(make_ask(f"s{i}")) for i in range(40)))
    assert {answer.kind for answer in answers} == {"ok"}
    assert server.most_busy == 4


async def test_a_cancelled_ask_closes_its_connection_and_frees_its_slot(server: Scripted) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        reached.set()
        try:
            await asyncio.sleep(60)
        finally:
            gone.set()
        return web.Response()

    server.steps = [hang]
    async with make_client(server, max_in_flight=1) as client:
        asked = asyncio.create_task(client.ask(make_ask()))
        queued = asyncio.create_task(client.ask(make_ask("s2")))
        await reached.wait()
        queued.cancel()
        asked.cancel()
        await asyncio.wait_for(gone.wait(), 1)
        assert (await client.ask(make_ask("s3"))).kind == "ok"
        assert client.stats.in_flight == 0
        assert (await asyncio.gather(asked, queued, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_an_image_sticks_to_one_of_several_endpoints(server: Scripted) -> None:
    async with serving(Scripted()) as other, make_client(server, other) as client:
        for i in range(10):
            await client.ask(make_ask(f"s{i}"))
    assert sorted([len(server.bodies), len(other.bodies)]) == [0, 10]


async def test_a_lost_endpoint_is_left_for_another(server: Scripted) -> None:
    async with serving(Scripted()) as lost:
        pass  # its port is closed again
    # Where an image goes depends on the ports; that none of this many goes to the lost one happens once in 2**48 runs.
    images = [Image(path="a.png", sha256=f"{i:064x}", width=4, height=4) for i in range(48)]
    asks = [make_ask(messages=(Message("user", (ImagePart(image),)),)) for image in images]
    async with make_client(server, lost) as client:
        answers = [await client.ask(one) for one in asks]
    assert {answer.kind for answer in answers} == {"ok"}
    assert client.stats.retries > 0


async def test_endpoints_of_one_role_must_serve_the_same(server: Scripted) -> None:
    with pytest.raises(EndpointError, match="need the same model"):
        Client([server.endpoint(), server.endpoint(model="other")], Pictures(), None, run_seed=3)


async def test_an_unknown_role_is_named(server: Scripted) -> None:
    with pytest.raises(EndpointError, match="no endpoint serves the role painter"):
        await ask(server, role="painter")
