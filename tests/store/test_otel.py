"""Traces as OpenTelemetry spans: what a real receiver makes of them, and whether the names are those of the others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner
from evolgraph.cli.otel import otel
from evolgraph.errors import EvolgraphError
from evolgraph.store.connections import reading
from evolgraph.store.ledger import Ledger
from evolgraph.store.otel.names import GENAI, OPENINFERENCE, SCHEMA_URL, Vocabulary
from evolgraph.store.otel.sending import send, write
from evolgraph.store.otel.spans import spans_of
from evolgraph.store.store import Store
from evolgraph.store.traces import trace
from openinference.semconv import trace as openinference
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import (
    error_attributes,
    gen_ai_attributes,
    server_attributes,
)
from opentelemetry.semconv.schemas import Schemas

from .conftest import call

Spans = dict[str, Any]
RETIRED = {"GEN_AI_SYSTEM", "GEN_AI_PROMPT", "GEN_AI_COMPLETION"}


class Receiver:
    """An OTLP/HTTP collector that keeps what it was sent; it answers `status`."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        self.requests.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(status=self.status, content_type="application/x-protobuf")

    @property
    def spans(self) -> list[Any]:
        scopes = [scope for one in self.requests for resource in one.resource_spans for scope in resource.scope_spans]
        assert {scope.scope.name for scope in scopes} == {"evolgraph"}
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def path(tmp_path: Path, written: list[Any]) -> Path:
    """A store in which b's first round has all its spans, a good call and one that failed."""
    place = {"run": "r", "sample": "b", "round": 1}
    spans = [("1/route", None, "route"), ("1/perception", "1/route", "agent"), ("1/judge", "1/route", "judge")]
    async with Store.open(tmp_path / "run.db") as store:
        for rows in written:
            await store.writer.insert(rows)
        for number, (name, parent, kind) in enumerate(spans):
            times = {"started_ns": 10 + number, "ended_ns": 20 + number, "name": name[2:], "kind": kind}
            await store.writer.insert({"spans": [place | times | {"id": name, "parent": parent}]})
        ledger = Ledger(store, "r")
        await ledger.record(call("b", endpoint="http://127.0.0.1:8000/v1"))
        failed = {"key": "k2", "agent": "judge", "kind": "timeout", "error": "too late", "text": None}
        await ledger.record(call("b", **failed, http_status=None, finish_reason=None))
    return tmp_path / "run.db"


def made(path: Path, names: Vocabulary = GENAI, **options: Any) -> list[Any]:
    with reading(path) as db:
        found = trace(db, "r", "b")
    assert found
    return spans_of("r", found, names, **options)


def told(span: Any) -> dict[str, Any]:
    """The attributes of a received span or event."""

    def value(one: Any) -> Any:
        kind = one.WhichOneof("value")
        return [value(each) for each in one.array_value.values] if kind == "array_value" else getattr(one, kind)

    return {one.key: value(one.value) for one in span.attributes}


async def test_a_receiver_gets_a_tree_of_spans_with_tokens_and_verdicts(path: Path, receiver: Receiver) -> None:
    assert await asyncio.to_thread(send, [made(path)], receiver.url) == (1, 6)
    spans = {span.name: span for span in receiver.spans}
    assert [*spans] == [
        "invoke_workflow evolgraph",
        "plan route",
        "invoke_agent perception",
        "invoke_agent judge",
        "chat m",
    ]
    assert len({span.trace_id for span in receiver.spans}) == 1
    root, route = spans["invoke_workflow evolgraph"], spans["plan route"]
    assert (root.parent_span_id, route.parent_span_id) == (b"", root.span_id)
    agent, judge = spans["invoke_agent perception"], spans["invoke_agent judge"]
    good, bad = (span for span in receiver.spans if span.name == "chat m")
    assert (agent.parent_span_id, good.parent_span_id) == (route.span_id, agent.span_id)
    assert bad.parent_span_id == judge.span_id
    assert told(route)["evolgraph.route.probability.reasoning"] == 0.5
    asked = told(good)
    assert (asked["gen_ai.usage.input_tokens"], asked["gen_ai.usage.output_tokens"]) == (100, 20)
    assert asked["gen_ai.usage.reasoning.output_tokens"] == 3
    assert (asked["server.address"], asked["server.port"], asked["gen_ai.request.model"]) == ("127.0.0.1", 8000, "m")
    assert asked["gen_ai.response.finish_reasons"] == ["stop"]
    assert (good.kind, good.status.code) == (3, 1)
    assert (bad.status.code, bad.status.message, told(bad)["error.type"]) == (2, "too late", "timeout")
    (event,) = judge.events
    ruled = told(event)
    assert event.name == "gen_ai.evaluation.result"
    assert (ruled["gen_ai.evaluation.score.label"], ruled["gen_ai.evaluation.explanation"]) == ("not-correct", "why")
    assert (ruled["evolgraph.qa"], ruled["evolgraph.grounded"]) == ("q1", False)
    # Round 2 has no spans of its own: its verdict is told by the workflow.
    assert [told(event)["gen_ai.evaluation.score.label"] for event in root.events] == ["accepted"]


