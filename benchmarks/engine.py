"""Endpoints that spend time as serving engines do, in the event loop's seconds.

Each has slots, a first-come queue that refuses nobody, one prefill at a time, and a prefix cache of blocks with least
recently used ones forgotten. A token is four bytes of text; an image counts as IMAGE_TOKENS. Prefill is charged for
the tokens that are not in the cache, decoding takes a log-normal time drawn from the request's seed, and with it go
whether the judge's pairs improve: the same requests cost and give the same wherever and whenever they are made.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson

from .replies import asked_about, completion

BLOCK: Final = 16
BYTES: Final = 4
"""Bytes of text that count as a token."""
IMAGE_TOKENS: Final = 576
MEDIAN_S: Final = 6.0
"""The median decode time of a request about `USUAL` questions; others take longer or shorter in proportion."""
USUAL: Final = 3
SIGMA: Final = 0.5
PREFILL: Final = 8000.0
"""Tokens a second."""
IMPROVED: Final = 0.7
"""The share of judged pairs that are accepted."""


class PrefixCache:
    """The blocks of prompts that an engine has kept, `capacity` at most."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[int, None] = OrderedDict()

    def read(self, chain: list[int], tokens: int) -> int:
        """Reads the prompt whose whole blocks are `chain`; gives how many of its `tokens` were there. The last token
        is always computed."""
        usable = chain[: (tokens - 1) // BLOCK]
        hits = next((place for place, block in enumerate(usable) if block not in self._kept), len(usable))
        for block in reversed(chain):  # the ends of prompts are forgotten before their beginnings
            self._kept[block] = None
            self._kept.move_to_end(block)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return hits * BLOCK


def blocks(messages: list[dict[str, Any]]) -> tuple[list[int], int]:
    """A key for every whole block of a prompt, which stands for it and all before it; and the prompt's tokens."""
    tokens = b"".join(_pieces(messages))
    size = BLOCK * BYTES
    chain: list[int] = []
    key = 0
    for start in range(0, len(tokens) - size + 1, size):
        key = hash((key, tokens[start : start + size]))
        chain.append(key)
    return chain, len(tokens) // BYTES


def _pieces(messages: list[dict[str, Any]]) -> Iterator[bytes]:
    for turn in messages:
        yield b"<|%s|>" % turn["role"].encode()
        content = turn["content"]
        parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "text":
                yield part["text"].encode()
            else:
                named = part.get("uuid") or part["image_url"]["url"]
                yield hash(named).to_bytes(8, "big", signed=True) * (IMAGE_TOKENS * BYTES // 8)


@dataclass(slots=True)
class Counts:
    """What an engine has done. Intervals are (start, end) in which a slot was taken."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    intervals: list[tuple[float, float]] = field(default_factory=list)


class Engine:
    """One endpoint."""

    def __init__(self, slots: int, cache_blocks: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots = slots
        self._cache = PrefixCache(cache_blocks)
        self._queue: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._prefilled_at = 0.0
        self.running = 0
        self.counts = Counts()

    @property
    def waiting(self) -> int:
        """Requests that have no slot yet."""
        return len(self._queue)

    async def complete(self, body: bytes) -> bytes:
        """The completion that answers the request `body`, when it is done."""
        done: asyncio.Future[bytes] = self._loop.create_future()
        self._queue.append((body, done))
        self._start()
        return await done

    def _start(self) -> None:
        """Starts what waits and finds a slot. The cache is looked at only then, as engines do."""
        while self._queue and self.running < self._slots:
            body, done = self._queue.popleft()
            self.running += 1
            sent = orjson.loads(body)
            chain, tokens = blocks(sent["messages"])
            cached = self._cache.read(chain, tokens)
            self.counts.prompt_tokens += tokens
            self.counts.cached_tokens += cached
            now = self._loop.time()
            self._prefilled_at = max(now, self._prefilled_at) + (tokens - cached) / PREFILL
            end = self._prefilled_at + decode_s(body, sent["seed"])
            reply = completion(body, sent["seed"], _improved(sent["seed"]), tokens, cached)
            self._loop.call_at(end, self._end, done, reply, now)

    def _end(self, done: asyncio.Future[bytes], reply: bytes, started: float) -> None:
        self.running -= 1
        self.counts.intervals.append((started, self._loop.time()))
        if not done.done():
            done.set_result(reply)
        self._start()


def decode_s(body: bytes, seed: int) -> float:
    """Seconds that the reply to a request takes to decode."""
    return MEDIAN_S * len(asked_about(body)) / USUAL * Random(seed).lognormvariate(0.0, SIGMA)


def _improved(seed: int) -> Iterator[bool]:
    rng = Random(f"improved {seed}")
    while True:
        yield rng.random() < IMPROVED


def busy(intervals: list[tuple[float, float]], start: float, end: float) -> float:
    """Slot-seconds that `intervals` have between `start` and `end`."""
    return sum(max(0.0, min(end, last) - max(start, first)) for first, last in intervals)
