"""What came back: every reply is classified here before anything uses it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic

import orjson
from pydantic import ValidationError

from .chat import UNKNOWN, T, Usage

EXCERPT: Final = 200
"""Characters of a server's own words that go into an error."""

_THOUGHT_END: Final = "</think>"
_THOUGHT: Final = re.compile(r"\s*(?:<think>|◁think▷|\[THINK\])")
"""How a block of thinking begins where the server leaves it in the content: most models, Kimi-VL, Magistral."""
_THOUGHT_ENDS: Final = re.compile(r"</think>|◁/think▷|\[/THINK\]")
_OBJECT: Final = re.compile(r'\{\s*["}]')
"""Where a JSON object may begin; a brace before anything else belongs to the prose around it."""
# Not `(...)*+`, which loses matches before Python 3.11.5 (CPython's gh-106052); what `(...)*` repeats stays in memory.
_TRAILING_COMMA: Final = re.compile(r'("[^"\\]*+(?>(?:\\.[^"\\]*+)*)(?:"|\\?\Z))|,(?=\s*[}\]])', re.DOTALL)
_DECODER: Final = json.JSONDecoder(strict=False)
_MOST_OBJECTS: Final = 16
_RANKS: Final = ("not-json", "schema", "check", "ok")
"""Of several objects in a reply the one that comes furthest counts; of equals the last: models correct themselves."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of a server, or why there is none."""

    kind: str
    text: str | None = None
    """The content as it came; thinking told apart by the server stands before it in a <think> block."""
    detail: str = ""
    finish_reason: str | None = None
    usage: Usage = UNKNOWN
    response_id: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A content after validation; `value` is set exactly when `kind` is `ok`."""

    value: T | None
    kind: str
    detail: str = ""


def one_line(text: str, length: int = EXCERPT) -> str:
    """`text` without line breaks and runs of blanks, cut to `length` characters."""
    return " ".join(text[: 4 * length].split())[:length]


def read_completion(raw: bytes, status: int) -> Reply:
    """Classify the body of a successful response as far as its envelope goes; the content is not parsed."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        start = one_line(raw[:EXCERPT].decode("utf-8", "replace"), 80)
        return Reply("garbled", detail=f"the body is not JSON: {start!r}", http_status=status)
    choice = _first(body.get("choices"))
    message = _mapping(choice.get("message"))
    return classify(
        content_text(message.get("content")),
        content_text(message.get("reasoning_content") or message.get("reasoning")),
        _string(choice.get("finish_reason")),
        message.get("refusal"),
        usage=read_usage(body.get("usage")),
        response_id=_string(body.get("id")),
        http_status=status,
    )


def classify(
    content: str | None, reasoning: str | None, finish_reason: str | None, refusal: Any, **known: Any
) -> Reply:
    """A reply whose content and its circumstances are known, classified without parsing the content.

    What else is `known` of it goes into the fields of that name.
    """
    kind, detail = _envelope_kind(content, reasoning, finish_reason, refusal)
    text = f"<think>{reasoning}{_THOUGHT_END}\n{content or ''}" if reasoning else content
    return Reply(kind, text, detail, finish_reason, **known)


def _envelope_kind(content: str | None, reasoning: str | None, finish: str | None, refusal: Any) -> tuple[str, str]:
    if finish == "content_filter":
        return "filtered", "the server's content filter withheld the reply"
    if refusal:
        return "refusal", f"the model declined: {one_line(str(refusal))}"
    said = without_thinking(content or "").strip()
    if finish == "length" and not said and (reasoning or (content or "").strip()):
        mend = "raise max_tokens, or have it think less (chat_template_kwargs or reasoning_effort in extra_body)"
        return "truncated-thinking", f"the token limit was reached while still thinking ({mend})"
    if finish == "length":
        return "truncated", "the token limit was reached before the reply was complete (raise max_tokens)"
    if not said:
        return "empty", "the reply has no content"
    return "ok", ""


def http_failure(status: int, raw: bytes) -> Reply:
    """Classify a response whose status is not 2xx."""
    kind = "quota" if status == 429 and b"insufficient_quota" in raw else _status_kind(status)
    said = "" if kind == "auth" else one_line(_server_words(raw))  # a refused key is often quoted back
    return Reply(kind, detail=f"HTTP {status}{': ' if said else ''}{said}", http_status=status)


