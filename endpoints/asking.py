"""The ask loop that every kind of model shares: ledger, send, classify, record, one repair turn."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, Protocol

from ..samples.contained import ImageError
from .chat import UNKNOWN, Answer, Ask, Ledger, Message, T, TextPart, Usage
from .errors import FATAL, NO_KEY, PASSING, REPAIRABLE, EndpointError
from .replies import Parsed, Reply, parse, without_thinking
from .stats import Stats
from .wire import Call, ledger_key, logical, request_seed

LONGEST_QUOTE: Final = 16_000
"""Characters of a bad reply that its repair turn quotes."""


Begin = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply, or the final failure to get one, and how it came about."""

    reply: Reply
    endpoint: str
    attempts: int = 1
    """Requests that it took since the last that `failed` was told of; none for one that only found a server down."""
    maybe_billed: int = 0
    """Those of them that may have been paid for nothing."""
    fitted: Callable[[bool], None] = lambda _: None
    """To be told whether the reply fitted its schema."""


Failed = Callable[[Sent], Awaitable[None]]


class Sender(Protocol):
    """What carries a call to a model and back, retries included."""

    def identity(self, role: str) -> tuple[str, dict[str, Any]]:
        """Model alias and sampling parameters for `role`. Raises EndpointError when nothing serves it."""
        ...

    async def send(self, call: Call, begin: Begin, failed: Failed) -> Sent:
        """Make the call.

        `begin` is awaited before each request goes out, and may raise to hold it back; `failed` when one came to
        nothing and another follows.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Turn(Generic[T]):
    parsed: Parsed[T]
    text: str | None
    usage: Usage
    replayed: bool


class Asker:
    """Answers asks through `sender`. With a ledger, a received reply is never paid twice."""

    def __init__(self, sender: Sender, ledger: Ledger | None, run_seed: int, stats: Stats) -> None:
        self._sender = sender
        self._ledger = ledger
        self._run_seed = run_seed
        self._stats = stats
        self._stopped: EndpointError | None = None

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Answer `ask`. Raises EndpointError when no ask can be answered any more (refused key, unknown model)."""
        turn = await self._turn(ask, ask.key.step, ask.messages)
        if turn.parsed.kind not in REPAIRABLE:
            return _answer([turn])
        if not turn.replayed:
            self._stats.repairs += 1
        repaired = await self._turn(ask, ask.key.step + 1, (*ask.messages, *_repair(ask, turn)))
        return _answer([turn, repaired])

    async def _turn(self, ask: Ask[T], step: int, messages: tuple[Message, ...]) -> _Turn[T]:
        seed = request_seed(self._run_seed, ask.key, step)
        call = Call(ask.key, step, ask.role, messages, ask.reply, seed)
        model, sampling = self._sender.identity(ask.role)
        said = logical(messages)
        key = ledger_key(call, model, sampling, said)
        known = await self._ledger.find(key) if self._ledger else None
        if known is not None and known["kind"] not in PASSING | FATAL:
            self._stats.replayed += 1
            return _replayed(known, ask)
        return await self._fresh(ask, call, {"key": key, "model": model, "messages": said})

    async def _fresh(self, ask: Ask[T], call: Call, known: dict[str, Any]) -> _Turn[T]:
        started = time.time_ns()
        try:
            sent = await self._sender.send(call, partial(self._begin, call, known), partial(self._failed, call, known))
        except ImageError as error:
            # Nothing was asked: the sample cannot be shown any more, which is no reason to stop the others.
            return _Turn(Parsed(None, "image", str(error)), None, UNKNOWN, replayed=False)
        ended = time.time_ns()
        reply = sent.reply
        if reply.kind in FATAL:
            self._stopped = _fatal(reply, sent.endpoint)
        parsed = _parse(reply.kind, reply.text, reply.detail, ask)
        if reply.kind == "ok":
            sent.fitted(parsed.kind not in ("not-json", "schema"))
        if self._ledger:
            times = {"started_ns": started, "ended_ns": ended}
            await self._ledger.record(known | times | _record(call, sent, parsed))
        self._stats.count(parsed.kind, reply.usage, replied=reply.text is not None)
        if reply.kind in FATAL and self._stopped:
            raise self._stopped
        return _Turn(parsed, reply.text, reply.usage, replayed=False)

    async def _begin(self, call: Call, known: Mapping[str, Any]) -> None:
        if self._ledger and not self._stopped:
            await self._ledger.begin({"key": known["key"], "model": known["model"]} | _identity(call))
            if self._stopped:  # while that was committed: the request does not go out
                await self._failed(call, known, Sent(Reply("cut-off"), "", attempts=0))
        if self._stopped:
            raise self._stopped

    async def _failed(self, call: Call, known: Mapping[str, Any], sent: Sent) -> None:
        """Puts a request's end on record at once: a stop may come before the next, or while everything waits."""
        if self._ledger:
            now = time.time_ns()
            times = {"started_ns": now, "ended_ns": now}
            # Whatever became of it, the call has not ended: a resumed run makes it again.
            cut_off = Reply("cut-off", detail=sent.reply.detail)
            ended = _record(call, replace(sent, reply=cut_off), Parsed(None, cut_off.kind, cut_off.detail))
            await self._ledger.record({**known, **times, **ended})


