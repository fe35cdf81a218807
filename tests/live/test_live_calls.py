"""Single calls on a real server: what it refuses and drops is told apart, and what is given up there ends."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from evolgraph.endpoints.client import Client, Endpoint, ImageSource
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.langchain import ChatEndpoint
from evolgraph.endpoints.probing import probe
from evolgraph.endpoints.retries import Retries
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

from .conftest import IMAGES, SAMPLES, Sends, Verdict, ask, running

pytestmark = pytest.mark.live


class Long(BaseModel):
    """A reply that takes a server a while to write."""

    numbers: list[int] = Field(min_length=1500)


async def test_an_unknown_model_stops_a_run_before_and_while_it_goes_on(endpoint: Endpoint) -> None:
    wrong = replace(endpoint, model="no-such-model")
    with pytest.raises(EndpointError, match=r"does not serve the model no-such-model \(served: "):
        await probe(wrong)
    async with Client([wrong], IMAGES, None, run_seed=3) as client:
        with pytest.raises(EndpointError) as caught:
            await client.ask(ask())
    assert caught.value.kind == "not-found"
    assert client.stats.sent == 1


@pytest.mark.parametrize(
    "uri",
    ["data:image/png;base64,AAAA", "data:image/png;base64,not base64!", "data:image/png;base64,iVBORw0KGgo="],
    ids=["no image", "no base64", "half an image"],
)
async def test_a_bad_image_is_a_bad_request(endpoint: Endpoint, uri: str) -> None:
    async with Client([endpoint], Sends(uri), None, run_seed=3) as client:
        answer = await client.ask(ask())
    assert (answer.kind, client.stats.sent) == ("bad-request", 1), answer.detail
    assert "HTTP 400" in answer.detail


async def test_too_long_a_prompt_is_a_bad_request(client: Client) -> None:
    answer = await client.ask(ask(text="one two three four five six seven eight " * 40_000))
    assert (answer.kind, client.stats.sent) == ("bad-request", 1), answer.detail


async def test_a_reply_that_the_token_limit_cuts_is_truncated(endpoint: Endpoint) -> None:
    async with Client([replace(endpoint, max_tokens=8)], IMAGES, None, run_seed=3) as client:
        answer = await client.ask(ask(reply=Long))
    assert (answer.kind, answer.calls) == ("truncated", 1)


class _Switched:
    """The real images, or an address where nothing answers: vLLM makes that a 500 and drops the connection."""

    def __init__(self) -> None:
        self.broken = True

    async def encoded(self, image: Any) -> bytes:
        source: ImageSource = Sends("http://127.0.0.1:9/gone.png") if self.broken else IMAGES
        return await source.encoded(image)


async def test_a_connection_that_is_dropped_after_an_error_fails_no_call(endpoint: Endpoint) -> None:
    images = _Switched()
    async with Client([endpoint], images, None, run_seed=3, retries=Retries(base=0.1)) as client:
        failed = await client.ask(ask(SAMPLES[0]))
        images.broken = False
        answers = [await client.ask(ask(sample)) for sample in SAMPLES[1:5]]
    assert failed.kind in ("server", "bad-request"), failed.detail
    assert {answer.kind for answer in answers} == {"ok"}


async def test_connections_that_the_server_closes_when_idle_fail_no_call(client: Client) -> None:
    for pause in (0.0, 4.9, 5.05, 5.5):
        await asyncio.sleep(pause)
        answers = await asyncio.gather(*(client.ask(ask(sample)) for sample in SAMPLES[:4]))
        assert {answer.kind for answer in answers} == {"ok"}, pause
    assert client.stats.retries == 0


async def test_a_cancelled_call_frees_its_place_on_the_server(endpoint: Endpoint) -> None:
    async with Client([endpoint], IMAGES, None, run_seed=3) as client:
        assert await running(endpoint, lambda now: now == 0, 30), "the server is busy with others' requests"
        calls = [asyncio.create_task(client.ask(ask(sample, reply=Long))) for sample in SAMPLES[:3]]
        assert await running(endpoint, lambda now: now == 3, 20)
        calls[0].cancel()
        assert await running(endpoint, lambda now: now == 2, 5)
        for call in calls[1:]:
            call.cancel()
        assert await running(endpoint, lambda now: now == 0, 5)
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True)
        )
        assert client.stats.in_flight == 0
        assert (await client.ask(ask())).kind == "ok"


@pytest.mark.parametrize("scripted", [True, False])
async def test_a_chat_model_of_langchain_answers(endpoint: Endpoint, scripted: bool) -> None:
    chat = ChatOpenAI(
        model=endpoint.model, base_url=endpoint.url, api_key=SecretStr("none"), max_completion_tokens=256
    )  # fmt: skip
    asked = ChatEndpoint(chat=chat, send_seed=endpoint.send_seed) if scripted else replace(endpoint, provider="openai")
    async with Client([asked], IMAGES, None, run_seed=3) as client:
        answer = await client.ask(ask())
    assert isinstance(answer.value, Verdict), answer.detail
    assert answer.usage.total
    if endpoint.image_uuid:
        assert answer.usage.image_tokens and answer.usage.cached_tokens is not None
