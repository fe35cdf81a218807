"""What a client sees of each fault, and how the faults are chosen."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from evolgraph.agents.replies import EvolveReply, JudgeReply
from evolgraph.endpoints.builtin.faults import KINDS, FaultError, Faults, parse_fault
from evolgraph.endpoints.builtin.mishaps import FLOOD
from evolgraph.endpoints.builtin.server import Options
from pydantic import ValidationError

from .conftest import Client, chat, serving


def with_faults(*faults: str, **options: Any) -> Options:
    return Options(faults=tuple(map(parse_fault, faults)), **options)


async def stats(client: Client, query: str = "") -> dict[str, Any]:
    return json.loads((await client.get(f"/stats{query}"))[1])


def posted(client: Client) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    return client.session.post(f"{client.url}/chat/completions", json=chat())


async def choice(client: Client, task: str = "perception", **changes: Any) -> dict[str, Any]:
    status, reply = await client.post(chat(task, **changes))
    assert status == 200
    return reply["choices"][0]


@pytest.mark.parametrize("kind", ["400", "401", "404", "429", "500", "503"])
async def test_a_status_comes_in_the_shape_of_openai(kind: str) -> None:
    async with serving(with_faults(f"{kind}:1")) as client:
        assert (await client.get("/v1/models"))[0] == 200
        status, reply = await client.post(chat())
        assert (status, set(reply["error"])) == (int(kind), {"message", "type", "param", "code"})
        told = await stats(client)
    assert (told["faults"], told["statuses"], told["answered"]) == ({kind: 1}, {kind: 1}, 0)


@pytest.mark.parametrize("value", ["2", "-1", "inf", "junk", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
async def test_retry_after_is_sent_as_it_is_given(value: str) -> None:
    async with serving(with_faults(f"429={value}:1" if value else "429:1")) as client, posted(client) as reply:
        assert reply.headers.get("Retry-After", "") == value


async def test_a_refused_key_is_quoted_back() -> None:
    async with serving(with_faults("401:1")) as client:
        client.session.headers["Authorization"] = "Bearer abc"
        assert "Bearer abc" in (await client.post(chat()))[1]["error"]["message"]


async def received(client: Client, body: dict[str, Any]) -> bytes:
    """What arrives before the connection is reset."""
    host, _, port = client.root.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent, got = json.dumps(body).encode(), b""
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent)
    with pytest.raises(ConnectionResetError):
        while chunk := await reader.read(100):
            got += chunk
    writer.close()
    return got


async def test_a_reset_comes_before_the_answer_or_at_its_half() -> None:
    async with serving(with_faults("reset-early:1", fault_limit=1)) as client:
        assert await received(client, chat()) == b""
        assert (await client.post(chat()))[0] == 200
        (row,) = (await stats(client, "?full=1"))["bodies"]
    assert (row["seen"], row["answered"]) == (2, 1)
    async with serving(with_faults("reset-late:1")) as client:
        head, _, body = (await received(client, chat())).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK") and 0 < len(body) < 2000
        assert (await stats(client))["answered"] == 0


@pytest.mark.parametrize("kind", ["hang", "stall"])
async def test_a_silent_server_says_no_more(kind: str) -> None:
    async with serving(with_faults(f"{kind}:1")) as client:
        asked = asyncio.create_task(client.post(chat()))
        await client.until_in_flight(1)
        await asyncio.sleep(0.2)
        assert not asked.done()
        asked.cancel()
        await client.until_in_flight(0)
        assert (await stats(client))["answered"] == 0


async def test_a_late_answer_is_an_answer() -> None:
    async with serving(with_faults("hang=0.05:1")) as client:
        assert (await client.post(chat()))[0] == 200
        assert (await stats(client))["answered"] == 1


async def test_a_page_is_no_json_and_a_flood_only_blanks() -> None:
    async with serving(with_faults("html:1")) as client, posted(client) as reply:
        assert (reply.status, reply.content_type) == (200, "text/html")
        assert (await reply.text()).startswith("<!doctype html>")
    async with serving(with_faults("flood:1")) as client, posted(client) as reply:
        body = await reply.read()
    assert len(body) >= FLOOD
    assert not body.strip()


async def test_a_connection_closes_unannounced_after_a_whole_answer() -> None:
    async with serving(with_faults("close:1")) as client:
        async with posted(client) as reply:
            assert "close" not in reply.headers.get("Connection", "")
            assert (await reply.json())["choices"]
        assert (await stats(client))["answered"] == 1


async def test_content_is_missing_declined_or_cut() -> None:
    whole = chat()
    async with serving() as client:
        text = (await choice(client))["message"]["content"]
    seen: dict[str, Any] = {}
    for kind in ("null", "truncated", "mislabelled", "refusal", "filtered"):
        async with serving(with_faults(f"{kind}:1")) as client:
            seen[kind] = await choice(client)
    assert [seen[kind]["finish_reason"] for kind in seen] == ["stop", "length", "stop", "stop", "content_filter"]
    assert seen["null"]["message"]["content"] is None
    assert seen["refusal"]["message"]["refusal"]
    for kind in ("truncated", "mislabelled"):
        cut = seen[kind]["message"]["content"]
        assert text.startswith(cut) and 0 < len(cut) < len(text)
        with pytest.raises(json.JSONDecodeError):
            json.loads(cut)
    async with serving(with_faults("empty:1")) as client:
        assert (await client.post(whole))[1]["choices"] == []


@pytest.mark.parametrize(("task", "reply"), [("perception", EvolveReply), ("judge", JudgeReply)])
async def test_a_bad_schema_fits_no_reply(task: str, reply: type[EvolveReply | JudgeReply]) -> None:
    async with serving(with_faults("bad-schema:1")) as client:
        texts = {(await choice(client, task, seed=seed))["message"]["content"] for seed in range(12)}
    for text in texts:
        json.loads(text)
        with pytest.raises(ValidationError):
            reply.model_validate_json(text)
    assert len(texts) > 1
    assert task != "judge" or {"NaN", ": 11", "perhaps"} == {
        x for x in ("NaN", ": 11", "perhaps") if x in " ".join(texts)
    }


async def test_usage_is_missing_or_negative() -> None:
    async with serving(with_faults("no-usage:1")) as client:
        told = [(await client.post(chat(seed=seed)))[1].get("usage") for seed in range(12)]
    assert {usage and usage["prompt_tokens"] for usage in told} == {None, -1}


async def test_an_outage_is_over_at_its_end() -> None:
    async with serving(with_faults("outage:0-0.3")) as client:
        assert (await client.post(chat()))[0] == 503
        while (await client.post(chat()))[0] == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert (await stats(client))["answered"] == 1


def picked(faults: Sequence[str], seed: int = 0, limit: int | None = None, seen: int = 0) -> list[str]:
    chooser = Faults([parse_fault(fault) for fault in faults], seed, limit)
    return [fault.kind if (fault := chooser.pick(f"{body:032x}", seen)) else "" for body in range(4000)]


def test_each_kind_meets_its_share_of_the_requests() -> None:
    counts = Counter(picked(["429=1:0.1", "hang:0.25"]))
    assert abs(counts["429"] / 4000 - 0.1) < 0.02
    assert abs(counts["hang"] / 4000 - 0.25) < 0.03
    assert not any(picked(["500:0"]))
    assert all(picked(["500:1"]))


def test_the_choice_depends_on_seed_body_and_times_alone() -> None:
    faults = ["500:0.5"]
    assert picked(faults) == picked(faults)
    assert picked(faults) != picked(faults, seed=1)
    again = list(zip(picked(faults), picked(faults, seen=1), strict=True))
    assert ("500", "") in again and ("", "500") in again
    assert any(picked(faults, limit=2, seen=1))
    assert not any(picked(faults, limit=2, seen=2))


@pytest.mark.parametrize(
    "text",
    ["", "500", "oops:1", "500:2", "500:-1", "500:nan", "200:1", "empty=1:1", "hang=x:1", "outage:5", "outage:5-2"],
)
def test_what_is_no_fault_is_told_with_the_forms_and_kinds(text: str) -> None:
    with pytest.raises(FaultError, match="is no fault") as caught:
        parse_fault(text)
    assert all(kind in str(caught.value) for kind in KINDS)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(["--fault", "oops:1"], "'oops:1' is no fault"), (["--fault", "500:0.6", "--fault", "429:0.6"], "add up to 1.2")],
)
@pytest.mark.parametrize("command", ["evolgraph.endpoints.builtin", "evolgraph.cli serve"])
@pytest.mark.slow
def test_both_commands_refuse_it_in_one_line(command: str, words: list[str], complaint: str) -> None:
    called = [sys.executable, "-m", *command.split(), "--port", "0", *words]
    done = subprocess.run(called, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr and done.stderr.count("\n") == 1
