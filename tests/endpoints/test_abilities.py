"""Servers of other kinds: what `check` takes them for, and what it must not be taken in by."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.abilities import Abilities, AbilityError, examine
from evolgraph.endpoints.endpoint import Endpoint

from .conftest import completion

Body = dict[str, Any]
Answers = Callable[[Body], Body | str]


def image_of(body: Body) -> Body | None:
    return next((part for part in body["messages"][0]["content"] if part["type"] == "image_url"), None)


def obedient(body: Body) -> Body:
    """Keeps to the schema; a shown image costs 64 tokens, and whatever else stands in a part is overlooked."""
    shown = image_of(body)
    usage = {"prompt_tokens": 20 + (64 if shown and shown["image_url"] else 0), "completion_tokens": 9}
    (seen,) = body["response_format"]["json_schema"]["schema"]["properties"]["seen"]["enum"]
    return completion(json.dumps({"seen": seen}), usage=usage)


@asynccontextmanager
async def server(
    answers: Answers = obedient, owner: str = "me", pages: Mapping[str, str] | None = None, **model: Any
) -> AsyncIterator[str]:
    """A server whose `answers` are a completion, or the words of a 400; further GET paths are `pages`."""

    async def chat(request: web.Request) -> web.Response:
        told = answers(await request.json())
        if isinstance(told, str):
            return web.json_response({"error": {"message": told}}, status=400)
        return web.json_response(told)

    def page(text: str) -> Callable[[web.Request], Any]:
        async def show(_: web.Request) -> web.Response:
            return web.Response(text=text)

        return show

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", page(json.dumps({"data": [{"id": "toy", "owned_by": owner, **model}]})))
    for path, text in (pages or {}).items():
        app.router.add_get(path, page(text))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def found(answers: Answers = obedient, changes: Mapping[str, Any] | None = None, **served: Any) -> Abilities:
    async with server(answers, **served) as url:
        return await examine(Endpoint(url=url, model="toy", **(changes or {})))


PROPS = json.dumps({"build_info": "b8681-x", "default_generation_settings": {"n_ctx": 65536}})
QUEUE = '# TYPE {0} gauge\n{0}{{model_name="toy"}} 0\n'
ENGINES = {
    "vLLM": ({"owner": "vllm", "max_model_len": 9, "pages": {"/version": '{"version": "0.32.0"}'}}, "0.32.0", 9),
    "SGLang": ({"owner": "sglang", "max_model_len": 9, "pages": {"/server_info": '{"version": "0.5"}'}}, "0.5", 9),
    "SGLang, older": ({"owner": "sglang", "pages": {"/get_server_info": '{"version": "0.4"}'}}, "0.4", None),
    "llama.cpp": ({"owner": "llamacpp", "pages": {"/props": PROPS}}, "b8681-x", 65536),
    "llama.cpp, renamed": ({"pages": {"/props": PROPS}}, "b8681-x", 65536),
    "Ollama": ({"owner": "library", "pages": {"/api/version": '{"version": "0.12.6"}'}}, "0.12.6", None),
    "Ollama, of somebody": ({"owner": "jane", "pages": {"/api/version": '{"version": "0.12.6"}'}}, "0.12.6", None),
    "vLLM behind a gateway": ({"pages": {"/metrics": QUEUE.format("vllm:num_requests_waiting")}}, None, None),
    "unknown: a gateway that speaks OpenAI's names": ({"owner": "openai"}, None, None),
    "unknown: pages that are no JSON": ({"pages": {"/props": "<html>", "/api/version": "[]"}}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", ENGINES)
async def test_engines_are_told_apart(name: str) -> None:
    served, version, context = ENGINES[name]
    one = await found(**served)
    assert name.startswith(one.server)
    assert (one.version, one.context) == (version, context)


OLLAMA = {"/api/version": '{"version": "0.12.6"}', "/api/ps": '{"models": [{"name": "toy", "context_length": 4096}]}'}


@pytest.mark.parametrize(
    ("served", "max_tokens", "room", "fits", "usable"),
    [
        ({"owner": "vllm", "max_model_len": 16384}, 4096, 12384, True, True),
        ({"owner": "vllm", "max_model_len": 8000}, 4096, 4000, False, False),
        ({"owner": "vllm", "max_model_len": 8000}, 4000, 4000, True, True),
        ({"owner": "vllm", "max_model_len": 8000}, None, 4000, True, True),
        ({"owner": "llamacpp", "max_model_len": 8000}, 4096, 4000, False, True),
        ({"owner": "library", "pages": OLLAMA}, 4096, 96, False, True),
        ({"owner": "library", "max_model_len": 2048}, None, -1952, False, False),
        ({}, 10**6, float("inf"), True, True),
    ],
)
async def test_a_context_that_is_too_short_for_replies_is_found(
    served: dict[str, Any], max_tokens: int | None, room: float, fits: bool, usable: bool
) -> None:
    one = await found(changes={"max_tokens": max_tokens}, **served)
    assert (one.room, one.fits, one.usable) == (room, fits, usable)


@pytest.mark.parametrize("metric", ["vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred"])
async def test_the_metric_of_the_queue_is_named(metric: str) -> None:
    assert (await found(pages={"/metrics": QUEUE.format(metric)})).queue == metric


async def test_a_server_that_drops_null_images_does_not_keep_them() -> None:
    one = await found()
    assert (one.images, one.image_uuid, one.schema) == (True, False, "enforced")


async def test_a_server_that_drops_all_images_is_blind() -> None:
    def blind(body: Body) -> Body:
        return obedient(body) | {"usage": {"prompt_tokens": 20, "completion_tokens": 9}}

    one = await found(blind)
    assert (one.images, one.usable) == (False, False)


async def test_a_server_that_refuses_unknown_fields_still_sees() -> None:
    def strict(body: Body) -> Body | str:
        shown = image_of(body)
        return "Unknown parameter: 'uuid'" if shown and "uuid" in shown else obedient(body)

    one = await found(strict)
    assert (one.images, one.image_uuid, one.schema, one.usable) == (True, False, "enforced", True)


async def test_a_server_that_refuses_schemas_is_not_usable() -> None:
    def refusing(body: Body) -> Body | str:
        return "response_format is not supported" if "response_format" in body else completion("red")

    one = await found(refusing)
    assert (one.schema, one.schema_in_prompt, one.usable) == ("refused", None, False)


async def test_a_model_that_keeps_to_no_schema_at_all_is_not_usable() -> None:
    one = await found(lambda body: completion('{"colour": "red"}', usage=None))
    assert (one.schema, one.schema_in_prompt, one.usable) == ("ignored", False, False)


async def test_a_reply_that_is_cut_off_while_thinking_proves_nothing() -> None:
    one = await found(lambda body: completion("<think>The image", finish_reason="length", usage=None))
    assert (one.schema, one.schema_in_prompt, one.thinks, one.usable) == ("unknown", None, True, True)
    assert one.images is None


async def test_requests_carry_the_parameters_of_the_endpoint_and_no_others() -> None:
    bodies: list[Body] = []

    def strict(body: Body) -> Body | str:
        bodies.append(body)
        return "Unsupported parameter: 'max_tokens'" if "max_tokens" in body else obedient(body)

    extra = {"max_completion_tokens": 500, "chat_template_kwargs": {"enable_thinking": False}}
    one = await found(strict, {"max_tokens": None, "temperature": None, "extra_body": extra})
    assert one.usable
    assert all(extra.items() <= body.items() and "temperature" not in body for body in bodies)
    with pytest.raises(AbilityError, match="Unsupported parameter: 'max_tokens'"):
        await found(strict)
