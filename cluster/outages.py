"""Endpoints that are down for some workers: who may look whether one is back, and who is told that it is."""

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from ..endpoints.lane import PROBE_S

APART_S: Final = PROBE_S + 0.2
"""Seconds between two probes of one endpoint, with what they may be held up on their way."""


class Outages:
    """What the workers tell of endpoints, by URL. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._probed: dict[str, float] = {}
        self._down: defaultdict[str, set[int]] = defaultdict(set)
        self._untold: defaultdict[str, set[int]] = defaultdict(set)

    def probe(self, url: str, now: float) -> float:
        """Seconds until whoever asks may probe the endpoint; 0 when it may now, and nobody else for a while."""
        if url in self._probed and (left := self._probed[url] + APART_S - now) > 0:
            return left
        self._probed[url] = now
        return 0.0

    def told(self, worker: int, down: Collection[str]) -> list[str]:
        """Takes note of what is down for a worker; gives those of them that have answered another one meanwhile."""
        for url in {*self._down, *down}:
            if url in down:
                self._down[url].add(worker)
            elif worker in self._down[url]:
                self._down[url].discard(worker)
                self._untold[url] = {*self._down[url]}
        back = [url for url in down if worker in self._untold[url]]
        for told in self._untold.values():
            told.discard(worker)
        return back

    def leave(self, worker: int) -> None:
        """The worker has ended: it says no more whether they are back."""
        for workers in (*self._down.values(), *self._untold.values()):
            workers.discard(worker)
