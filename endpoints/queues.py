"""What serving engines tell of their queues at /metrics, looked at while requests are under way."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from .endpoint import Endpoint
from .lane import Lane
from .transport import UnreadableError, headers, read_capped, read_key

LOOK_EVERY_S: Final = 1.0
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)
_RUNNING: Final = ("vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing")
_WAITING: Final = ("vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred")
_NUMBER: Final = r"\d+(?:\.\d*)?(?:e[+-]?\d+)?"
_ROW: Final = re.compile(rf"^({'|'.join((*_RUNNING, *_WAITING))})(?:\{{.*\}})? ({_NUMBER})(?!\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests that a server runs and that wait inside it, whoever sent them."""

    running: float
    waiting: float


def read_queue(text: str) -> Queue | None:
    """The queue that Prometheus' text format tells, summed over engines; None where it tells none."""
    told = [(name, float(value)) for name, value in _ROW.findall(text)]
    if not any(name in _WAITING for name, _ in told):
        return None
    return Queue(*(sum(value for name, value in told if name in names) for names in (_RUNNING, _WAITING)))


def waiting_metric(text: str) -> str | None:
    """The name under which Prometheus' text format tells how many requests wait; None where it does not."""
    return next((name for name, _ in _ROW.findall(text) if name in _WAITING), None)


async def watch(lane: Lane, session: aiohttp.ClientSession) -> None:
    """Tells `lane` its endpoint's queue, again and again; returns when the endpoint tells none."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if not lane.slots.in_flight or lane.down:
            continue
        try:
            text = await metrics(lane.endpoint, session)
        except (aiohttp.ClientError, TimeoutError, OSError, UnreadableError):
            continue  # the requests under way will find out what is wrong
        queue = read_queue(text)
        if queue is None:
            return
        lane.look(queue.running, queue.waiting)


async def metrics(endpoint: Endpoint, session: aiohttp.ClientSession) -> str:
    """The text at /metrics, beside the version's path; empty where there is none. Raises what the session raises."""
    address = URL(endpoint.url.removesuffix("/v1") + "/metrics")
    sent = headers(read_key(endpoint))
    async with session.get(address, headers=sent, timeout=_PATIENCE, allow_redirects=False) as response:
        raw = await read_capped(response)
        return raw.decode("utf-8", "replace") if response.status == 200 else ""