def _parse(kind: str, text: str | None, detail: str, ask: Ask[T]) -> Parsed[T]:
    if kind != "ok" or text is None:
        return Parsed(None, kind, detail)
    return parse(text, ask.reply, ask.check)


def _replayed(known: Mapping[str, Any], ask: Ask[T]) -> _Turn[T]:
    # A recorded text is judged again: a value cannot be stored, and the check may have learned since.
    kind = "ok" if known["kind"] in REPAIRABLE else known["kind"]
    parsed = _parse(kind, known["text"], known["error"] or "", ask)
    return _Turn(parsed, known["text"], _stored_usage(known["usage"]), replayed=True)


def _stored_usage(usage: Mapping[str, Any] | None) -> Usage:
    return Usage(**usage) if usage else UNKNOWN


def _identity(call: Call) -> dict[str, Any]:
    who = call.key
    return {"sample": who.sample, "round": who.round, "agent": who.agent, "step": call.step, "take": who.take}


def _record(call: Call, sent: Sent, parsed: Parsed[Any]) -> dict[str, Any]:
    reply = sent.reply
    return _identity(call) | {
        "kind": parsed.kind,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "usage": reply.usage.row(),
        "response_id": reply.response_id,
        "endpoint": sent.endpoint,
        "attempts": sent.attempts,
        "http_status": reply.http_status,
        "error": parsed.detail or None,
        "maybe_billed": sent.maybe_billed,
    }


def _repair(ask: Ask[T], turn: _Turn[T]) -> tuple[Message, Message]:
    bad = without_thinking(turn.text or "").strip()[:LONGEST_QUOTE]
    return (
        Message("assistant", (TextPart(bad),)),
        Message("user", (TextPart(ask.repair(turn.parsed.detail)),)),
    )


def _answer(turns: list[_Turn[T]]) -> Answer[T]:
    last = turns[-1]
    usage = last.usage if len(turns) == 1 else turns[0].usage + last.usage
    replayed = sum(turn.replayed for turn in turns)
    return Answer(last.parsed.value, last.parsed.kind, last.parsed.detail, len(turns), replayed, usage)


def _fatal(reply: Reply, where: str) -> EndpointError:
    if reply.kind == "auth":
        return EndpointError(f"refused the key ({reply.detail})", where=where, remedy=NO_KEY, kind="auth")
    if reply.kind == "quota":
        return EndpointError(f"has no quota left ({reply.detail})", where=where, remedy="add credit", kind="quota")
    return EndpointError(
        f"does not serve this ({reply.detail})", where=where, remedy="check the URL and the model", kind="not-found"
    )
