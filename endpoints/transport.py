"""One POST: from a body to a classified reply, within limits of time and size."""

import io
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import aiohttp
from yarl import URL

from .endpoint import Endpoint
from .errors import EndpointError
from .replies import Reply, http_failure, one_line, read_completion

REPLY_CAP: Final = 4 * 2**20
"""Bytes of a response body, also after decompression, beyond which it is given up."""

_CHUNK: Final = 64 * 1024
_BIG_BODY: Final = 2**20
_SHORTEST_SECRET: Final = 8


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one POST came to."""

    reply: Reply
    retry_after: str | None = None
    """The response's header, as it came."""
    connected: bool = True
    """False when no connection came about, so that nothing can have been billed."""
    final: bool = False
    """Whoever sent it has a retry layer already: it is not tried again here."""

    @property
    def lost(self) -> bool:
        """Whether the connection broke before a complete answer."""
        return self.connected and self.reply.kind == "unreachable"

    @property
    def maybe_billed(self) -> bool:
        """Whether the server may have done the work for nothing: no answer of use came, and it did not decline."""
        status = self.reply.http_status
        answered = self.reply.text is not None or self.reply.kind in ("refusal", "filtered", "empty")
        declined = status is not None and (400 <= status < 500 or status == 503)
        return self.connected and not answered and not declined


class UnreadableError(Exception):
    """A body that was not taken: `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.detail)
        self.reply = reply


def open_session(*, keep_alive: bool = True) -> aiohttp.ClientSession:
    """A session without cookies, proxies from the environment, or a limit of its own on connections."""
    # vLLM closes idle connections after 5 s; reusing one at that moment would cost a retry.
    kept: dict[str, Any] = {"keepalive_timeout": 4.0} if keep_alive else {"force_close": True}
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, **kept)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # done below, with a cap
        skip_auto_headers={"User-Agent"},
    )


def read_key(endpoint: Endpoint) -> str:
    """The endpoint's key from the environment, or "". Raises EndpointError (kind `auth`) naming the variable."""
    if not endpoint.key_env:
        return ""
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key or not key.isprintable():
        raise EndpointError(
            f"the environment variable {endpoint.key_env} holds no usable key",
            where=endpoint.url,
            remedy=f"set {endpoint.key_env}",
            kind="auth",
        )
    return key


@lru_cache(maxsize=256)
def headers(key: str) -> Mapping[str, str]:
    """The headers of a request."""
    plain = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
    return plain | {"Authorization": f"Bearer {key}"} if key else plain


def timeouts(endpoint: Endpoint) -> aiohttp.ClientTimeout:
    """The endpoint's timeouts, not rounded up to whole seconds."""
    return _timeouts(endpoint.timeout_s, endpoint.connect_timeout_s, endpoint.read_timeout_s)


@lru_cache(maxsize=256)
def _timeouts(total: float, connect: float, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read, ceil_threshold=60)


@lru_cache(maxsize=256)
def _completions(url: str) -> URL:
    return URL(url + "/chat/completions")


async def post(session: aiohttp.ClientSession, endpoint: Endpoint, body: bytes) -> Attempt:
    """Send `body` to the endpoint's chat completions, once. Every failure comes back as an Attempt."""
    key = read_key(endpoint)
    try:
        async with session.post(
            _completions(endpoint.url),
            data=body if len(body) < _BIG_BODY else io.BytesIO(body),
            headers=headers(key),
            timeout=timeouts(endpoint),
            allow_redirects=False,
        ) as response:
            raw = without_key(await read_capped(response), key)
            status = response.status
            reply = read_completion(raw, status) if status < 300 else http_failure(status, raw)
            return Attempt(reply, retry_after=response.headers.get("Retry-After"))
    except UnreadableError as error:
        return Attempt(error.reply)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Attempt(_lost("no connection", error), connected=False)
    except TimeoutError:
        return Attempt(Reply("timeout", detail=f"no complete reply within {_limit(endpoint):g} s"))
    except (aiohttp.ClientError, OSError) as error:
        return Attempt(_lost("the connection was lost", error))


def _limit(endpoint: Endpoint) -> float:
    return min(endpoint.timeout_s, endpoint.read_timeout_s or endpoint.timeout_s)


def _lost(what: str, error: Exception) -> Reply:
    number = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
    # The system's own word, such as "Connection refused", is shorter than aiohttp's; a name that is unknown has none.
    said = os.strerror(number) if number and number > 0 else one_line(str(error))
    return Reply("unreachable", detail=f"{what}: {said or type(error).__name__}")


def without_key(raw: bytes, key: str) -> bytes:
    """Some servers quote a key back. Placeholders such as EMPTY are words of the language, not secrets."""
    return raw.replace(key.encode(), b"***") if len(key) >= _SHORTEST_SECRET else raw


async def read_capped(response: aiohttp.ClientResponse) -> bytes:
    """The body, decompressed. Raises UnreadableError beyond the cap, having read hardly more than that."""
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        chunks += chunk
        if len(chunks) > REPLY_CAP:
            raise too_large(response.status)
    encoding = response.headers.get("Content-Encoding", "identity")
    return bytes(chunks) if encoding == "identity" else _decompress(bytes(chunks), encoding, response.status)


def _decompress(raw: bytes, encoding: str, status: int) -> bytes:
    try:
        if encoding not in ("gzip", "deflate"):
            raise zlib.error(f"unknown encoding {one_line(encoding)}")
        plain = zlib.decompressobj(wbits=47).decompress(raw, REPLY_CAP + 1)  # 47: zlib or gzip, told by the header
    except zlib.error as error:
        detail = f"the body cannot be decompressed: {error}"
        raise UnreadableError(Reply("garbled", detail=detail, http_status=status)) from error
    if len(plain) > REPLY_CAP:
        raise too_large(status)
    return plain


def too_large(status: int) -> UnreadableError:
    """The error for a body beyond the cap."""
    return UnreadableError(Reply("too-large", detail=f"the reply is larger than {REPLY_CAP} bytes", http_status=status))
