"""What the server has seen: counts for /stats and /metrics."""

import hashlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_LISTED: Final = 1000


class Counts:
    """Counts of chat requests from their arrival on; `listed` keeps the newest 1000 as rows."""

    def __init__(self) -> None:
        self.requests = 0
        self.repeated = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.running = 0
        self.statuses: dict[int, int] = {}
        self.listed: deque[dict[str, Any]] = deque(maxlen=_LISTED)
        self._bodies: set[bytes] = set()

    @contextmanager
    def request(self, raw: bytes) -> Iterator[dict[str, Any]]:
        """Count the request with the body `raw` while it is in flight; gives the row that lists it."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        row: dict[str, Any] = {"body": digest.hex(), "repeated": digest in self._bodies, "task": "", "status": None}
        self.requests += 1
        self.repeated += row["repeated"]
        self._bodies.add(digest)
        self.listed.append(row)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield row
        finally:
            self.in_flight -= 1
            if (status := row["status"]) is not None:
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def summary(self, newest: int = 0) -> dict[str, Any]:
        """The counts as plain JSON values, with the `newest` requests (at most 1000) where that is not 0."""
        summary: dict[str, Any] = {
            "requests": self.requests,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "distinct_bodies": len(self._bodies),
            "repeated_bodies": self.repeated,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }
        if newest > 0:
            summary["newest"] = list(self.listed)[-newest:]
        return summary