async def test_what_was_said_is_told_only_when_asked_for(path: Path, receiver: Receiver) -> None:
    await asyncio.to_thread(send, [made(path)], receiver.url)
    silent = b"".join(one.SerializeToString() for one in receiver.requests)
    assert b"You evolve questions" not in silent
    receiver.requests.clear()
    await asyncio.to_thread(send, [made(path, content=True)], receiver.url)
    asked = told(next(span for span in receiver.spans if span.name == "chat m"))
    (turn,) = orjson.loads(asked["gen_ai.input.messages"])
    assert turn["parts"][0] == {"type": "uri", "modality": "image", "uri": "a.png", "sha256": "0" * 64}
    assert turn["parts"][1]["content"].startswith("Task 1:")
    assert orjson.loads(asked["gen_ai.system_instructions"])[0]["content"].startswith("You evolve questions")
    assert orjson.loads(asked["gen_ai.output.messages"])[0]["parts"][0]["content"] == '{"evolved": []}'


async def test_the_other_vocabulary(path: Path, receiver: Receiver) -> None:
    await asyncio.to_thread(send, [made(path, OPENINFERENCE, content=True)], receiver.url)
    kinds = [told(span)["openinference.span.kind"] for span in receiver.spans]
    assert kinds == ["CHAIN", "CHAIN", "AGENT", "EVALUATOR", "LLM", "LLM"]
    asked = told(receiver.spans[4])
    assert (asked["llm.token_count.total"], asked["session.id"]) == (120, "r/b")
    assert asked["llm.input_messages.1.message.content"].startswith("[image a.png]\nTask 1:")
    assert not [name for span in receiver.spans for name in told(span) if name.startswith("gen_ai.")]


async def test_a_trace_that_is_sent_again_is_the_same_trace(path: Path, receiver: Receiver) -> None:
    for _ in range(2):
        await asyncio.to_thread(send, [made(path)], receiver.url + "/v1/traces")
    first, second = receiver.requests
    assert first == second


async def test_a_receiver_that_refuses_is_told_in_one_line(path: Path, receiver: Receiver) -> None:
    receiver.status = 400
    with pytest.raises(EvolgraphError, match=r"did not take the spans, 0 were taken before: .*400") as caught:
        await asyncio.to_thread(send, [made(path)], receiver.url)
    assert caught.value.kind == "otlp"


async def test_a_file_holds_requests_as_collectors_read_them(path: Path, tmp_path: Path) -> None:
    assert write([made(path), made(path)], tmp_path / "spans.jsonl") == (2, 12)
    first, second = (tmp_path / "spans.jsonl").read_bytes().splitlines()
    assert first == second
    (resource,) = orjson.loads(first)["resourceSpans"]
    assert resource["schemaUrl"] == SCHEMA_URL
    root, route = resource["scopeSpans"][0]["spans"][:2]
    assert route["parentSpanId"] == root["spanId"]
    assert (len(bytes.fromhex(root["traceId"])), len(bytes.fromhex(root["spanId"]))) == (16, 8)
    assert (route["startTimeUnixNano"], route["kind"]) == ("10", 1)


async def test_the_command_writes_the_samples_of_a_run(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "spans.jsonl"
    done = CliRunner().invoke(otel, [str(path), "--out", str(out), "--json"], catch_exceptions=False)
    assert orjson.loads(done.stdout) == {"traces": 3, "spans": 8, "to": str(out)}
    assert len(out.read_bytes().splitlines()) == 3
    CliRunner().invoke(otel, [str(path), "--out", str(out), "--sample", "c"], catch_exceptions=False)
    assert len(out.read_bytes().splitlines()) == 1
    with pytest.raises(EvolgraphError, match="no sample is called 'x'"):
        CliRunner().invoke(otel, [str(path), "--out", str(out), "--sample", "x"], catch_exceptions=False)
    assert len(out.read_bytes().splitlines()) == 1, "what was written before stays"
    assert "either --otlp URL or --out FILE" in CliRunner().invoke(otel, [str(path)]).output


def test_the_names_are_those_of_the_conventions() -> None:
    modules = (gen_ai_attributes, server_attributes, error_attributes)
    known = {getattr(one, name) for one in modules for name in dir(one) if name.isupper() and name not in RETIRED}
    assert {*GENAI.values()} <= known
    assert SCHEMA_URL in {schema.value for schema in Schemas}
    classes = [getattr(openinference, name) for name in dir(openinference) if name.endswith("Attributes")]
    theirs = {value for one in classes for name, value in vars(one).items() if name.isupper()}
    assert {*OPENINFERENCE.values()} - {"server.address", "server.port", "error.type"} <= theirs
