"""The server under test, named by EVOLGRAPH_LIVE_ENDPOINT (as in `http://127.0.0.1:8101/v1`), and what it is asked.

EVOLGRAPH_LIVE_MODEL names the model; without it, the first one served. Nothing is assumed of what the model says: a
model with random weights will do.
"""

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from evolgraph.agents.agent import Prompter, View
from evolgraph.endpoints.chat import Ask, CallKey, ImagePart, Message, TextPart
from evolgraph.endpoints.client import Client, Endpoint
from evolgraph.endpoints.probing import probe
from evolgraph.endpoints.queues import read_queue
from evolgraph.prompts.library import Library
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Image, Sample
from pydantic import BaseModel, Field

from ..conftest import SEEDS

ENDPOINT: Final = "EVOLGRAPH_LIVE_ENDPOINT"
PROMPTER = Prompter(Library())
IMAGES = ImageRoot(SEEDS.parent)
SAMPLES = [row for row in read(SEEDS, IMAGES) if isinstance(row, Sample)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ENDPOINT not in os.environ and terminalreporter.stats.get("skipped"):
        terminalreporter.write_sep("!", f"LIVE TESTS WERE SKIPPED: {ENDPOINT} is not set")


@pytest.fixture(scope="session")
def served() -> tuple[str, str]:
    """The endpoint's URL and a model that it serves."""
    url = os.environ.get(ENDPOINT, "").rstrip("/")
    if not url:
        pytest.skip(f"{ENDPOINT} is not set")
    if model := os.environ.get("EVOLGRAPH_LIVE_MODEL"):
        return url, model
    with urllib.request.urlopen(f"{url}/models", timeout=10) as response:
        return url, json.load(response)["data"][0]["id"]


@pytest.fixture
async def endpoint(served: tuple[str, str]) -> Endpoint:
    """The server, with what is found out about it before a run."""
    return await probe(Endpoint(url=served[0], model=served[1]))


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[Client]:
    async with Client([endpoint], IMAGES, None, run_seed=3) as client:
        yield client


class Verdict(BaseModel):
    """A small reply model."""

    score: int = Field(ge=1, le=10)
    improved: bool


def ask(sample: Sample = SAMPLES[0], text: str = "Score it.", **changes: Any) -> Ask[Any]:
    """A small ask about a sample's image."""
    values: dict[str, Any] = {
        "key": CallKey(sample.id, 1, "judge"),
        "role": "judge",
        "messages": (Message("user", (ImagePart(sample.images[0]), TextPart(text))),),
        "reply": Verdict,
        "repair": PROMPTER.repair,
    }
    return Ask(**(values | changes))


class Sends:
    """An ImageSource that gives the same address or data for every image."""

    def __init__(self, uri: str) -> None:
        self._literal = json.dumps(uri).encode()

    async def encoded(self, image: Image) -> bytes:
        return self._literal


def view(sample: Sample, take: int) -> View:
    return View(sample, 1, sample.qas, take=take)


async def running(endpoint: Endpoint, settled: Callable[[float], bool], patience_s: float) -> bool:
    """Whether the number of requests that the server runs comes to be as `settled` wants it, in `patience_s`."""

    def look() -> float:
        with urllib.request.urlopen(endpoint.url.removesuffix("/v1") + "/metrics", timeout=10) as response:
            queue = read_queue(response.read().decode())
        if queue is None:
            pytest.skip("the server tells no queue at /metrics")
        return queue.running

    for _ in range(int(patience_s / 0.2)):
        if settled(await asyncio.to_thread(look)):
            return True
        await asyncio.sleep(0.2)
    return False
