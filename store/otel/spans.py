"""A sample's trace as OpenTelemetry spans: a workflow, its nodes, and the calls that they made."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ..lineage import Verdict
from ..traces import Call, Span, Trace
from .names import EVALUATION, GENAI, OPENINFERENCE, SCHEMA_URL, Vocabulary

Facts = Mapping[str, Any]
"""What a span tells, by the names of names.py, or by its full name where that begins with `evolgraph.`."""
_ROOT: Final = ""
_OPERATIONS: Final = {"agent": "invoke_agent", "judge": "invoke_agent", "route": "plan"}
_KINDS: Final = {"agent": "AGENT", "judge": "EVALUATOR", "screen": "GUARDRAIL"}
_SCOPE: Final = InstrumentationScope("evolgraph", version("evolgraph"), SCHEMA_URL)
_RESOURCE: Final = Resource({"service.name": "evolgraph"}, SCHEMA_URL)


def spans_of(
    run: str, trace: Trace, names: Vocabulary = GENAI, *, content: bool = False, now_ns: int = 0
) -> list[ReadableSpan]:
    """The spans of one sample of `run`, the workflow's first; with `content`, also what was sent and received.

    Ids follow from run and sample, so that a trace that is sent twice is the same trace. `now_ns` is the end of a
    sample that has no span and is not settled.
    """
    return _Spans(run, trace, names, content).made(now_ns)


class _Spans:
    def __init__(self, run: str, trace: Trace, names: Vocabulary, content: bool) -> None:
        self._run, self._trace, self._names, self._content = run, trace, names, content
        self._id = int.from_bytes(hashlib.sha256(f"{run}/{trace.id}".encode()).digest()[:16], "big")
        self._nodes = {(span.id, span.take): span for span in trace.spans if span.kind != "call"}

    def made(self, now_ns: int) -> list[ReadableSpan]:
        """All spans."""
        calls = [self._call(call) for call in self._trace.calls]
        nodes = [self._node(span) for span in self._nodes.values()]
        return [self._workflow([*nodes, *calls], now_ns), *nodes, *calls]

    def _workflow(self, inner: Sequence[ReadableSpan], now_ns: int) -> ReadableSpan:
        trace, end = self._trace, self._trace.settled
        starts = [span.start_time for span in inner if span.start_time]
        ends = [span.end_time for span in inner if span.end_time]
        facts = {
            "operation": "invoke_workflow",
            "kind": "CHAIN",
            "agent": "evolgraph",
            "conversation": f"{self._run}/{trace.id}",
            "node": "evolgraph",
            "error": end.reason.partition(":")[0] if end and end.status == "failed" else None,
            "evolgraph.run": self._run,
            "evolgraph.sample": trace.id,
            "evolgraph.status": end.status if end else "pending",
            "evolgraph.reason": end.reason if end else None,
            "evolgraph.rounds": end.rounds if end else None,
            "evolgraph.complexity.before": end.complexity_before if end else None,
            "evolgraph.complexity.after": end.complexity_after if end else None,
        }
        times = (min(starts, default=now_ns), max(ends, default=now_ns))
        stray = [one for one in trace.lineage.verdicts if self._home(one) not in self._nodes]
        return self._span("invoke_workflow evolgraph", _ROOT, None, facts=facts, times=times, verdicts=stray)

    def _node(self, span: Span) -> ReadableSpan:
        parent = span.parent if (span.parent, span.take) in self._nodes else _ROOT
        facts: dict[str, Any] = {
            "operation": _OPERATIONS.get(span.kind),
            "kind": _KINDS.get(span.kind, "CHAIN"),
            "agent": span.name if span.kind in ("agent", "judge") else None,
            "conversation": f"{self._run}/{self._trace.id}",
            "node": span.name,
            "parent_node": (parent or "").rpartition("/")[2] or "evolgraph",
            "error": span.attributes.get("error"),
            "evolgraph.round": span.round,
            "evolgraph.take": span.take,
        }
        own = {f"evolgraph.{span.kind}.{name}": value for name, value in span.attributes.items() if name != "error"}
        if span.kind == "route":
            own |= self._decision(span.round)
        here = [one for one in self._trace.lineage.verdicts if self._home(one) == (span.id, span.take)]
        title = f"{_OPERATIONS[span.kind]} {span.name}" if span.kind in _OPERATIONS else span.name
        times = (span.started_ns, span.ended_ns)
        return self._span(
            title, _key(span.id, span.take), _key(parent, span.take), facts=facts | own, times=times, verdicts=here
        )

    def _decision(self, number: int) -> Facts:
        found = next((one for one in self._trace.lineage.decisions if one.round == number), None)
        if found is None:
            return {}
        odds = {f"evolgraph.route.probability.{name}": value for name, value in found.probabilities.items()}
        return odds | {"evolgraph.route.policy": found.policy, "evolgraph.route.policy_version": found.policy_version}

    def _call(self, call: Call) -> ReadableSpan:
        node = f"{call.round}/{call.agent}"
        parent = node if (node, call.take) in self._nodes else _ROOT
        place = urlsplit(call.endpoint or "")
        known = [count for count in (call.prompt_tokens, call.completion_tokens) if count is not None]
        facts: dict[str, Any] = {
            "operation": "chat",
            "kind": "LLM",
            "conversation": f"{self._run}/{self._trace.id}",
            "provider": "openai" if place.hostname == "api.openai.com" else "openai_compatible",
            "node": call.agent,
            "parent_node": call.agent,
            "model": call.model,
            "response": call.response_id,
            "finish_reason": call.finish_reason,
            "finish_reasons": [call.finish_reason] if call.finish_reason else None,
            "output_type": "json",
            "input_tokens": call.prompt_tokens,
            "output_tokens": call.completion_tokens,
            "total_tokens": sum(known) if known else None,
            "cached_tokens": call.cached_tokens,
            "reasoning_tokens": call.reasoning_tokens,
            "server": place.hostname,
            "port": place.port,
            "error": None if call.kind == "ok" else call.kind,
            "evolgraph.round": call.round,
            "evolgraph.take": call.take,
            "evolgraph.step": call.step,
            "evolgraph.call.key": call.key,
            "evolgraph.call.attempts": call.attempts,
            "evolgraph.call.image_tokens": call.image_tokens,
        }
        if self._content:
            facts |= _said(call, self._names)
        span_id = _key(f"{node}/{call.step}", call.take)
        times = (call.started_ns, call.ended_ns)
        return self._span(
            f"chat {call.model}",
            span_id,
            _key(parent, call.take),
            facts=facts,
            times=times,
            kind=SpanKind.CLIENT,
            told=call.error,
        )

    def _home(self, verdict: Verdict) -> tuple[str, int]:
        """The node that ruled, as it is known here."""
        node = verdict.direction if verdict.stage == "agent" else verdict.stage
        return f"{verdict.round}/{node}", verdict.take

    def _span(
        self,
        title: str,
        span_id: str,
        parent: str | None,
        *,
        facts: Facts,
        times: tuple[int, int],
        kind: SpanKind = SpanKind.INTERNAL,
        told: str | None = None,
        verdicts: Sequence[Verdict] = (),
    ) -> ReadableSpan:
        failed = facts.get("error")
        return ReadableSpan(
            name=title,
            context=self._context(span_id),
            parent=None if parent is None else self._context(parent),
            resource=_RESOURCE,
            attributes=named(facts, self._names),
            events=[self._event(verdict, times[1]) for verdict in verdicts],
            kind=kind,
            status=Status(StatusCode.ERROR, told or failed) if failed else Status(StatusCode.OK),
            start_time=times[0],
            end_time=max(times),
            instrumentation_scope=_SCOPE,
        )

    def _context(self, span_id: str) -> SpanContext:
        digest = hashlib.sha256(f"{self._run}/{self._trace.id}/{span_id}".encode()).digest()
        return SpanContext(self._id, int.from_bytes(digest[:8], "big"), False, TraceFlags(TraceFlags.SAMPLED))

    def _event(self, verdict: Verdict, at_ns: int) -> Event:
        flags = ("grounded", "correct", "answerable", "needs_image", "improved")
        facts = {
            "evaluation": "evolution",
            "score": verdict.score_after,
            "label": "accepted" if verdict.accepted else verdict.code,
            "explanation": verdict.reason,
            "evolgraph.qa": verdict.qa,
            "evolgraph.stage": verdict.stage,
            "evolgraph.score_before": verdict.score_before,
        } | {f"evolgraph.{flag}": getattr(verdict, flag) for flag in flags}
        return Event(EVALUATION, named(facts, self._names), timestamp=at_ns)


def named(facts: Facts, names: Vocabulary) -> dict[str, Any]:
    """The facts that are known and that `names` has a name for, as attributes."""
    full = {fact: fact if fact.startswith(("evolgraph.", "llm.")) else names.get(fact) for fact in facts}
    return {name: facts[fact] for fact, name in full.items() if name and facts[fact] is not None}


def _key(span_id: str | None, take: int) -> str:
    return f"{span_id}/{take}" if span_id else _ROOT


def _said(call: Call, names: Vocabulary) -> Facts:
    """What was sent and received. Images are told by their path and hash, never by their bytes."""
    if names is OPENINFERENCE:
        sent = dict(_flat("llm.input_messages", [(one["role"], _text(one["parts"])) for one in call.messages]))
        heard = dict(_flat("llm.output_messages", [("assistant", call.text)] if call.text else []))
        last = _text(call.messages[-1]["parts"]) if call.messages else None
        return sent | heard | {"asked": last, "text": call.text}
    turns = [one for one in call.messages if one["role"] != "system"]
    rules = [_part(part) for one in call.messages if one["role"] == "system" for part in one["parts"]]
    asked = [{"role": one["role"], "parts": [_part(part) for part in one["parts"]]} for one in turns]
    reply = {
        "role": "assistant",
        "parts": [{"type": "text", "content": call.text}],
        "finish_reason": call.finish_reason,
    }
    return {
        "instructions": _json(rules),
        "input": _json(asked),
        "output": _json([reply]) if call.text is not None else None,
    }


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "content": part["text"]}
    return {"type": "uri", "modality": "image", "uri": part["path"], "sha256": part["sha256"]}


def _text(parts: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(part["text"] if part["type"] == "text" else f"[image {part['path']}]" for part in parts)


def _flat(name: str, messages: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for number, (role, text) in enumerate(messages):
        yield f"{name}.{number}.message.role", role
        yield f"{name}.{number}.message.content", text


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
