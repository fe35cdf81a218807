"""Which serving engine stands behind a URL, by what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from .endpoint import Endpoint
from .replies import one_line
from .transport import UnreadableError, headers, read_capped, read_key

UNKNOWN: Final = "unknown"
_BY_OWNER: Final = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "library": "Ollama",
    "evolgraph": "evolgraph's embedded model",
}
"""Engines by the owner that they name for their models. `openai` is no sign: gateways of all kinds say it too."""
_BY_METRICS: Final = {"vllm:": "vLLM", "sglang:": "SGLang", "llamacpp:": "llama.cpp"}
_HOSTS: Final = (".openai.com", ".azure.com")
# Where an engine tells its version, and under which name; the last two also tell which engine it is.
_PLACES: Final = (
    ("vLLM", "/version", "version"),
    ("evolgraph's embedded model", "/version", "version"),
    ("SGLang", "/server_info", "version"),
    ("SGLang", "/get_server_info", "version"),
    ("llama.cpp", "/props", "build_info"),
    ("Ollama", "/api/version", "version"),
)
_REVEALING: Final = _PLACES[-2:]
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Engine:
    """A serving engine; None is what it does not tell. `context` is in tokens, prompt and reply together."""

    name: str = UNKNOWN
    version: str | None = None
    context: int | None = None


async def recognise(
    endpoint: Endpoint, session: aiohttp.ClientSession, model: Mapping[str, Any], metrics: str
) -> Engine:
    """The engine that lists `model` at /models and tells `metrics` at /metrics."""
    name = _by_signs(endpoint, model, metrics)
    version, context = None, _count(model.get("max_model_len"))
    for engine, path, field in _REVEALING if name == UNKNOWN else _PLACES:
        if name not in (UNKNOWN, engine):
            continue
        told = await _told(endpoint, session, path)
        if isinstance(told.get(field), str):
            name, version = engine, one_line(told[field], 40)
            settings = told.get("default_generation_settings")
            context = context or _count(settings.get("n_ctx") if isinstance(settings, dict) else None)
            break
    if name == "Ollama":
        context = context or _loaded(await _told(endpoint, session, "/api/ps"), str(model.get("id")))
    return Engine(name, version, context)


def _loaded(told: Mapping[str, Any], model: str) -> int | None:
    """The context that Ollama has loaded `model` with; what the model could take is another figure."""
    rows = [row for row in told.get("models") or () if isinstance(row, dict)]
    return next(
        (_count(row.get("context_length")) for row in rows if model in (row.get("name"), row.get("model"))), None
    )


def _by_signs(endpoint: Endpoint, model: Mapping[str, Any], metrics: str) -> str:
    if f".{URL(endpoint.url).host}".endswith(_HOSTS):
        return "OpenAI"
    if name := _BY_OWNER.get(str(model.get("owned_by")).lower()):
        return name
    return next((name for sign, name in _BY_METRICS.items() if f"\n{sign}" in f"\n{metrics}"), UNKNOWN)


async def _told(endpoint: Endpoint, session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """The JSON object at `path`, beside the version's path; empty where there is none."""
    address = URL(endpoint.url.removesuffix("/v1") + path)
    sent = headers(read_key(endpoint))
    try:
        async with session.get(address, headers=sent, timeout=_PATIENCE, allow_redirects=False) as response:
            told = orjson.loads(await read_capped(response)) if response.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, OSError, UnreadableError, orjson.JSONDecodeError):
        return {}  # most engines have no such path: not knowing more is the answer
    return told if isinstance(told, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
