"""What a fault does to a request: in place of an answer, to the answer, or on its way back."""

import asyncio
import json
import math
import socket
import struct
from typing import Any, Final, NoReturn

import orjson
from aiohttp import web

from .faults import Fault
from .request import BadRequest

FLOOD: Final = 50 * 10**6
_BLANKS: Final = b" " * 65_536
_PAGE: Final = "<!doctype html><title>Welcome</title><h1>It works!</h1><p>A proxy, and no model, speaks here.</p>"


async def instead(fault: Fault, http: web.Request) -> web.StreamResponse | None:
    """What comes in place of an answer; None when there shall be one. Does not return where nothing comes at all."""
    if fault.status:
        return _refusal(fault, http)
    match fault.kind:
        case "hang":
            await (asyncio.sleep(float(fault.value)) if fault.value else _silence())
        case "reset-early":
            await _reset(http)
        case "html":
            return web.Response(text=_PAGE, content_type="text/html")
        case "flood":
            return await _flood(http)
    return None


async def delivered(fault: Fault | None, http: web.Request, body: bytes) -> web.StreamResponse:
    """Send the answer `body`; returns when it is written in full, and does not return where that shall not be."""
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    response.content_length = len(body)
    await response.prepare(http)
    if fault and fault.kind in ("stall", "reset-late"):
        await response.write(body[: len(body) // 2])
        await (_silence() if fault.kind == "stall" else _reset(http))
    await response.write_eof(body)
    if fault and fault.kind == "close" and http.transport:
        http.transport.close()
    return response


def edited(fault: Fault, completion: dict[str, Any], variant: int) -> dict[str, Any]:
    """The completion as `fault` would have it; `variant` (0 or more) chooses where there are several ways."""
    choice = completion["choices"][0]
    message, text = choice["message"], choice["message"]["content"]
    match fault.kind:
        case "empty":
            return completion | {"choices": []}
        case "null":
            message["content"] = None
        case "truncated" | "mislabelled":
            message["content"] = text[: len(text) // 2]
            choice["finish_reason"] = "length" if fault.kind == "truncated" else "stop"
        case "truncated-thinking":
            message["content"], choice["finish_reason"] = "<think>Let me look at the image again. It", "length"
        case "refusal":
            message |= {"content": None, "refusal": "I cannot help with that."}
        case "filtered":
            message["content"], choice["finish_reason"] = "", "content_filter"
        case "bad-schema":
            message["content"] = _misshapen(text, variant)
        case "no-usage":
            return _unmetered(completion, variant)
    return completion


def _refusal(fault: Fault, http: web.Request) -> web.Response:
    assert fault.status
    # Servers do quote the key that they refuse.
    quoted = f" (you sent {http.headers.get('Authorization', 'none')})" if fault.status == 401 else ""
    error = BadRequest(f"status {fault.status} on purpose{quoted}", status=fault.status)
    headers = {"Retry-After": fault.value} if fault.value else None
    body = orjson.dumps(error.body())
    return web.Response(body=body, status=fault.status, headers=headers, content_type="application/json")


async def _flood(http: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(http)
    for _ in range(FLOOD // len(_BLANKS) + 1):
        await response.write(_BLANKS)
    return response


async def _silence() -> NoReturn:
    """Until the client goes, or the server stops: both cancel the handler."""
    await asyncio.Event().wait()
    raise AssertionError


async def _reset(http: web.Request) -> NoReturn:
    """Close the connection so that the client sees a reset (RST) and no orderly end."""
    if http.transport:
        http.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        http.transport.abort()
    await _silence()


def _misshapen(text: str, variant: int) -> str:
    """A reply to one of the project's own requests as JSON that does not fit its schema."""
    value = orjson.loads(text) if text.startswith("{") else {}
    for verdict in value.get("verdicts", ()):
        field, wrong = (("score_after", 11), ("score_after", math.nan), ("grounded", "perhaps"))[variant % 3]
        verdict[field] = wrong
    for question in value.get("evolved", ()):
        if variant % 2:
            question["steps"] = "none"
        else:
            del question["answer"]
    return json.dumps(value or {"score": 11})


def _unmetered(completion: dict[str, Any], variant: int) -> dict[str, Any]:
    if variant % 2:
        return completion | {"usage": {"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -2}}
    return {name: value for name, value in completion.items() if name != "usage"}
