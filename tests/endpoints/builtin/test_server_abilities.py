"""What the embedded server can do as vLLM can (uuids, schemas, details of usage), and what it can do without."""

import base64
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from evolgraph.agents.replies import EvolveReply, JudgeReply
from evolgraph.endpoints.builtin.held import HeldImages
from evolgraph.endpoints.builtin.lacks import LackError, parse_lacks
from evolgraph.endpoints.builtin.server import Options
from evolgraph.endpoints.replies import parse
from evolgraph.endpoints.schemas import schema_text
from PIL import Image
from pydantic import BaseModel

from .conftest import Client, chat, drawn_uri, serving


def image_of(body: dict[str, Any]) -> dict[str, Any]:
    return body["messages"][1]["content"][0]


def with_uuid(name: str, *, data: bool = True, image: str | None = None) -> dict[str, Any]:
    """A request whose image goes by `name`, with or without its data."""
    body = chat(image=image)
    image_of(body)["uuid"] = name
    if not data:
        image_of(body)["image_url"] = None
    return body


async def test_an_image_can_be_left_out_once_its_uuid_is_known(client: Client) -> None:
    status, missed = await client.post(with_uuid("a", data=False))
    assert (status, missed["error"]["message"]) == (
        400, "Cache miss for image at index 0 but data is not provided."
    )  # fmt: skip
    _, sent = await client.post(with_uuid("a"))
    status, left_out = await client.post(with_uuid("a", data=False))
    assert status == 200
    assert left_out["choices"] == sent["choices"]
    assert left_out["usage"]["prompt_tokens"] == sent["usage"]["prompt_tokens"]
    rows = json.loads((await client.get("/stats?newest=3"))[1])["newest"]
    assert rows[2]["bytes"] == len(json.dumps(with_uuid("a", data=False)))
    assert rows[1]["bytes"] - rows[2]["bytes"] > len(drawn_uri())
    _, text = await client.get("/metrics")
    assert 'vllm:mm_cache_queries_total{model_name="builtin"} 2.0' in text
    assert 'vllm:mm_cache_hits_total{model_name="builtin"} 1.0' in text


async def test_an_image_that_cannot_be_read_is_not_kept(client: Client) -> None:
    assert (await client.post(with_uuid("a", image="data:image/png;base64,aGVsbG8=")))[0] == 400
    assert (await client.post(with_uuid("a")))[0] == 200


async def test_two_images_under_one_uuid_are_the_first(client: Client) -> None:
    white = io.BytesIO()
    Image.new("RGB", (560, 560), "white").save(white, "PNG")
    other = f"data:image/png;base64,{base64.b64encode(white.getvalue()).decode()}"
    _, first = await client.post(with_uuid("a"))
    _, second = await client.post(with_uuid("a", image=other))
    _, alone = await client.post(with_uuid("b", image=other))
    assert second["usage"]["prompt_tokens_details"]["multimodal_tokens"] == {"image": 8 * 4}
    assert second["choices"] == first["choices"]
    assert alone["usage"]["prompt_tokens_details"]["multimodal_tokens"] == {"image": 20 * 20}


def test_held_images_stay_within_their_budget() -> None:
    held = HeldImages(budget=100)
    for name in ("a", "b", "a", "c"):
        held.keep(name.encode() * 40, name)
    assert [held.find(name) is not None for name in ("a", "b", "c")] == [True, False, True]
    held.keep(b"d" * 101, "d")
    assert [held.find(name) for name in ("a", "c", "d")] == [None] * 3