def _status_kind(status: int) -> str:
    if status in (408, 425, 429):
        return "rate-limited"
    if status in (401, 403):
        return "auth"
    if status == 402:
        return "quota"
    if status in (404, 405, 410) or status < 400:
        return "not-found"
    return "server" if status >= 500 else "bad-request"


def _server_words(raw: bytes) -> str:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw[: 4 * EXCERPT].decode("utf-8", "replace")
    error = body.get("error", body) if isinstance(body, dict) else body
    told = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return str(told or "")


def read_usage(usage: Any) -> Usage:
    """Token counts as far as they are whole numbers from 0 on; anything else is unknown."""
    counts = _mapping(usage)
    details = _mapping(counts.get("prompt_tokens_details"))
    written = _mapping(counts.get("completion_tokens_details"))
    return Usage(
        _count(counts.get("prompt_tokens")),
        _count(details.get("cached_tokens")),
        _count(counts.get("completion_tokens")),
        _count(_mapping(details.get("multimodal_tokens")).get("image", details.get("image_tokens"))),
        _count(written.get("reasoning_tokens")),
    )


def without_thinking(text: str) -> str:
    """`text` without leading blocks of thinking; some chat templates put the opening tag into the prompt.

    Thinking that is not closed leaves nothing.
    """
    if text.lstrip().startswith(("{", "```")):
        return text
    opened = _THOUGHT.match(text)
    while closed := _THOUGHT_ENDS.search(text):
        text = text[closed.end() :]
        opened = _THOUGHT.match(text)
        if not opened:
            return text
    return "" if opened else text


def parse(text: str, reply: type[T], check: Callable[[T], str | None] | None) -> Parsed[T]:
    """Validate a content as `reply`, tolerating code fences and prose around the JSON object.

    Only what has one reading is mended: line breaks inside strings, commas before a closing bracket. Nothing is closed
    that was left open: a reply that was cut off must not pass for a shorter one.
    """
    said = without_thinking(text)
    best: Parsed[T] = Parsed(None, "not-json", "there is no JSON object in it")
    if "{" not in said:
        return best
    whole = _validated(said, reply, check)
    if whole.kind != "not-json":
        return whole
    best = whole
    for found in islice(_objects(said), _MOST_OBJECTS):
        parsed = _validated(found, reply, check)
        if _RANKS.index(parsed.kind) >= _RANKS.index(best.kind):
            best = parsed
    return best


def _validated(text: str, reply: type[T], check: Callable[[T], str | None] | None) -> Parsed[T]:
    try:
        value = reply.model_validate_json(text)
    except ValidationError as error:
        return _invalid(error)
    wrong = check(value) if check else None
    return Parsed(None, "check", one_line(wrong, 600)) if wrong else Parsed(value, "ok")


def _objects(text: str) -> Iterator[str]:
    """The JSON objects that stand in `text`; none of those that are inside another, be that whole or broken."""
    place = 0
    while found := _OBJECT.search(text, place):
        try:
            value, place = _decoded(text, found.start())
        except (ValueError, RecursionError):
            yield text[found.start() :]
            return
        yield json.dumps(value)


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at `start` and where it ends. Raises ValueError or RecursionError when there is none."""
    try:
        return _DECODER.raw_decode(text, start)
    except ValueError:
        rest = text[start:]
        mended = _TRAILING_COMMA.sub(r"\1", rest)
        if mended == rest:
            raise
    value, end = _DECODER.raw_decode(mended)
    # The rest is searched from behind the object: as far from the end of the text as it is in the mended one.
    return value, len(text) - (len(mended) - end)


def _invalid(error: ValidationError) -> Parsed[Any]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Parsed(None, "not-json", one_line(found[0]["msg"]))
    told = [f"{'.'.join(map(str, one['loc'])) or 'reply'}: {one['msg']}" for one in found[:3]]
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return Parsed(None, "schema", one_line("; ".join(told), 600) + more)


def _first(choices: Any) -> Mapping[str, Any]:
    return _mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def content_text(value: Any) -> str | None:
    """A message's content as one text, also where it comes as a list of parts; None when it is no text."""
    if isinstance(value, list):
        return "".join(part if isinstance(part, str) else str(_mapping(part).get("text") or "") for part in value)
    return _string(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
