"""Any LangChain chat model as a Model: for hosted models, at the price of LangChain's CPU time per call."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from .asking import Asker, Sent
from .chat import Answer, Ask, ImagePart, ImageSource, Ledger, Message, T, Usage
from .fragments import Fragments
from .replies import Reply, classify, content_text, http_failure, one_line
from .schemas import response_format, schema_text
from .stats import Stats
from .wire import Call

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage


class LangChainModel:
    """Answers asks through `model`, with the ledger, classification and repair turn of the HTTP client.

    Only the model's own retries apply (`max_retries` of ChatOpenAI): two layers would multiply. `alias` names the
    model in the ledger; by default it is the name that `model` goes by. OpenAI's and Azure's models are given the
    reply's JSON schema as `response_format`, others find it in the system text.
    """

    def __init__(
        self,
        model: "BaseChatModel",
        images: ImageSource,
        ledger: Ledger | None,
        run_seed: int,
        *,
        alias: str = "",
        max_in_flight: int = 16,
    ) -> None:
        self.stats = Stats()
        self._model = model
        self._alias = alias or str(getattr(model, "model_name", None) or getattr(model, "model", model._llm_type))
        self._structured = _takes_response_format(model)
        self._fragments = Fragments(images)
        self._slots = asyncio.Semaphore(max_in_flight)
        self._asker = Asker(self, ledger, run_seed, self.stats)

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Answer `ask`. Raises EndpointError when the provider refuses the key or does not know the model."""
        return await self._asker.ask(ask)

    def identity(self, role: str) -> tuple[str, dict[str, Any]]:
        """Model alias and sampling parameters; the same for every role."""
        known = {name: getattr(self._model, name, None) for name in ("temperature", "max_tokens", "top_p")}
        return self._alias, {name: value for name, value in known.items() if value is not None}

    async def send(self, call: Call, begin: Callable[[], None]) -> Sent:
        """Make a call."""
        messages = [await self._message(turn) for turn in call.messages]
        options = self._options(call)
        if not self._structured:
            messages.insert(0, _schema_message(call))
        async with self._slots:
            begin()
            self.stats.sent += 1
            self.stats.in_flight += 1
            try:
                return Sent(_reply(await self._model.ainvoke(messages, **options)), self._alias)
            except Exception as error:
                return Sent(_failure(error), self._alias)
            finally:
                self.stats.in_flight -= 1

    def _options(self, call: Call) -> dict[str, Any]:
        if not self._structured:
            return {}
        # As extra fields: passed by name, the SDK would walk through the schema and parse the reply by itself.
        known = getattr(self._model, "extra_body", None) or {}
        schema = orjson.loads(orjson.dumps(response_format(call.key.agent, call.reply)))
        return {"extra_body": {**known, "response_format": schema, "seed": call.seed}}

    async def _message(self, turn: Message) -> "BaseMessage":
        from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

        content: list[str | dict[str, Any]] = []
        for part in turn.parts:
            if isinstance(part, ImagePart):
                uri = orjson.loads((await self._fragments.get(part.image)).uri)
                content.append({"type": "image_url", "image_url": {"url": uri}})
            else:
                content.append({"type": "text", "text": part.text})
        kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
        return kinds[turn.role](content=content)


def _takes_response_format(model: "BaseChatModel") -> bool:
    from langchain_openai.chat_models.base import BaseChatOpenAI

    return isinstance(model, BaseChatOpenAI)


def _schema_message(call: Call) -> "BaseMessage":
    from langchain_core.messages import SystemMessage

    return SystemMessage(schema_text(call.reply))


def _reply(message: "AIMessage") -> Reply:
    told, extra = message.response_metadata, message.additional_kwargs
    finish = told.get("finish_reason") or told.get("stop_reason")
    reply = classify(
        content_text(message.content),
        content_text(extra.get("reasoning_content")),
        "length" if finish == "max_tokens" else finish,
        extra.get("refusal") or ("refused" if finish == "refusal" else None),
    )
    return Reply(reply.kind, reply.text, reply.detail, reply.finish_reason, _usage(message), told.get("id"), 200)


def _usage(message: "AIMessage") -> Usage:
    counts = message.usage_metadata
    if not counts:
        return Usage()
    cached = counts.get("input_token_details", {}).get("cache_read")
    return Usage(counts["input_tokens"], cached, counts["output_tokens"])


def _failure(error: Exception) -> Reply:
    status = getattr(error, "status_code", None)
    name, words = type(error).__name__, one_line(str(error))
    if isinstance(status, int):
        return http_failure(status, words.encode())
    if "timeout" in name.lower():
        return Reply("timeout", detail=words or name)
    if isinstance(error, OSError) or "connection" in name.lower():
        return Reply("unreachable", detail=words or name)
    return Reply("garbled", detail=f"{name}: {words}")
