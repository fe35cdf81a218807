"""A LangChain chat model behind the same interface."""

from typing import Any

import pytest
from evolgraph.endpoints.chat import Usage
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.langchain import LangChainModel
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from .conftest import GOOD, Book, Pictures, Scripted, make_ask, says, sends


def hosted(server: Scripted, book: Book | None = None) -> LangChainModel:
    chat = ChatOpenAI(model="toy", base_url=server.url, api_key=SecretStr("none"), max_retries=0, temperature=0.5)
    return LangChainModel(chat, Pictures(), book, run_seed=3)


async def test_a_chat_model_answers_repairs_and_replays(server: Scripted, book: Book) -> None:
    server.steps = [says("no idea")]
    answer = await hosted(server, book).ask(make_ask())
    assert answer.value and (answer.kind, answer.calls, answer.value.score) == ("ok", 2, 7)
    assert answer.usage.prompt_tokens == 200
    first, second = server.bodies
    assert first["response_format"]["json_schema"]["name"] == "judge"
    assert first["messages"][1]["content"][0]["image_url"]["url"].startswith("data:image/png")
    assert (first["temperature"], first["seed"] == second["seed"]) == (0.5, False)
    assert second["messages"][3]["content"][0]["text"].startswith("mend this")
    again = await hosted(server, book).ask(make_ask())
    assert (again.replayed, len(server.bodies)) == (2, 2)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (says(GOOD, finish_reason="length"), "truncated"),
        (says(None, refusal="no"), "refusal"),
        (says(None), "empty"),
        (sends("<html>"), "garbled"),
        (sends('{"choices": []}'), "garbled"),
        (sends("oops", 500), "server"),
        (sends("busy", 429), "rate-limited"),
        (sends("no", 400), "bad-request"),
    ],
)
async def test_failures_keep_their_names(server: Scripted, step: Any, kind: str) -> None:
    server.otherwise = step
    answer = await hosted(server).ask(make_ask())
    assert (answer.value, answer.kind, len(server.bodies)) == (None, kind, 1)


async def test_a_refused_key_stops_the_run(server: Scripted) -> None:
    server.otherwise = sends("no", 401)
    with pytest.raises(EndpointError) as caught:
        await hosted(server).ask(make_ask())
    assert caught.value.kind == "auth"


async def test_a_model_without_response_format_is_told_the_schema() -> None:
    seen: list[str] = []

    class Noting(GenericFakeChatModel):
        def _generate(self, messages: Any, *rest: Any, **named: Any) -> Any:
            seen.append(str(messages[0].content))
            return super()._generate(messages, *rest, **named)

    model = LangChainModel(Noting(messages=iter([AIMessage(GOOD)])), Pictures(), None, run_seed=3)
    answer = await model.ask(make_ask())
    assert (answer.kind, answer.usage) == ("ok", Usage())
    assert '"additionalProperties":false' in seen[0]
