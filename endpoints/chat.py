"""The values that pass between agents and models, and the protocols at that seam."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from ..samples.sample import Image

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message; its bytes come from an ImageSource when the request is built."""

    image: Image


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class CallKey:
    """Which call this is."""

    sample: str
    round: int
    agent: str
    take: int = 0
    """Raised when a failed sample is tried again."""
    step: int = 0
    """Even: tells the calls of one agent in one round apart. A repair turn is the odd step behind its call's."""


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """A question to the model that serves `role`, and the pydantic model its reply must fit."""

    key: CallKey
    role: str
    """`evolver`, `judge` or another that an endpoint serves."""
    messages: tuple[Message, ...]
    reply: type[T]
    repair: Callable[[str], str]
    """From the error text to the prompt of the repair turn."""
    check: Callable[[T], str | None] | None = None
    """What the schema cannot say: the error text of a reply that does not fit, or None. A pure function."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; None is unknown, which is not zero."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    image_tokens: int | None = None
    """Of the prompt's tokens, those of its images."""
    reasoning_tokens: int | None = None
    """Of the completion's tokens, those of the model's thinking."""

    def row(self) -> dict[str, int | None]:
        """The counts by their names."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def total(self) -> int | None:
        """Prompt and completion tokens together; None when either is unknown."""
        return _sum(self.prompt_tokens, self.completion_tokens)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            _sum(self.prompt_tokens, other.prompt_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.completion_tokens, other.completion_tokens),
            _sum(self.image_tokens, other.image_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
        )


UNKNOWN: Final = Usage()
"""The usage of a call whose server told nothing."""


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came of an Ask. `value` is set exactly when `kind` is `ok`."""

    value: T | None
    kind: str
    """`ok` or one of the failures of `endpoints.errors.Kind`."""
    detail: str
    """What was wrong, in one line; empty when ok."""
    calls: int
    """Model calls this took, repair turn included."""
    replayed: int
    """How many of them were read from the ledger instead of sent."""
    usage: Usage
    """Summed over the calls; a field that any call left unknown is None."""


class Model(Protocol):
    """Whatever answers an Ask: the HTTP client, a LangChain chat model, a script in a test."""

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Answer `ask`, with one repair turn at most. Raises EndpointError when the run cannot go on."""
        ...


class ImageSource(Protocol):
    """Gives the bytes of images as they are sent."""

    async def encoded(self, image: Image) -> bytes:
        """The image's data URI as a JSON string literal, quotes included; made off the event loop.

        For example `b'"data:image/jpeg;base64,/9j/4AAQ..."'`. Raises EvolgraphError when it cannot be read.
        """
        ...


class Ledger(Protocol):
    """Remembers calls, so that a received reply is never paid twice."""

    async def find(self, key: str) -> Mapping[str, Any] | None:
        """The record of the call `key`, or None."""
        ...

    async def begin(self, call: Mapping[str, Any]) -> None:
        """Note that the request of a call goes out now; returns when that is committed."""
        ...

    async def record(self, call: Mapping[str, Any]) -> None:
        """Keep the record of a call; returns when it is committed."""
        ...
