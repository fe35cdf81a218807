"""What a server really does, found out by a few tiny requests: engines differ in what they honour and tell."""

import base64
import hashlib
import io
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson
from PIL import Image

from .endpoint import Endpoint
from .probing import served
from .queues import metrics, read_queue
from .replies import one_line, without_thinking
from .transport import Attempt, UnreadableError, open_session, post

_SIDE: Final = 112
_ENGINES: Final = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "library": "Ollama",
    "openai": "OpenAI",
    "system": "OpenAI",
    "evolgraph": "evolgraph's embedded model",
}
"""Servers by the owner that they name for their models."""
# Most is asked for at first; what is refused is left out one after the other.
_TRIES: Final = (
    frozenset({"image", "uuid", "schema"}),
    frozenset({"image", "schema"}),
    frozenset({"image"}),
    frozenset({"schema"}),
    frozenset[str](),
)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was found out about one endpoint; None is what could not be told."""

    url: str
    model: str
    server: str
    """Which engine it is, by what it says of itself."""
    images: bool | None
    """Whether an image reaches the model: it is not refused, and it costs tokens where tokens are told."""
    schema: str
    """What becomes of `response_format: json_schema`: `enforced`, `ignored` or `refused`."""
    usage: bool
    cached_tokens: bool
    image_tokens: bool
    image_uuid: bool
    """Whether an image that was sent under a uuid need not be sent again."""
    queue: bool
    """Whether /metrics tells how many requests wait inside it."""
    context: int | None
    """The longest prompt and reply together, in tokens."""
    latency_ms: float
    """Of the first small request."""
    thinks: bool
    """Whether replies hold a model's thinking beside their content."""

    @property
    def usable(self) -> bool:
        """Whether an evolution would work there, with what is missing worked around."""
        return self.images is not False and self.schema != "refused"


class _Server:
    """One endpoint that is asked, and what is asked of it."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self._endpoint = endpoint
        self._session = session
        self._token = secrets.token_hex(4)
        picture = io.BytesIO()
        Image.new("RGB", (_SIDE, _SIDE), (180, 40, 40)).save(picture, "PNG")
        # Trailing bytes after the picture's end make it one that nobody has seen before.
        content = picture.getvalue() + secrets.token_bytes(8)
        self._uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        self._uuid = hashlib.sha256(content).hexdigest()

    async def ask(self, parts: frozenset[str], *, bytes_left_out: bool = False) -> Attempt:
        """One small request with the `parts` of it that are wanted."""
        text = {"type": "text", "text": "Name the colour of the image, in JSON."}
        shown: dict[str, Any] = {"type": "image_url", "image_url": None if bytes_left_out else {"url": self._uri}}
        if "uuid" in parts:
            shown["uuid"] = self._uuid
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": [{"role": "user", "content": [shown, text] if "image" in parts else [text]}],
            **self._endpoint.sampling(),
        }
        body["max_tokens"] = 1024
        if "schema" in parts:
            # No model would write this by chance: it stands in the schema alone.
            only = {"type": "string", "enum": [self._token]}
            schema = {
                "type": "object", "properties": {"seen": only}, "required": ["seen"], "additionalProperties": False
            }  # fmt: skip
            named = {"name": "check", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return await post(self._session, self._endpoint, orjson.dumps(body))

    def obeyed(self, attempt: Attempt) -> bool:
        """Whether the reply is what the schema asked for."""
        try:
            return orjson.loads(without_thinking(attempt.reply.text or "")) == {"seen": self._token}
        except orjson.JSONDecodeError:
            return False

    async def tells_queue(self) -> bool:
        """Whether there is a queue at /metrics."""
        try:
            return read_queue(await metrics(self._endpoint, self._session)) is not None
        except (aiohttp.ClientError, TimeoutError, OSError, UnreadableError):
            return False


class AbilityError(Exception):
    """The server answers nothing at all: `why` in one line."""


async def examine(endpoint: Endpoint) -> Abilities:
    """Finds out what `endpoint` can do, with three or four requests of a few hundred tokens.

    Raises EndpointError when it cannot be reached, refuses the key or does not serve the model, and AbilityError when
    it answers no chat at all.
    """
    known = await served(endpoint)
    async with open_session() as session:
        server = _Server(endpoint, session)
        started = time.monotonic()
        first, parts = await _first(server)
        latency = time.monotonic() - started
        again = await server.ask(parts, bytes_left_out=True) if "uuid" in parts else None
        second = await server.ask(parts)
        blind = await server.ask(parts - {"image", "uuid"})
        queue = await server.tells_queue()
    usage, told = first.reply.usage, second.reply.usage
    schema = ("enforced" if server.obeyed(first) else "ignored") if "schema" in parts else "refused"
    return Abilities(
        url=endpoint.url,
        model=endpoint.model,
        server=_ENGINES.get(str(known.get("owned_by")).lower(), "unknown"),
        images=_sees(first, blind) if "image" in parts else False,
        schema=schema,
        usage=usage.prompt_tokens is not None and usage.completion_tokens is not None,
        cached_tokens=told.cached_tokens is not None,
        image_tokens=usage.image_tokens is not None,
        image_uuid=again is not None and again.reply.http_status == 200,
        queue=queue,
        context=known["max_model_len"] if isinstance(known.get("max_model_len"), int) else None,
        latency_ms=round(latency * 1000, 1),
        thinks=(first.reply.text or "").startswith("<think>"),
    )


async def _first(server: _Server) -> tuple[Attempt, frozenset[str]]:
    """The first reply, and what could be asked for in its request. Raises AbilityError when there is none."""
    why = ""
    for parts in _TRIES:
        attempt = await server.ask(parts)
        if attempt.reply.http_status == 200:
            return attempt, parts
        why = one_line(attempt.reply.detail) or attempt.reply.kind
        if attempt.reply.kind != "bad-request":
            break
    raise AbilityError(why)


def _sees(shown: Attempt, blind: Attempt) -> bool | None:
    """Whether the image took tokens; None where no tokens are told."""
    with_it, without = shown.reply.usage.prompt_tokens, blind.reply.usage.prompt_tokens
    return None if with_it is None or without is None else with_it > without
