"""`python -m benchmarks.mock`: an endpoint with a fixed latency and a number of slots, in a process of its own.

A request holds a slot for exactly the latency; when all are taken it queues. Slots are kept as times and not as tasks,
so that the capacity (slots / latency) is exact however busy the process is. The first line on standard output is a
JSON object with the base URL; the process exits when its standard input closes.
"""

import argparse
import asyncio
import heapq
import sys
import time

import orjson
import uvloop

from .replies import completion
from .serving import MODELS, Answer, serve
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
        self._loop = asyncio.get_running_loop()
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.received = 0
        self._cpu = cpu_seconds()

    def handle(self, path: bytes, body: bytes, answer: Answer) -> None:
        """Any request: completions, the model list, counters; others are answered with nothing."""
        if path == b"/v1/chat/completions":
            self._complete(body, answer)
        elif path == b"/v1/models":
            answer(MODELS)
        else:
            answer(orjson.dumps(self.stats()) if path.startswith(b"/stats") else b"")

    def _complete(self, body: bytes, answer: Answer) -> None:
        self.calls += 1
        self.received += len(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._loop.call_later(self._slots.take(time.monotonic()), self._done, answer, completion(body, self.calls))

    def _done(self, answer: Answer, reply: bytes) -> None:
        self.in_flight -= 1
        answer(reply)

    def stats(self) -> dict[str, float]:
        """Calls seen, the most at once, bytes received and CPU seconds used, all since the start."""
        return {
            "calls": self.calls,
            "most_in_flight": self.most_in_flight,
            "received_bytes": self.received,
            "cpu_s": cpu_seconds() - self._cpu,
        }


async def _serve(slots: int, latency_ms: float) -> None:
    await serve([Mock(Slots(slots, latency_ms / 1000)).handle])


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(prog="benchmarks.mock", description=__doc__)
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    given = parser.parse_args()
    uvloop.run(_serve(given.slots, given.latency_ms))


if __name__ == "__main__":
    sys.exit(main())
