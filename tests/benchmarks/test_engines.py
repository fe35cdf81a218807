"""The mock engines: what is charged, what is kept, what waits; and time that leaps only when nothing is left to do."""

import asyncio
import time
from typing import Any

import orjson
from evolgraph.benchmarks.engine import BLOCK, BYTES, IMAGE_TOKENS, Engine, PrefixCache, blocks, busy
from evolgraph.benchmarks.virtual import VirtualLoop

LONG = "x" * (BLOCK * BYTES * 10)


def said(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(name: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{name}"}}


def read(cache: PrefixCache, messages: list[dict[str, Any]]) -> tuple[int, int]:
    chain, tokens = blocks(messages)
    return cache.read(chain, tokens), tokens


def test_a_prompt_finds_what_it_shares_with_an_earlier_one_from_its_beginning_on():
    cache = PrefixCache(1000)
    assert read(cache, said(image("a"), text(LONG)))[0] == 0

    cached, tokens = read(cache, said(image("a"), text(LONG + "y" * 800)))
    assert IMAGE_TOKENS + 9 * BLOCK <= cached <= IMAGE_TOKENS + 11 * BLOCK
    assert tokens > cached + 190
    assert read(cache, said(image("b"), text(LONG)))[0] == 0


def test_the_least_recently_used_blocks_are_forgotten_and_ends_before_beginnings():
    cache = PrefixCache(50)
    read(cache, said(image("a"), text(LONG)))
    read(cache, said(text(LONG)))

    cached, tokens = read(cache, said(image("a"), text(LONG)))
    assert 0 < cached < tokens - BLOCK


def body(seed: int) -> bytes:
    asked = orjson.dumps([{"id": name} for name in ("q1", "q2", "q3")]).decode()
    return orjson.dumps({"messages": said(image("a"), text(asked)), "seed": seed})


def test_requests_beyond_the_slots_wait_and_the_hours_of_an_engine_are_moments_of_ours():
    async def run() -> Engine:
        engine = Engine(2, 1000)
        tasks = [asyncio.create_task(engine.complete(body(seed))) for seed in range(2000)]
        await asyncio.sleep(0.01)
        assert (engine.running, engine.waiting) == (2, 1998)
        replies = await asyncio.gather(*tasks)
        assert all(orjson.loads(reply)["usage"]["prompt_tokens"] > IMAGE_TOKENS for reply in replies)
        return engine

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        engine = runner.run(run())
        hours = runner.get_loop().time() / 3600

    assert 1.5 < hours < 2.5  # 1000 requests a slot, of 6 s by the median and a little more on average
    assert busy(engine.counts.intervals, 0.0, hours * 3600) / (2 * hours * 3600) > 0.99


def test_virtual_time_stands_still_while_a_thread_works():
    async def run() -> float:
        sleeping = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.to_thread(time.sleep, 0.05)
        now = asyncio.get_running_loop().time()
        await sleeping
        return now

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(run()) == 0.0
        assert runner.get_loop().time() == 1000.0
