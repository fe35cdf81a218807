"""A look at an endpoint before a run starts on it."""

from dataclasses import replace
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from .endpoint import Endpoint
from .errors import NO_KEY, EndpointError
from .replies import one_line
from .transport import UnreadableError, headers, open_session, read_capped, read_key

PATIENCE: Final = aiohttp.ClientTimeout(total=15, sock_connect=5)


async def probe(endpoint: Endpoint) -> Endpoint:
    """Ask the endpoint which models it serves, with `GET /models`; gives it with what that tells of the server.

    Raises EndpointError, as `served` does.
    """
    vllm = (await served(endpoint)).get("owned_by") == "vllm"
    return replace(
        endpoint,
        image_uuid=vllm if endpoint.image_uuid is None else endpoint.image_uuid,
        send_seed=not vllm if endpoint.send_seed is None else endpoint.send_seed,
    )


async def served(endpoint: Endpoint) -> dict[str, Any]:
    """What `GET /models` says of the endpoint's model: engines name themselves as its owner there.

    Raises EndpointError (kind `unreachable`, `auth` or `not-found`) when it does not answer, refuses the key, or does
    not serve the model.
    """
    status, raw = await _models(endpoint)
    if status in (401, 403):
        raise _error(endpoint, f"refused the key (HTTP {status})", NO_KEY, "auth")
    models = _by_name(raw) if status == 200 else None
    if models is None:
        raise _error(
            endpoint,
            f"is not an OpenAI-compatible server (HTTP {status} for /models)",
            "the URL usually ends in /v1",
            "not-found",
        )
    for name in (endpoint.model, f"{endpoint.model}:latest"):
        if name in models:
            return models[name]
    known = one_line(", ".join(models)) or "none"
    raise _error(endpoint, f"does not serve the model {endpoint.model}", f"served: {known}", "not-found")


async def _models(endpoint: Endpoint) -> tuple[int, bytes]:
    sent = headers(read_key(endpoint))
    address = URL(endpoint.url + "/models")
    try:
        async with (
            open_session() as session,
            session.get(address, headers=sent, timeout=PATIENCE, allow_redirects=False) as response,
        ):
            return response.status, await read_capped(response)
    except (aiohttp.ClientError, TimeoutError, OSError, UnreadableError) as error:
        why = one_line(str(error)) or "no answer"
        raise _error(
            endpoint, f"cannot be reached: {why}", "start the server or correct the URL", "unreachable"
        ) from error


def _by_name(raw: bytes) -> dict[str, dict[str, Any]] | None:
    try:
        return {str(model["id"]): dict(model) for model in orjson.loads(raw)["data"]}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _error(endpoint: Endpoint, message: str, remedy: str, kind: str) -> EndpointError:
    return EndpointError(message, where=endpoint.url, remedy=remedy, kind=kind)
