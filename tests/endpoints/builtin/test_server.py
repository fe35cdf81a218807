import asyncio
import base64
import io
import json
import os
import signal
import sys

import aiohttp
import pytest
from evolgraph.endpoints.builtin.child import running
from evolgraph.endpoints.builtin.prefixes import PrefixCache
from evolgraph.endpoints.builtin.server import Options
from PIL import Image

from .conftest import SEED, Client, chat, drawn_uri, fenced, serving


async def test_says_which_model_it_is_and_that_it_is_well(client: Client) -> None:
    status, text = await client.get("/v1/models")
    assert (status, [model["id"] for model in json.loads(text)["data"]]) == (200, ["builtin"])
    assert (await client.get("/health"))[0] == 200


async def test_a_plain_chat_is_told_that_this_is_no_language_model(client: Client) -> None:
    status, reply = await client.post({"model": "builtin", "messages": [{"role": "user", "content": "Hello"}]})
    assert status == 200
    assert "not a language model" in reply["choices"][0]["message"]["content"]
    assert reply["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("task", ["perception", "reasoning", "interaction"])
async def test_an_evolve_request_gets_one_question_for_each_given_one(client: Client, task: str) -> None:
    status, reply = await client.post(chat(task))
    evolved = json.loads(reply["choices"][0]["message"]["content"])["evolved"]
    assert status == 200
    assert [row["id"] for row in evolved] == ["q0"]
    assert evolved[0]["question"] != SEED["question"]


async def test_a_judge_request_gets_one_verdict_for_each_pair(client: Client) -> None:
    _, reply = await client.post(chat("judge"))
    (verdict,) = json.loads(reply["choices"][0]["message"]["content"])["verdicts"]
    assert verdict["id"] == "q0"
    assert verdict["score_before"] == verdict["score_after"]
    assert not verdict["improved"]


async def test_equal_requests_get_equal_replies(client: Client) -> None:
    replies = [await client.post(chat("reasoning")) for _ in range(2)]
    first, second = (reply["choices"] for _, reply in replies)
    assert first == second


async def test_usage_counts_the_image_and_what_the_prefix_cache_knew(client: Client) -> None:
    _, first = await client.post(chat("perception"))
    _, again = await client.post(chat("judge"))
    _, plain = await client.post({"model": "builtin", "messages": [{"role": "user", "content": "Hello"}]})
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert first["usage"]["prompt_tokens"] > 8 * 4  # the image alone: 200 x 100 pixels in squares of 28
    assert 0 < again["usage"]["prompt_tokens_details"]["cached_tokens"] < again["usage"]["prompt_tokens"]
    assert plain["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert plain["usage"]["total_tokens"] == plain["usage"]["prompt_tokens"] + plain["usage"]["completion_tokens"]


async def test_a_reply_longer_than_max_tokens_is_cut_and_says_so(client: Client) -> None:
    _, reply = await client.post(chat("reasoning", max_tokens=5))
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 5
    assert len(reply["choices"][0]["message"]["content"]) <= 20


BOMB = io.BytesIO()
Image.new("1", (8000, 8000)).save(BOMB, "PNG")
UNLABELLED = fenced("facts", {"boxes": [{"bbox": [0, 0, 1, 1]}]}) + "\n" + fenced("questions", [SEED])
REFUSED = {
    "not JSON": (b'{"model": ', 400, None),
    "not an object": (b"[]", 400, None),
    "another model": (chat(model="gpt-x"), 404, "model"),
    "no messages": (chat(messages=[]), 400, "messages"),
    "odd message": (chat(messages=[{"role": "robot", "content": "x"}]), 400, "messages[0]"),
    "odd content": (chat(messages=[{"role": "user", "content": 5}]), 400, "messages[0]"),
    "streaming": (chat(stream=True), 400, "stream"),
    "two choices": (chat(n=2), 400, "n"),
    "no tokens": (chat(max_tokens=0), 400, "max_tokens"),
    "an address": (chat(image="http://127.0.0.1/x.png"), 400, "messages[1].content[0]"),
    "a file": (chat(image="file:///etc/passwd"), 400, "messages[1].content[0]"),
    "bad base64": (chat(image="data:image/png;base64,@@@"), 400, "messages"),
    "no image": (chat(image="data:image/png;base64,aGVsbG8="), 400, "messages"),
    "cut image": (chat(image=drawn_uri()[: len(drawn_uri()) // 8 * 4]), 400, "messages"),
    "too many pixels": (
        chat(image="data:image/png;base64," + base64.b64encode(BOMB.getvalue()).decode()), 400, "messages"
    ),
    "no questions": (chat(messages=[{"role": "user", "content": "evolve!"}]), 400, "messages"),
    "no rows": (chat(messages=[{"role": "user", "content": fenced("questions", ["x"])}]), 400, "messages"),
    "a box without a label": (
        chat(messages=[{"role": "user", "content": UNLABELLED}]), 400, "messages"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_request_is_refused_in_the_shape_of_openai(client: Client, name: str) -> None:
    body, expected, param = REFUSED[name]
    status, reply = await client.post(body)
    assert status == expected
    assert set(reply["error"]) == {"message", "type", "param", "code"}
    assert reply["error"]["param"] == param
    assert len(reply["error"]["message"]) < 300
    assert (await client.post(chat()))[0] == 200


async def test_unknown_paths_and_methods_are_refused_in_the_same_shape(client: Client) -> None:
    status, text = await client.get("/v2/nothing")
    assert (status, "error" in json.loads(text)) == (404, True)
    status, text = await client.get("/v1/chat/completions")
    assert (status, "error" in json.loads(text)) == (405, True)


async def test_stats_tell_repeated_requests_from_new_ones(client: Client) -> None:
    await client.post(chat())
    await client.post(chat(seed=8))
    await client.post(chat())
    await client.post(b"{")
    stats = json.loads((await client.get("/stats?newest=2"))[1])
    assert (stats["requests"], stats["distinct_bodies"], stats["repeated_bodies"]) == (4, 3, 1)
    assert stats["statuses"] == {"200": 3, "400": 1}
    assert stats["in_flight"] == 0
    assert [row["repeated"] for row in stats["newest"]] == [True, False]
    assert (await client.get("/stats?newest=-1"))[0] == 400


async def test_requests_beyond_the_capacity_wait_and_metrics_show_them() -> None:
    async with serving(Options(latency_ms=100, capacity=1)) as client, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(client.post(chat(seed=seed))) for seed in range(3)]
        await client.until_in_flight(3)
        _, text = await client.get("/metrics")
        assert 'vllm:num_requests_running{model_name="builtin"} 1.0' in text
        assert 'vllm:num_requests_waiting{model_name="builtin"} 2.0' in text
        assert [status for status, _ in await asyncio.gather(*asked)] == [200] * 3
        assert json.loads((await client.get("/stats"))[1])["max_in_flight"] == 3


async def test_an_abandoned_request_gives_its_slot_back() -> None:
    async with serving(Options(latency_ms=60_000, capacity=1)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.post(chat())
        await client.until_in_flight(0)


def test_the_prefix_cache_knows_a_prefix_and_not_a_changed_one() -> None:
    cache = PrefixCache()
    assert cache.admit(b"a" * 640) == 0
    assert cache.admit(b"a" * 640 + b"tail") == 160
    assert cache.admit(b"b" + b"a" * 639) == 0
    assert cache.admit(b"a" * 640) == 159  # one token is always computed


async def test_the_child_serves_and_is_gone_afterwards() -> None:
    async with running() as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/models") as reply:
            assert reply.status == 200
        async with session.post(f"{url}/chat/completions", json=chat()) as reply:
            assert reply.status == 200
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/models")


async def test_the_process_ends_cleanly_when_it_is_told_to() -> None:
    async with asyncio.TaskGroup() as tasks:
        for end in ("stdin", "SIGTERM", "SIGINT"):
            tasks.create_task(ends_cleanly(end))


async def ends_cleanly(end: str) -> None:
    options = ["--exit-with-stdin"] if end == "stdin" else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evolgraph.endpoints.builtin", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    ready = json.loads(await process.stdout.readline())
    assert (ready["model"], ready["pid"]) == ("builtin", process.pid)
    if end == "stdin":
        process.stdin.close()
    else:
        os.kill(process.pid, signal.Signals[end])
    assert await process.wait() == 0
    assert await process.stderr.read() == b""


async def test_a_taken_port_is_told_in_one_line(client: Client) -> None:
    port = client.root.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", port, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    complaint = (await process.stderr.read()).decode()
    assert await process.wait() == 2
    assert complaint.count("\n") == 1
    assert port in complaint
