"""How many requests an endpoint gets at once: a limit that follows what the server shows of itself.

Servers of models queue instead of refusing, so errors alone tell nothing. Where the server tells its queue (see
`queues`), the limit keeps that queue short but not empty. Where it does not, the limit climbs as long as more requests
in flight bring more replies a second (Little's law: once they do not, they only wait). A refusal always lowers it.
"""

import math
from dataclasses import dataclass
from typing import Final

START: Final = 8
"""Requests in flight to an endpoint of which nothing is known yet: few enough for a laptop, doubled soon elsewhere."""
MOST: Final = 1024
SLACK: Final = 0.15
"""The queue that a server is left with, as a share of what it runs: enough to be busy until the next look."""
_UNTOLD: Final = 0.5
"""A server with more than this share of what it runs still on its way to the queue gets no more."""
_DOUBLE: Final = 2.0
"""Climbs until the first sign that there is enough, and those after it."""
_CLIMB: Final = 1.25
_WORTH: Final = 1.08
"""A climb stays if it brought this much more replies a second."""
_REST: Final = 16
"""Measurements between two climbs once one was not worth it."""
_BACK: Final = 0.7
_STRAIN: Final = 0.1
"""The share of requests refused of late from which on it is the load: single ones happen for other reasons too."""
_WEIGHT: Final = 0.05
_RECOVERY: Final = 4
"""Measurements after a refusal before the next climb."""


class Pace:
    """The limit of one endpoint, at most `most` (None: 1024), which it starts from when it is given.

    Times are seconds of a monotonic clock.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = float(most or MOST)
        self._limit = float(most or START)
        self._starting = True
        self._told = False
        self.seconds = 0.0
        """Seconds that a reply takes of late."""
        self._strain = 0.0
        self._lowered_at = -math.inf
        self._before, self._rate, self._rest = self._limit, 0.0, 0
        self._replies, self._since = 0, 0.0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return max(1, math.floor(self._limit))

    def refused(self, now: float) -> None:
        """The server said it is too busy, or did not answer in time. Counts once for all in flight together."""
        self._strain += _WEIGHT * (1 - self._strain)
        if self._strain > _STRAIN and now - self._lowered_at >= self.seconds:
            self._lowered_at = now
            self._starting = False
            self._set(self._limit * _BACK)
            self._rest = _RECOVERY

    def told(self, running: float, waiting: float, in_flight: int) -> None:
        """The server told what it runs and what waits; `in_flight` is how much of that is ours."""
        self._told = True
        if in_flight == 0:
            return
        wanted = max(1.0, SLACK * running)
        on_their_way = in_flight - running  # read, decoded, not yet in the queue that is told
        if waiting > 2 * wanted:
            self._starting = False
            # Others may use the server too: only our share of the surplus is given up.
            surplus = (waiting - wanted) * in_flight / max(in_flight, running + waiting)
            self._set(min(self._limit, in_flight) - surplus / 2)
        elif waiting < wanted and in_flight >= 0.9 * self.limit and on_their_way <= max(2.0, _UNTOLD * running):
            self._set(self._limit * self._step if waiting == 0 else self._limit + max(1.0, wanted - waiting))

    def replied(self, seconds: float, in_flight: int, now: float) -> None:
        """A reply came after `seconds`, while `in_flight` requests were under way."""
        self._strain -= _WEIGHT * self._strain
        self.seconds = smoothed(self.seconds, seconds)
        if in_flight < 0.9 * self.limit or (self._told and not self._starting):
            return
        self._replies += 1
        # The first replies after a change are to requests from before it.
        if self._replies == self.limit:
            self._since = now
        elif self._replies >= self.limit + max(8, self.limit) and now > self._since:
            self.measured(max(8, self.limit) / (now - self._since))

    @property
    def _step(self) -> float:
        return _DOUBLE if self._starting else _CLIMB

    def measured(self, rate: float) -> None:
        """The limit, with requests waiting for it, brought `rate` replies a second."""
        self._replies = 0
        if self._told and not self._starting:
            return
        if self._rest > 0:
            self._rest -= 1
            self._rate = 0.7 * self._rate + 0.3 * rate
            if self._rest == 0:
                self._climb()
        elif rate >= _WORTH * self._rate:
            self._rate = rate
            self._climb()
        else:
            self._starting = False
            self._rest = _REST
            self._set(self._before)

    def _climb(self) -> None:
        self._before = self._limit
        self._set(self._limit * self._step)

    def _set(self, limit: float) -> None:
        self._limit = min(max(1.0, limit), self._most)
        self._replies = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an endpoint's requests in a while, and its queue (running, waiting) if it told it meanwhile."""

    replies: int = 0
    refusals: int = 0
    seconds: float = 0.0
    """Seconds that a reply takes of late."""
    queue: tuple[float, float] | None = None


class Led:
    """In the place of a Pace, when somebody else finds the limit out: `limit` is what it says, `heard` tells it."""

    def __init__(self) -> None:
        self.limit = START
        self.seconds = 0.0
        self._replies = self._refusals = 0
        self._queue: tuple[float, float] | None = None

    def refused(self, now: float) -> None:
        """The server said it is too busy, or did not answer in time."""
        self._refusals += 1

    def told(self, running: float, waiting: float, in_flight: int) -> None:
        """The server told what it runs and what waits."""
        self._queue = running, waiting

    def replied(self, seconds: float, in_flight: int, now: float) -> None:
        """A reply came after `seconds`."""
        self._replies += 1
        self.seconds = smoothed(self.seconds, seconds)

    def heard(self) -> Heard:
        """All of this since it was asked last."""
        found = Heard(self._replies, self._refusals, self.seconds, self._queue)
        self._replies, self._refusals, self._queue = 0, 0, None
        return found


def smoothed(before: float, seconds: float) -> float:
    """What a reply takes of late, now that one took `seconds`."""
    return seconds if before == 0 else 0.9 * before + 0.1 * seconds
