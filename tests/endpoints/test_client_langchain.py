"""LangChain chat models in the place of servers."""

import asyncio
import random
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Usage
from evolgraph.endpoints.client import Client, Endpoint
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.gate import Budget, Gate, Stopped
from evolgraph.endpoints.langchain import ChatEndpoint
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from .conftest import GOOD, Book, Pictures, Scripted, Waits, make_ask, make_client, resets, says, sends

SECRET = "sk-sentinel-0123456789"


def chat_openai(server: Scripted, **changes: Any) -> ChatOpenAI:
    named = {"model": "toy", "base_url": server.url, "api_key": SecretStr(SECRET), "temperature": 0.5} | changes
    return ChatOpenAI(**named)


def client_of(*endpoints: Endpoint, book: Book | None = None, waits: Waits | None = None, **named: Any) -> Client:
    clock = (waits or Waits()).clock()
    return Client(endpoints, Pictures(), book, run_seed=3, clock=clock, rng=random.Random(1), **named)


def scripted(server: Scripted, book: Book | None = None, **changes: Any) -> Client:
    """A client whose one endpoint is a model made in a script, with ChatOpenAI's own retries left on."""
    return client_of(ChatEndpoint(chat=chat_openai(server, **changes)), book=book)


def configured(server: Scripted, book: Book | None = None, **changes: Any) -> Client:
    """A client whose one endpoint asks for `ChatOpenAI`, as a config file can."""
    return client_of(server.endpoint(provider="openai", **changes), book=book)


async def test_a_seed_is_left_out_for_servers_that_take_none(server: Scripted) -> None:
    async with configured(server, send_seed=False) as client:
        await client.ask(make_ask())
    assert "seed" not in server.bodies[0]


@pytest.mark.parametrize("make", [scripted, configured])
async def test_a_chat_model_answers_repairs_and_replays(make: Any, server: Scripted, book: Book) -> None:
    server.steps = [says("no idea")]
    async with make(server, book) as client:
        answer = await client.ask(make_ask())
    assert answer.value and (answer.kind, answer.calls, answer.value.score) == ("ok", 2, 7)
    assert answer.usage.prompt_tokens == 200
    assert (client.stats.sent, client.stats.received, client.stats.completion_tokens) == (2, 2, 40)
    first, second = server.bodies
    assert first["response_format"]["json_schema"]["name"] == "judge"
    assert first["messages"][1]["content"][0]["image_url"]["url"].startswith("data:image/png")
    assert first["seed"] != second["seed"]
    assert second["messages"][3]["content"][0]["text"].startswith("mend this")
    async with make(server, book) as client:
        again = await client.ask(make_ask())
    assert (again.replayed, client.stats.sent, len(server.bodies)) == (2, 0, 2)


async def test_a_chat_model_is_asked_what_the_http_client_asks(server: Scripted) -> None:
    plain = {"temperature": 0.5, "max_tokens": 99, "extra_body": {"top_k": 4}}
    by_hand = chat_openai(server, max_tokens=99, extra_body={"top_k": 4})
    for client in (make_client(server, **plain), configured(server, **plain), client_of(ChatEndpoint(chat=by_hand))):
        async with client:
            await client.ask(make_ask())
    http, *others = server.bodies
    for body in others:
        assert body.pop("max_completion_tokens") == 99
        for field in ("model", "temperature", "seed", "response_format", "top_k"):
            assert body[field] == http[field]
        assert [turn["role"] for turn in body["messages"]] == [turn["role"] for turn in http["messages"]]
        assert body["messages"][1] == http["messages"][1]


async def test_a_reply_received_over_http_is_replayed_for_the_same_chat_model(server: Scripted, book: Book) -> None:
    async with make_client(server, book=book, temperature=0.5, max_tokens=99) as client:
        await client.ask(make_ask())
    for limit in (99, 198):
        async with scripted(server, book, max_tokens=limit) as client:
            assert (await client.ask(make_ask())).replayed == 1
    async with scripted(server, book, max_tokens=99, top_p=0.0) as client:
        assert (await client.ask(make_ask())).replayed == 0


@pytest.mark.parametrize(
    ("step", "kind", "requests"),
    [
        (says(GOOD, finish_reason="length"), "truncated", 1),
        (says(None, refusal="no"), "refusal", 1),
        (says(None), "empty", 1),
        (sends("<html>"), "garbled", 3),
        (sends("oops", 500), "server", 3),
        (resets, "unreachable", 3),
        (sends("no", 400), "bad-request", 1),
    ],
)
@pytest.mark.parametrize("make", [scripted, configured])
async def test_failures_keep_their_names_and_one_layer_retries(
    make: Any, server: Scripted, book: Book, step: Any, kind: str, requests: int
) -> None:
    server.otherwise = step
    async with make(server, book) as client:
        answer = await client.ask(make_ask())
    assert (answer.value, answer.kind, len(server.bodies)) == (None, kind, requests)
    assert client.stats.sent == book.only["attempts"] == requests
    assert book.only["maybe_billed"] == (requests if kind in ("garbled", "server", "unreachable") else 0)


