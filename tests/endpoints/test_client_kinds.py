"""Every way a reply can be bad has its own name, and none of them gives a value."""

import asyncio
import gzip
import json
import resource
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.chat import Usage

from .conftest import GOOD, Book, Scripted, Step, completion, make_ask, make_client, says, sends


async def kind_of(server: Scripted, step: Step, **endpoint: Any) -> str:
    server.otherwise = step
    book = Book()
    async with make_client(server, book=book, **endpoint) as client:
        answer = await client.ask(make_ask())
    assert (answer.value is None) == (answer.kind != "ok")
    assert list(book.calls.values())[-1]["kind"] == answer.kind
    assert answer.detail == "" if answer.kind == "ok" else answer.detail
    assert "\n" not in answer.detail
    return answer.kind


BAD = {
    "truncated": says(GOOD, finish_reason="length"),
    "refusal": says(None, refusal="I cannot look at faces."),
    "filtered": says(GOOD, finish_reason="content_filter"),
    "empty: no choices": sends('{"choices": []}'),
    "empty: no choices at all": sends('{"object": "error"}'),
    "empty: null": says(None),
    "empty: blank": says("  \n "),
    "empty: odd shapes": sends('{"choices": [{"message": [1]}], "usage": []}'),
    "not-json: prose": says("The answer is seven."),
    "not-json: cut, yet marked as stopped": says(GOOD[:-4]),
    "not-json: deep": says('{"id":' * 50_000),
    "schema: score 11": says('{"id": "q1", "score": 11}'),
    "schema: NaN": says('{"id": "q1", "score": 7, "weight": NaN}'),
    "schema: NaN for an integer": says('{"id": "q1", "score": NaN}'),
    "schema: missing field": says('{"id": "q1"}'),
    "not-json: no object": says("[]"),
    "garbled": sends("<html><body>Welcome</body></html>"),
    "garbled: a list": sends("[]"),
    "garbled: bad gzip": sends("x", Content_Encoding="gzip"),
    "too-large: a gzip bomb": sends(gzip.compress(b" " * 6 * 2**20), Content_Encoding="gzip"),
    "bad-request": sends('{"error": {"message": "max_tokens\\nis too large"}}', 400),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_reply_is_named(server: Scripted, name: str) -> None:
    assert await kind_of(server, BAD[name]) == name.partition(":")[0]


FINE = {
    "fence": f"Here it is:\n```json\n{GOOD}\n```\nI hope {{it}} helps.",
    "prose": f"Sure! {GOOD} That is all.",
    "thinking": f"<think>a {{brace}} and\n{{}}</think>\n{GOOD}",
    "thinking opened by the template": f"hm, {{so}}</think>{GOOD}",
    "a tag in a value": GOOD.replace("q1", "</think>"),
    "parts": [{"type": "text", "text": GOOD}],
}


@pytest.mark.parametrize("name", FINE)
async def test_what_stands_around_the_object_is_tolerated(server: Scripted, name: str) -> None:
    assert await kind_of(server, says(FINE[name])) == "ok"


async def test_a_compressed_reply_is_read(server: Scripted) -> None:
    body = gzip.compress(json.dumps(completion()).encode())
    assert await kind_of(server, sends(body, Content_Encoding="gzip")) == "ok"


async def test_separate_thinking_is_kept_but_not_parsed(server: Scripted, book: Book) -> None:
    server.otherwise = says("nonsense", reasoning_content="let me see")
    async with make_client(server, book=book) as client:
        await client.ask(make_ask())
    texts = [call["text"] for call in book.calls.values()]
    assert texts[0] == "<think>let me see</think>\nnonsense"
    assert server.bodies[1]["messages"][2]["content"] == "nonsense"


@pytest.mark.parametrize(
    "step",
    [
        says("<think>hm, ", finish_reason="length"),
        says(None, reasoning_content="hm, ", finish_reason="length"),
        says("", reasoning="hm, ", finish_reason="length"),
        says("\n", reasoning="hm, ", finish_reason="length"),
        says("◁think▷hm, ", finish_reason="length"),
    ],
    ids=["in the content", "reasoning_content", "reasoning", "blank content", "Kimi"],
)
async def test_a_limit_reached_while_thinking_is_a_kind_of_its_own(server: Scripted, step: Step, book: Book) -> None:
    server.otherwise = step
    async with make_client(server, book=book) as client:
        answer = await client.ask(make_ask())
    assert answer.kind == book.only["kind"] == "truncated-thinking"
    assert "while still thinking (raise max_tokens" in answer.detail
    assert "hm, " in book.only["text"]
    assert client.stats.failures == {"truncated-thinking": 1}


async def test_a_limit_reached_after_the_thinking_is_not(server: Scripted) -> None:
    assert await kind_of(server, says('<think>hm</think>{"id":', finish_reason="length")) == "truncated"


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (None, Usage()),
        ({"prompt_tokens": -5, "completion_tokens": "many"}, Usage()),
        (
            {"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(5, 4, 0),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 7}},
            Usage(5, None, 9, reasoning_tokens=7),
        ),
    ],
)
async def test_absent_or_senseless_token_counts_are_unknown(server: Scripted, told: Any, known: Usage) -> None:
    server.otherwise = says(usage=told)
    async with make_client(server) as client:
        answer = await client.ask(make_ask())
    assert answer.usage == known
    assert client.stats.unmetered == (known.prompt_tokens is None)


async def test_a_flood_is_cut_off(server: Scripted) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(50):
            await response.write(b" " * 2**20)
        return response

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await kind_of(server, flood) == "too-large"
    assert len(server.bodies) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.parametrize("begun", [False, True])
async def test_a_stalled_server_runs_into_the_timeout(server: Scripted, begun: bool) -> None:
    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b'{"choices": [')
        await asyncio.sleep(30)
        return response

    assert await kind_of(server, stall, timeout_s=0.2) == "timeout"
    assert len(server.bodies) == 1
