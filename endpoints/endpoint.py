"""Where a model is served and how it is asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from .errors import EndpointError

OWN_FIELDS: Final = frozenset({"model", "messages", "response_format", "seed", "stream", "n"})
"""Fields of a request that the client fills in itself; `extra_body` may not replace them."""

Provider = Literal["evolgraph", "openai"]
"""Who speaks to the server: the client of this room, or `langchain_openai.ChatOpenAI`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible server and one model on it.

    Raises EndpointError (kind `setup`) for settings that cannot work.
    """

    is_server: ClassVar[bool] = True
    """Whether there is a server behind `url` that can be asked about itself."""

    url: str
    """Up to and including the version, as in `http://127.0.0.1:8000/v1`."""
    model: str
    roles: tuple[str, ...] = ("evolver", "judge")
    provider: Provider = "evolgraph"
    key_env: str | None = None
    """Name of the environment variable that holds the key. The key itself is read when a request is sent."""
    max_in_flight: int | None = None
    """The most requests at once, which a run starts with; below it their number follows what the server shows of
    itself. None: it is found out, from 8 on."""
    max_bytes_in_flight: int = 256 * 2**20
    """Bytes of requests, images above all, that may be under way at once."""
    image_uuid: bool | None = None
    """Whether the server keeps images by a uuid, so that each is sent once; None: found out by asking it."""
    send_seed: bool | None = None
    """Whether requests carry a seed; None: yes, but not to vLLM, whose faster samplers know none and whose CPU build
    dies of one when a prompt is read in pieces (RuntimeError: CPU Generator does not use offset)."""
    timeout_s: float = 120.0
    """Seconds for a whole request."""
    read_timeout_s: float | None = None
    """Seconds without a single byte after which a request is given up; None leaves it to `timeout_s`."""
    connect_timeout_s: float = 10.0
    temperature: float | None = 1.0
    """None leaves it out of the request, for models that refuse it."""
    max_tokens: int | None = 4096
    extra_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """Further fields of the request, such as `chat_template_kwargs`; plain JSON values."""
    price_in: float | None = None
    """Price of a million prompt tokens, in any currency."""
    price_out: float | None = None

    def __post_init__(self) -> None:
        if self.is_server:
            _check_url(self.url)
            object.__setattr__(self, "url", self.url.rstrip("/"))
        if self.provider not in get_args(Provider):
            raise _wrong(
                self.url, f"no provider is called {self.provider!r}", f"known: {', '.join(get_args(Provider))}"
            )
        positive = {
            "max_in_flight": self.max_in_flight,
            "max_bytes_in_flight": self.max_bytes_in_flight,
            "timeout_s": self.timeout_s,
            "read_timeout_s": self.read_timeout_s,
            "connect_timeout_s": self.connect_timeout_s,
            "max_tokens": self.max_tokens,
        }
        for name, value in positive.items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise _wrong(self.url, f"{name} is {value}", "it must be a positive number")
        if not self.model or not self.roles:
            raise _wrong(self.url, "no model or no role given", "name the model that is served there")
        if taken := sorted(OWN_FIELDS & set(self.extra_body)):
            raise _wrong(self.url, f"extra_body sets {taken[0]}", "that field is filled in for every request")

    def sampling(self) -> dict[str, Any]:
        """The parameters that shape a reply, as in the request; all but `max_tokens` are a call's identity."""
        known = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in known.items() if value is not None} | dict(self.extra_body)


def _wrong(where: str, message: str, remedy: str) -> EndpointError:
    return EndpointError(message, where=where, remedy=remedy, kind="setup")


def _check_url(url: str) -> None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong("endpoint", "the URL is not an http or https address", "such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise _wrong(parts.hostname, "the URL holds credentials", "name the key's variable in key_env")
    if parts.query or parts.fragment:
        raise _wrong(parts.hostname, "the URL has a query or fragment", "end it at the version, as in .../v1")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def one_price(endpoints: Sequence[Endpoint]) -> tuple[float | None, float | None]:
    """The prices of a million tokens, in and out, that all `endpoints` share; None where they differ or tell none."""
    prices = {(one.price_in, one.price_out) for one in endpoints}
    return prices.pop() if len(prices) == 1 else (None, None)
