"""LangChain chat models as endpoints: for hosted models, at the price of LangChain's CPU time per call."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiohttp
import orjson

from .chat import ImagePart, Message, Usage
from .endpoint import Endpoint
from .errors import EndpointError
from .fragments import Fragments
from .replies import Reply, classify, content_text, http_failure, one_line, read_completion, read_usage
from .schemas import response_format
from .transport import REPLY_CAP, Attempt, UnreadableError, read_key, too_large, without_key
from .wire import Call, Dialect, spoken

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

SHAPING: Final = (
    *("top_p", "top_k", "frequency_penalty", "presence_penalty", "logit_bias", "stop", "stop_sequences"),
    *("reasoning_effort", "reasoning", "thinking", "verbosity", "model_kwargs", "extra_body"),
)
"""Attributes of chat models, beside temperature and max_tokens, that decide what they reply."""
_OF_THE_BODY: Final = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that no longer hold once a body has been read."""
NO_KEY: Final = "EMPTY"
"""What is sent as the key of a server that wants none: OpenAI's SDK insists on one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint(Endpoint):
    """A LangChain chat model in the place of a server.

    `model` and `url` are the names that it goes by in the store and in messages; by default its own. Its temperature
    and further parameters are part of a call's identity, its token limit is not, as with those of a server.
    """

    is_server: ClassVar[bool] = False

    chat: "BaseChatModel" = field(hash=False, repr=False)
    url: str = ""
    model: str = ""
    timeout_s: float = 600.0
    """Seconds for a whole request; the model's own timeout may end it sooner."""
    temperature: float | None = field(init=False, default=None)
    max_tokens: int | None = field(init=False, default=None)
    extra_body: Mapping[str, Any] = field(init=False, default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        chat = self.chat
        known = {name: value for name in SHAPING if (value := getattr(chat, name, None)) not in (None, {}, [])}
        extra = known.pop("model_kwargs", {}) | known.pop("extra_body", {})
        name = self.model or str(getattr(chat, "model_name", None) or getattr(chat, "model", None) or chat._llm_type)
        values = {
            "model": name,
            "url": self.url or f"{type(chat).__name__} {name}",
            "temperature": getattr(chat, "temperature", None),
            "max_tokens": getattr(chat, "max_tokens", None),
            "extra_body": known | extra,
        }
        for field_name, value in values.items():
            object.__setattr__(self, field_name, value)
        Endpoint.__post_init__(self)


def open_chat(endpoint: Endpoint, fragments: Fragments, stack: AsyncExitStack) -> "ChatModel | None":
    """The chat model that speaks for `endpoint`, None where that is the client of this room; `stack` closes it.

    Raises EndpointError (kind `auth`) when the key's variable is not set.
    """
    if isinstance(endpoint, ChatEndpoint):
        return ChatModel(endpoint.chat, _secrets(endpoint.chat), fragments, endpoint.timeout_s)
    if endpoint.provider == "openai":
        chat = chat_openai(endpoint, stack)
        return ChatModel(chat, [read_key(endpoint)], fragments, endpoint.timeout_s)
    return None


def chat_openai(endpoint: Endpoint, stack: AsyncExitStack) -> "BaseChatModel":
    """`ChatOpenAI` for `endpoint`, over aiohttp; `stack` closes its connections."""
    from langchain_openai import ChatOpenAI
    from openai import DEFAULT_CONNECTION_LIMITS, Timeout

    # As in our own sessions: no limit besides the learned one, no proxies, and gone before vLLM closes them at 5 s.
    limits = type(DEFAULT_CONNECTION_LIMITS)(max_connections=None, keepalive_expiry=4.0)
    http = _capped_client()(limits=limits, trust_env=False, follow_redirects=False)
    stack.push_async_callback(http.aclose)

    async def key() -> str:
        return read_key(endpoint) or NO_KEY  # from the environment whenever a request is sent

    read = endpoint.read_timeout_s or endpoint.timeout_s
    return ChatOpenAI(
        model=endpoint.model,
        base_url=endpoint.url,
        api_key=key,
        temperature=endpoint.temperature,
        max_tokens=endpoint.max_tokens,  # type: ignore[call-arg]
        timeout=Timeout(read, connect=endpoint.connect_timeout_s),
        max_retries=0,
        extra_body=dict(endpoint.extra_body),
        use_responses_api=False,
        http_async_client=http,
    )


def _capped_client() -> Any:
    """OpenAI's client over aiohttp, which gives up a body beyond the cap instead of taking all of it into memory."""
    from openai import DefaultAioHttpClient

    class Capped(DefaultAioHttpClient):
        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            response = await super().send(request, stream=True, **options)
            if stream:
                return response
            content = bytearray()
            try:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > REPLY_CAP:
                        raise too_large(response.status_code)
            finally:
                await response.aclose()
            told = {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_BODY}
            return type(response)(response.status_code, headers=told, content=bytes(content), request=request)

    return Capped


@dataclass(frozen=True, slots=True)
class Spoken:
    """A call as LangChain takes it, and about how many bytes it has."""

    messages: list["BaseMessage"]
    options: dict[str, Any]
    size: int


class ChatModel:
    """Carries calls to a LangChain chat model, each once.

    OpenAI's and Azure's models are given the reply's JSON schema as `response_format` and the call's seed; others find
    the schema in the prompt. The SDK's retries of the former are switched off, so that ours are the only ones; what
    another model with `max_retries` comes to is not tried again here.
    """

    def __init__(self, chat: "BaseChatModel", secrets: list[str], fragments: Fragments, timeout_s: float) -> None:
        from langchain_openai.chat_models.base import BaseChatOpenAI

        self._structured = isinstance(chat, BaseChatOpenAI) and not chat.use_responses_api
        self._chat = _without_retries(chat) if isinstance(chat, BaseChatOpenAI) else chat
        self._retries_itself = getattr(self._chat, "max_retries", 0) != 0
        self._secrets = secrets
        self._fragments = fragments
        self._timeout_s = timeout_s

    async def spoken(self, call: Call, dialect: Dialect) -> Spoken:
        """`call` in LangChain's terms. Raises ImageError when an image cannot be read."""
        if not self._structured:
            dialect = replace(dialect, schema_in_prompt=True)
        turns = [await self._turn(turn) for turn in spoken(call, dialect)]
        return Spoken([message for message, _ in turns], self._options(call, dialect), sum(size for _, size in turns))

    async def send(self, asked: Spoken) -> Attempt:
        """Sends a call once. Every failure comes back as an Attempt."""
        try:
            async with asyncio.timeout(self._timeout_s):
                attempt = Attempt(_reply(await self._chat.ainvoke(asked.messages, **asked.options)))
        except EndpointError:
            raise  # the key's variable is not set any more
        except Exception as error:
            attempt = _failure(error, self._timeout_s)
        reply = attempt.reply
        text = None if reply.text is None else self._without_secrets(reply.text)
        clean = replace(reply, text=text, detail=self._without_secrets(reply.detail))
        return replace(attempt, reply=clean, final=self._retries_itself)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = without_key(text.encode("utf-8", "surrogatepass"), secret).decode("utf-8", "surrogatepass")
        return text

    def _options(self, call: Call, dialect: Dialect) -> dict[str, Any]:
        if not self._structured:
            return {}
        # As extra fields: passed by name, the SDK would walk through the schema and parse the reply by itself.
        known = getattr(self._chat, "extra_body", None) or {}
        schema = orjson.loads(orjson.dumps(response_format(call.key.agent, call.reply)))
        seed = {"seed": call.seed} if dialect.seeded else {}
        return {"extra_body": {**known, "response_format": schema, **seed}}

    async def _turn(self, turn: Message) -> tuple["BaseMessage", int]:
        from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

        content: list[str | dict[str, Any]] = []
        size = 0
        for part in turn.parts:
            if isinstance(part, ImagePart):
                uri = orjson.loads((await self._fragments.get(part.image)).uri)
                size += len(uri)
                content.append({"type": "image_url", "image_url": {"url": uri}})
            else:
                size += len(part.text)
                content.append({"type": "text", "text": part.text})
        kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
        return kinds[turn.role](content=content), size


def _without_retries(chat: Any) -> Any:
    """A copy of one of OpenAI's chat models whose SDK sends every request once."""
    client = chat.root_async_client.with_options(max_retries=0)
    return chat.model_copy(
        update={"max_retries": 0, "root_async_client": client, "async_client": client.chat.completions}
    )


def _secrets(chat: "BaseChatModel") -> list[str]:
    """The keys that a chat model holds, as far as it says that they are secret."""
    from pydantic import SecretStr

    held = [getattr(chat, name, None) for name in type(chat).model_fields]
    return [value.get_secret_value() for value in held if isinstance(value, SecretStr)]


def _reply(message: "AIMessage") -> Reply:
    told, extra = message.response_metadata, message.additional_kwargs
    finish = told.get("finish_reason") or told.get("stop_reason")
    text = content_text(message.content)
    if text and len(text) > REPLY_CAP:
        return too_large(200).reply
    reply = classify(
        text,
        content_text(extra.get("reasoning_content")),
        "length" if finish == "max_tokens" else finish,
        extra.get("refusal") or ("refused" if finish == "refusal" else None),
    )
    return replace(reply, usage=_usage(message), response_id=told.get("id"), http_status=200)


def _usage(message: "AIMessage") -> Usage:
    if counted := message.response_metadata.get("token_usage"):
        return read_usage(counted)
    counts = message.usage_metadata
    if not counts:
        return Usage()
    cached = counts.get("input_token_details", {}).get("cache_read")
    return Usage(counts["input_tokens"], cached, counts["output_tokens"])


def _failure(error: Exception, timeout_s: float) -> Attempt:
    """What an exception of some provider's SDK says, under the names that our own client has for it."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    if isinstance(status, int):
        raw = getattr(response, "content", None) or str(error).encode()
        reply = read_completion(raw, status) if status < 300 else http_failure(status, raw)
        return Attempt(reply, retry_after=getattr(response, "headers", {}).get("retry-after"))
    chain = list(_causes(error))
    if unread := next((one for one in chain if isinstance(one, UnreadableError)), None):
        return Attempt(unread.reply)
    words = one_line(str(chain[-1])) or one_line(str(error)) or type(error).__name__
    if _is_unconnected(chain):
        return Attempt(Reply("unreachable", detail=f"no connection: {words}"), connected=False)
    if _is_timeout(chain):
        return Attempt(Reply("timeout", detail=f"no complete reply within {timeout_s:g} s"))
    if any(isinstance(one, OSError | aiohttp.ClientError) or "Connection" in type(one).__name__ for one in chain):
        return Attempt(Reply("unreachable", detail=f"the connection was lost: {words}"))
    return Attempt(Reply("garbled", detail=f"{type(error).__name__}: {one_line(str(error))}"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_unconnected(chain: list[BaseException]) -> bool:
    if found := _of_aiohttp(chain):
        return isinstance(found, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return any(type(one).__name__ in ("ConnectError", "ConnectTimeout") for one in chain)


def _is_timeout(chain: list[BaseException]) -> bool:
    if found := _of_aiohttp(chain):
        return isinstance(found, TimeoutError)
    return any(isinstance(one, TimeoutError) or "timeout" in type(one).__name__.lower() for one in chain)


def _of_aiohttp(chain: list[BaseException]) -> aiohttp.ClientError | None:
    """The error that aiohttp raised: the SDK's transport calls a connection that was lost a timeout."""
    return next((one for one in chain if isinstance(one, aiohttp.ClientError)), None)