async def test_nobody_there_is_told_from_a_lost_connection(server: Scripted, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/v1"
    for endpoint in (server.endpoint(url=url, provider="openai"), ChatEndpoint(chat=chat_openai(server, base_url=url))):
        async with client_of(endpoint) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.ask(make_ask()), 0.5)
            (lane,) = client.outages
            assert lane.why.startswith("no connection")


async def test_a_slow_reply_is_a_timeout(server: Scripted) -> None:
    async def sleeps(request: Any) -> Any:
        await asyncio.sleep(30)

    server.otherwise = sleeps
    async with configured(server, timeout_s=0.2) as client:
        answer = await client.ask(make_ask())
    assert (answer.kind, answer.detail, len(server.bodies)) == ("timeout", "no complete reply within 0.2 s", 1)


async def test_what_the_server_asks_for_is_waited(server: Scripted) -> None:
    waits = Waits()
    server.steps = [sends("busy", 429, Retry_After="7"), sends("busy", 429)]
    async with client_of(server.endpoint(provider="openai"), waits=waits) as client:
        assert (await client.ask(make_ask())).kind == "ok"
    assert len(server.bodies) == client.stats.sent == 3
    assert sum(waits.waited) > 6.99


async def test_a_refused_key_stops_the_run_and_is_not_told(server: Scripted, book: Book) -> None:
    server.otherwise = sends(f'{{"error": {{"message": "bad key {SECRET}"}}}}', 401)
    async with scripted(server, book) as client:
        with pytest.raises(EndpointError) as caught:
            await client.ask(make_ask())
    assert caught.value.kind == "auth"
    assert SECRET not in str(caught.value) + str(book.calls)


@pytest.mark.parametrize("make", [scripted, configured])
async def test_keys_are_sent_and_nowhere_else(
    make: Any, server: Scripted, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_KEY", SECRET)
    named = {"key_env": "TOY_KEY"} if make is configured else {}
    server.steps = [sends(f"what is {SECRET}?", 400), says(f"I was given {SECRET}")]
    async with make(server, book, **named) as client:
        for sample in ("s1", "s2"):
            answer = await client.ask(make_ask(sample))
        shown = repr([client.lanes[0].endpoint, vars(client), answer, *book.calls.values()])
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
    assert "what is ***?" in shown
    assert SECRET not in shown


async def test_an_absent_key_is_named_before_anything_is_sent(server: Scripted) -> None:
    with pytest.raises(EndpointError, match="TOY_KEY"):
        async with configured(server, key_env="TOY_KEY"):
            pass
    assert not server.bodies


async def test_without_a_key_none_of_the_environment_is_sent(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    async with configured(server) as client:
        await client.ask(make_ask())
    assert SECRET not in str(server.headers)


async def test_the_budget_counts_and_stops_chat_models_too(server: Scripted) -> None:
    gate = Gate(Budget(calls=1))
    async with client_of(server.endpoint(provider="openai"), gate=gate) as client:
        assert (await client.ask(make_ask("s1"))).kind == "ok"
        with pytest.raises(Stopped):
            await client.ask(make_ask("s2"))
    assert (len(server.bodies), gate.reason) == (1, "budget of 1 calls is spent")


class Noting(GenericFakeChatModel):
    """Some other provider's model: it says what it is told to say, and notes what it was asked."""

    seen: list[str]
    max_retries: int = 0

    def _generate(self, messages: Any, *rest: Any, **named: Any) -> Any:
        self.seen.append(str([message.content for message in messages]))
        return super()._generate(messages, *rest, **named)


class Failing:
    """Has nothing but lost connections."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise ConnectionResetError("reset by peer")


@pytest.mark.parametrize("make", [make_client, configured])
async def test_a_flood_is_cut_off(make: Any, server: Scripted) -> None:
    megabytes = [0]

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(64):
            await response.write(b" " * 2**20)
            megabytes[0] += 1
        return response

    server.otherwise = step
    async with make(server) as client:
        answer = await client.ask(make_ask())
    assert (answer.kind, len(server.bodies)) == ("too-large", 1)
    assert megabytes[0] < 16


async def test_a_model_in_a_script_that_says_too_much_is_cut_short() -> None:
    chat = Noting(messages=iter([AIMessage(" " * (4 * 2**20 + 1))]), seen=[])
    async with client_of(ChatEndpoint(chat=chat)) as client:
        assert (await client.ask(make_ask())).kind == "too-large"


async def test_a_model_without_response_format_is_told_the_schema() -> None:
    chat = Noting(messages=iter([AIMessage(GOOD)]), seen=[])
    async with client_of(ChatEndpoint(chat=chat, model="other")) as client:
        answer = await client.ask(make_ask())
        assert client.identity("judge") == ("other", {})
    assert (answer.kind, answer.usage) == ("ok", Usage())
    assert '"additionalProperties":false' in chat.seen[0]


@pytest.mark.parametrize(("max_retries", "requests"), [(0, 3), (2, 1)])
async def test_a_model_that_retries_by_itself_is_not_asked_again(max_retries: int, requests: int) -> None:
    chat = Noting(messages=Failing(), max_retries=max_retries, seen=[])
    async with client_of(ChatEndpoint(chat=chat)) as client:
        answer = await client.ask(make_ask())
    assert (answer.kind, len(chat.seen)) == ("unreachable", requests)
