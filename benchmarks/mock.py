"""`python -m benchmarks.mock`: an endpoint with a fixed latency and a number of slots, in a process of its own.

A request holds a slot for exactly the latency; when all are taken it queues. Slots are kept as times and not as tasks,
so that the capacity (slots / latency) is exact however busy the process is. The first line on standard output is a
JSON object with the base URL; the process exits when its standard input closes.
"""

import argparse
import asyncio
import heapq
import os
import sys
import threading
import time

import orjson
import uvloop
from aiohttp import web

from .replies import completion
from .usage import cpu_seconds


class Slots:
    """When each slot is free again, in seconds of the monotonic clock."""

    def __init__(self, slots: int, latency_s: float) -> None:
        self._free = [0.0] * slots
        self._latency = latency_s

    def take(self, now: float) -> float:
        """Takes the slot that is free first; gives the seconds from `now` until it is done."""
        done = max(now, self._free[0]) + self._latency
        heapq.heapreplace(self._free, done)
        return done - now


class Mock:
    """Answers chat completions with ready replies, and counts."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.received = 0
        self._cpu = cpu_seconds()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Any request: completions, the model list, health, counters."""
        if request.path == "/v1/chat/completions":
            return _json(await self._complete(request))
        if request.path == "/v1/models":
            return _json(orjson.dumps({"object": "list", "data": [{"id": "mock", "object": "model"}]}))
        if request.path == "/stats":
            return _json(orjson.dumps(self.stats()))
        return web.Response(status=200 if request.path == "/health" else 404)

    async def _complete(self, request: web.BaseRequest) -> bytes:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = await request.read()
            self.calls += 1
            self.received += len(body)
            wait = self._slots.take(time.monotonic())
            reply = completion(body, self.calls)
            del body
            await asyncio.sleep(wait)
            return reply
        finally:
            self.in_flight -= 1

    def stats(self) -> dict[str, float]:
        """Calls seen, the most at once, bytes received and CPU seconds used, all since the start."""
        return {
            "calls": self.calls,
            "most_in_flight": self.most_in_flight,
            "received_bytes": self.received,
            "cpu_s": cpu_seconds() - self._cpu,
        }


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def serve(slots: int, latency_ms: float) -> None:
    """Serves on a free loopback port until standard input closes."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    runner = web.ServerRunner(web.Server(Mock(Slots(slots, latency_ms / 1000)).handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(orjson.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}/v1"}).decode(), flush=True)
    threading.Thread(target=_watch_stdin, args=(loop, stopped), daemon=True).start()
    await stopped.wait()
    await runner.cleanup()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stopped.set)


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(prog="benchmarks.mock", description=__doc__)
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    given = parser.parse_args()
    uvloop.run(serve(given.slots, given.latency_ms))


if __name__ == "__main__":
    sys.exit(main())