SCHEMAS = {
    "const": ({"type": "object", "properties": {"a": {"const": "k3"}}, "required": ["a"]}, {"a": "k3"}),
    "enum": ({"properties": {"a": {"enum": [7, 8]}}}, {"a": 7}),
    "types": (
        {
            "type": "object",
            "properties": {
                "i": {"type": "integer", "minimum": 1, "maximum": 10},
                "n": {"type": ["number", "null"]},
                "s": {"type": "string", "minLength": 6},
                "b": {"type": "boolean"},
                "z": {"anyOf": [{"type": "null"}, {"type": "string"}]},
                "l": {"type": "array", "items": {"$ref": "#/$defs/Box"}, "minItems": 2},
            },
            "$defs": {"Box": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
        },
        {"i": 1, "n": 0, "s": "text..", "b": False, "z": None, "l": [{"x": 0}, {"x": 0}]},
    ),
}  # fmt: skip


def shaped(schema: Any) -> dict[str, Any]:
    return {
        "model": "builtin",
        "messages": [{"role": "user", "content": "Reply with JSON."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "shape", "schema": schema}},
    }


@pytest.mark.parametrize("name", SCHEMAS)
async def test_a_plain_chat_honours_a_small_schema(client: Client, name: str) -> None:
    schema, expected = SCHEMAS[name]
    _, reply = await client.post(shaped(schema))
    assert json.loads(reply["choices"][0]["message"]["content"]) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "text"}}},
        {"$ref": "#/$defs/Nothing"},
        {"$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"},
        {"properties": {"a": 5}},
    ],
)
async def test_a_schema_that_cannot_be_followed_is_refused(client: Client, schema: Any) -> None:
    status, reply = await client.post(shaped(schema))
    assert (status, reply["error"]["param"]) == (400, "response_format")


@asynccontextmanager
async def lacking(*words: str) -> AsyncIterator[Client]:
    async with serving(Options(without=parse_lacks(words))) as client:
        yield client


async def test_without_usage_nothing_is_counted_and_without_metrics_nothing_told() -> None:
    async with lacking("usage,metrics") as client:
        _, reply = await client.post(chat())
        assert "usage" not in reply
        assert (await client.get("/metrics"))[0] == 404


async def test_without_cached_the_details_are_absent() -> None:
    async with lacking("cached") as client:
        _, reply = await client.post(chat())
    assert reply["usage"]["prompt_tokens"] > 0
    assert reply["usage"]["prompt_tokens_details"] is None


async def test_without_uuid_an_image_must_be_sent_every_time() -> None:
    async with lacking("uuid") as client:
        assert (await client.post(with_uuid("a")))[0] == 200
        status, reply = await client.post(with_uuid("a", data=False))
    assert status == 400
    assert "Input should be a valid dictionary" in reply["error"]["message"]


async def test_without_images_they_are_refused() -> None:
    async with lacking("images") as client:
        status, reply = await client.post(chat())
        assert (status, "At most 0 image(s)" in reply["error"]["message"]) == (400, True)
        assert (await client.post({"model": "builtin", "messages": [{"role": "user", "content": "Hello"}]}))[0] == 200


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("task", "reply"), [("perception", EvolveReply), ("judge", JudgeReply)])
async def test_without_schema_the_prompt_must_hold_it(task: str, reply: type[BaseModel], seed: int) -> None:
    """Its own names and prose; with the schema's text at the end of the last message the names are right."""
    async with serving() as good, lacking("schema") as poor:
        body = chat(task, seed=seed)
        _, meant = await good.post(body)
        _, ignored = await poor.post(body)
        body["messages"][1]["content"][-1]["text"] += f"\n\n{schema_text(reply)}"
        _, followed = await poor.post(body)
        _, unchanged = await good.post(body)
    texts = [got["choices"][0]["message"]["content"] for got in (meant, ignored, followed, unchanged)]
    assert texts[3] == texts[0]
    assert parse(texts[1], reply, None).kind == "schema"
    assert not texts[2].startswith("{")
    assert parse(texts[2], reply, None).value == parse(texts[0], reply, None).value != None  # noqa: E711


@pytest.mark.parametrize(
    ("words", "told"),
    [(["shema"], "did you mean schema?"), (["usage,"], "known: schema, usage, cached, uuid, metrics, images")],
)
def test_what_the_server_cannot_lack_is_told(words: list[str], told: str) -> None:
    with pytest.raises(LackError, match=re.escape(told)):
        parse_lacks(words)
