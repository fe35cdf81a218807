"""How many requests an endpoint takes that was given no limit: found out by all workers together."""

from collections.abc import Sequence
from typing import Final

from ..endpoints.pace import Pace
from ..endpoints.queues import LOOK_EVERY_S
from .plan import Load

WINDOW_S: Final = 3.0
"""Seconds over which replies are counted: many reports, so that it matters little when each of them came."""
SETTLE_S: Final = 1.0
"""Seconds until every worker has heard of a new limit and fills its share of it."""
FEWEST: Final = 16
"""Replies of each worker that a count is of, on average: it is off by about one for each, at either end."""


class SharedPace:
    """The limit of one endpoint for `workers` workers together, by the rule of `Pace` and what all of them tell.

    Times are seconds of a monotonic clock.
    """

    def __init__(self, workers: int) -> None:
        self._pace = Pace()
        self._loads = [Load()] * workers
        self._looked_at = 0.0
        self._replies = 0
        self._since = 0.0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now, of all workers."""
        return self._pace.limit

    def told(self, worker: int, load: Load, now: float) -> None:
        """Takes note of what a worker has under way, and of what came of its requests since it told last."""
        self._loads[worker] = load
        if load.heard.replies:
            self._pace.seconds = load.heard.seconds
        limit = self.limit
        for _ in range(load.heard.refusals):
            self._pace.refused(now)
        self._look(load.heard.queue, now)
        if self._sum("wanted") < limit:
            self._begin(now)  # what is not full does not tell whether more would be better
        else:
            self._count(load.heard.replies, now)
        if self.limit != limit:
            self._begin(now + SETTLE_S + self._pace.seconds)

    def leave(self, worker: int) -> None:
        """The worker is done, with nothing in flight."""
        self._loads[worker] = Load()

    def _look(self, queue: Sequence[float] | None, now: float) -> None:
        """Every worker looks once a second, at the same queue: one look a second is enough."""
        if queue and now - self._looked_at >= 0.9 * LOOK_EVERY_S:
            self._looked_at = now
            running, waiting = queue
            self._pace.told(running, waiting, self._sum("in_flight"))

    def _count(self, replies: int, now: float) -> None:
        if now < self._since:
            return
        self._replies += replies
        seconds = now - self._since
        if seconds >= max(WINDOW_S, self._pace.seconds) and self._replies >= max(FEWEST * len(self._loads), self.limit):
            self._pace.measured(self._replies / seconds)
            self._begin(now)

    def _begin(self, now: float) -> None:
        """Replies count from `now` on."""
        self._replies, self._since = 0, now

    def _sum(self, name: str) -> int:
        return sum(getattr(load, name) for load in self._loads)
