"""Whole runs and many calls on a real server: nothing is lost to the way it is asked."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from evolgraph.agents.agent import Agent
from evolgraph.agents.interaction import Interaction
from evolgraph.agents.judge import Judge
from evolgraph.agents.perception import Perception
from evolgraph.agents.reasoning import Reasoning
from evolgraph.agents.screen import Candidate, Pair
from evolgraph.endpoints.client import Client, Endpoint
from evolgraph.graph import Settings, evolve
from evolgraph.store import traces
from evolgraph.store.connections import reading
from evolgraph.store.runs import newest_run

from ..conftest import SEEDS
from ..endpoints.conftest import Book
from .conftest import IMAGES, PROMPTER, SAMPLES, view

pytestmark = pytest.mark.live
CALL_PATH = {"unreachable", "timeout", "rate-limited", "server", "bad-request", "garbled", "image", "internal"}
TAKES = 5


@pytest.mark.parametrize("ablate", [(), ("screen",)])
async def test_ten_seeds_fail_for_no_other_reason_than_a_verdict(
    endpoint: Endpoint, tmp_path: Path, ablate: tuple[str, ...]
) -> None:
    store = tmp_path / "run.db"
    settings = Settings(rounds=3, patience=0, ablate=ablate)
    async with evolve(SEEDS, store=store, endpoints=[endpoint], settings=settings) as run:
        ended = [outcome async for outcome in run]
        summary = await run.summary()
    assert {outcome.status for outcome in ended} <= {"exhausted", "reached"}, ended
    assert (len(ended), summary.failed) == (10, 0)
    if not summary.reached:
        assert summary.calls >= (60 if ablate else 30)
    assert summary.prompt_tokens and summary.completion_tokens
    if summary.image_tokens is not None:
        assert 0 < summary.image_tokens < summary.prompt_tokens
    if endpoint.image_uuid:  # a vLLM, which keeps prefixes too
        assert summary.cached_tokens and summary.cached_tokens > summary.prompt_tokens / 2
    _look_into(store, endpoint)


def _look_into(store: Path, endpoint: Endpoint) -> None:
    """The store's calls hold what the summary adds up."""
    with reading(store) as db:
        run = newest_run(db)
        assert run
        calls = [
            call
            for sample in SAMPLES
            if (found := traces.trace(db, run.id, sample.id))
            for call in found.calls
        ]  # fmt: skip
    assert {call.kind for call in calls}.isdisjoint(CALL_PATH)
    assert all(call.prompt_tokens and call.completion_tokens for call in calls)
    if endpoint.image_uuid:
        assert all(call.image_tokens for call in calls)
        assert sum(call.cached_tokens or 0 for call in calls) > 0


async def test_two_hundred_calls_are_valid_after_one_repair_at_most(endpoint: Endpoint) -> None:
    book = Book()
    kinds: Counter[str] = Counter()
    async with Client([endpoint], IMAGES, book, run_seed=5) as client:
        evolving = [agent(client, PROMPTER) for agent in (Perception, Reasoning, Interaction)]
        judge = Judge(client, PROMPTER)

        async def evolved(agent: Agent, number: int, take: int) -> None:
            done = await agent.evolve(view(SAMPLES[number], take))
            kinds[done.failure.kind if done.failure else "ok"] += 1

        async def judged(number: int, take: int) -> None:
            sample = SAMPLES[number]
            pairs = [Pair(Candidate(qa), qa, "reasoning", sample.boxes) for qa in sample.qas]
            done = await judge.judge(view(sample, take), pairs)
            kinds[done.failure.kind if done.failure else "ok"] += 1

        places = [(number, take) for number in range(len(SAMPLES)) for take in range(TAKES)]
        await asyncio.gather(
            *(evolved(agent, *place) for agent in evolving for place in places), *(judged(*place) for place in places)
        )
        repairs = client.stats.repairs
    assert kinds == {"ok": 200}, (kinds, repairs)
    assert len(book.calls) == 200 + repairs
