"""What a server really does, found out by a few tiny requests: engines differ in what they honour and tell."""

import base64
import hashlib
import io
import math
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson
from PIL import Image
from pydantic import BaseModel

from .endpoint import Endpoint
from .engines import recognise
from .probing import served
from .queues import metrics, waiting_metric
from .replies import one_line, parse, without_thinking
from .schemas import told_as_text
from .transport import Attempt, UnreadableError, open_session, post

USUAL_PROMPT: Final = 4000
"""Tokens of a usual prompt of an evolution, rather more than less: its text took 1,400 to 1,900 for three questions, an
image of a megapixel takes some 1,300, and a judge reads every question twice."""
_REFUSING: Final = ("vLLM", "SGLang")
"""Engines that refuse a request whose prompt and `max_tokens` are longer than their context; others cut it short."""
_SIDE: Final = 112
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
    version: str | None
    images: bool | None
    """Whether an image reaches the model: it is not refused, and it costs tokens where tokens are told."""
    schema: str
    """What becomes of `response_format: json_schema`: `enforced`, `ignored` or `refused`; `unknown` where the reply was
    cut off before it showed."""
    schema_in_prompt: bool | None
    """Where it is ignored, whether the model keeps to a schema that stands in its prompt."""
    usage: bool
    cached_tokens: bool
    image_tokens: bool
    image_uuid: bool
    """Whether an image that was sent under a uuid need not be sent again."""
    queue: str | None
    """The metric at /metrics that tells how many requests wait inside it."""
    context: int | None
    """The longest prompt and reply together, in tokens."""
    max_tokens: int | None
    """Tokens that a reply may take, as the endpoint is set up."""
    latency_ms: float
    """Of the first small request that was answered."""
    thinks: bool
    """Whether replies hold a model's thinking beside their content."""

    @property
    def usable(self) -> bool:
        """Whether an evolution would work there, with what is missing worked around."""
        able = self.images is not False and self.schema != "refused" and self.schema_in_prompt is not False
        return able and (self.fits or (self.room > 0 and self.server not in _REFUSING))

    @property
    def room(self) -> float:
        """Tokens that a usual prompt leaves for the reply; infinite where the context is not told."""
        return math.inf if self.context is None else self.context - USUAL_PROMPT

    @property
    def fits(self) -> bool:
        """Whether a usual prompt and the longest reply fit into the context, as far as it is told."""
        return self.room > 0 and (self.max_tokens or 0) <= self.room


class _Seen(BaseModel):
    """The reply that is asked for."""

    seen: str


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

    @property
    def _schema(self) -> dict[str, Any]:
        # No model would write this by chance: it stands in the schema alone.
        only = {"type": "string", "enum": [self._token]}
        return {"type": "object", "properties": {"seen": only}, "required": ["seen"], "additionalProperties": False}

    async def ask(
        self, parts: frozenset[str], *, bytes_left_out: bool = False, uuid: str = "", told: bool = False
    ) -> Attempt:
        """One small request with the `parts` of it that are wanted; `told` puts the schema into the prompt."""
        words = "Name the colour of the image, in JSON." + (f"\n\n{told_as_text(self._schema)}" if told else "")
        text = {"type": "text", "text": words}
        shown: dict[str, Any] = {"type": "image_url", "image_url": None if bytes_left_out else {"url": self._uri}}
        if "uuid" in parts:
            shown["uuid"] = uuid or self._uuid
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": [{"role": "user", "content": [shown, text] if "image" in parts else [text]}],
            **self._endpoint.sampling(),
        }
        if "schema" in parts:
            named = {"name": "check", "schema": self._schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return await post(self._session, self._endpoint, orjson.dumps(body))

    async def schema(self, attempt: Attempt, parts: frozenset[str]) -> tuple[str, bool | None]:
        """What became of the schema in `attempt`, and whether the model keeps to one in its prompt where that matters.

        Tolerant of what stands around the JSON only where it was asked for in the prompt.
        """
        if "schema" not in parts:
            return "refused", None
        try:
            if orjson.loads(without_thinking(attempt.reply.text or "")) == {"seen": self._token}:
                return "enforced", None
        except orjson.JSONDecodeError:
            pass  # not JSON: not enforced
        if attempt.reply.kind.startswith("truncated"):
            return "unknown", None
        reply = (await self.ask(parts, told=True)).reply
        value = parse(reply.text or "", _Seen, None).value
        return "ignored", value is not None and value.seen == self._token

    async def keeps_images(self, parts: frozenset[str]) -> bool:
        """Whether the image that was sent under its uuid can be left out, and no other: some drop what is null."""
        if "uuid" not in parts:
            return False
        again = await self.ask(parts, bytes_left_out=True)
        never_sent = await self.ask(parts, bytes_left_out=True, uuid=secrets.token_hex(32))
        return again.reply.http_status == 200 and never_sent.reply.http_status != 200

    async def metrics(self) -> str:
        """The text at /metrics, empty where there is none."""
        try:
            return await metrics(self._endpoint, self._session)
        except (aiohttp.ClientError, TimeoutError, OSError, UnreadableError):
            return ""


class AbilityError(Exception):
    """The server answers nothing at all: `why` in one line."""


async def examine(endpoint: Endpoint) -> Abilities:
    """Finds out what `endpoint` can do, with at most ten requests of a few hundred tokens, mostly five.

    Raises EndpointError when it cannot be reached, refuses the key or does not serve the model, and AbilityError when
    it answers no chat at all.
    """
    known = await served(endpoint)
    async with open_session() as session:
        server = _Server(endpoint, session)
        first, parts, seconds = await _first(server)
        keeps = await server.keeps_images(parts)
        second = await server.ask(parts)
        blind = await server.ask(parts - {"image", "uuid"})
        schema, in_prompt = await server.schema(first, parts)
        told = await server.metrics()
        engine = await recognise(endpoint, session, known, told)
    usage = first.reply.usage
    return Abilities(
        url=endpoint.url,
        model=endpoint.model,
        server=engine.name,
        version=engine.version,
        images=_sees(first, blind) if "image" in parts else False,
        schema=schema,
        schema_in_prompt=in_prompt,
        usage=usage.prompt_tokens is not None and usage.completion_tokens is not None,
        cached_tokens=second.reply.usage.cached_tokens is not None,
        image_tokens=usage.image_tokens is not None,
        image_uuid=keeps,
        queue=waiting_metric(told),
        context=engine.context,
        max_tokens=endpoint.max_tokens,
        latency_ms=round(seconds * 1000, 1),
        thinks=(first.reply.text or "").startswith("<think>"),
    )


async def _first(server: _Server) -> tuple[Attempt, frozenset[str], float]:
    """The first reply, what could be asked for in its request, and its seconds. Raises AbilityError without one."""
    why = ""
    for parts in _TRIES:
        started = time.monotonic()
        attempt = await server.ask(parts)
        if attempt.reply.http_status == 200:
            return attempt, parts, time.monotonic() - started
        why = one_line(attempt.reply.detail) or attempt.reply.kind
        if attempt.reply.kind != "bad-request":
            break
    raise AbilityError(why)


def _sees(shown: Attempt, blind: Attempt) -> bool | None:
    """Whether the image took tokens; None where no tokens are told."""
    with_it, without = shown.reply.usage.prompt_tokens, blind.reply.usage.prompt_tokens
    return None if with_it is None or without is None else with_it > without
