"""What the server has seen: counts for /stats and /metrics."""

import hashlib
import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_LISTED: Final = 1000
_BODIES_LISTED: Final = 100_000


class Counts:
    """Counts of chat requests from their arrival on, in all and by body; `listed` keeps the newest 1000 as rows."""

    def __init__(self) -> None:
        self.requests = 0
        self.repeated = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.running = 0
        self.received = 0
        self.statuses: dict[int, int] = {}
        self.listed: deque[dict[str, Any]] = deque(maxlen=_LISTED)
        self.faults: dict[str, int] = {}
        self._seen: dict[bytes, int] = {}
        self._answered: dict[bytes, int] = {}

    @contextmanager
    def request(self, raw: bytes) -> Iterator[dict[str, Any]]:
        """Count the request with the body `raw` while it is in flight; gives the row that lists it."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        seen = self._seen.get(digest, 0)
        row: dict[str, Any] = {
            "body": digest.hex(), "bytes": len(raw), "repeated": seen > 0, "seen": seen, "task": "", "fault": "",
            "status": None,
        }  # fmt: skip
        self.requests += 1
        self.received += len(raw)
        self.repeated += row["repeated"]
        self._seen[digest] = seen + 1
        self.listed.append(row)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield row
        finally:
            self.in_flight -= 1
            if (status := row["status"]) is not None:
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def met(self, row: dict[str, Any], kind: str) -> None:
        """Count a fault that the request of `row` meets."""
        row["fault"] = kind
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def answered(self, row: dict[str, Any]) -> None:
        """Count a model's reply, good or bad, that was written in full."""
        digest = bytes.fromhex(row["body"])
        row["status"] = 200
        self._answered[digest] = self._answered.get(digest, 0) + 1

    def summary(self, newest: int = 0, *, full: bool = False) -> dict[str, Any]:
        """The counts as plain JSON values.

        With the `newest` requests (at most 1000) where that is not 0, and, if `full`, with the first 100,000 bodies:
        how often each was seen, and how often it was answered in full.
        """
        summary: dict[str, Any] = {
            "requests": self.requests,
            "bytes": self.received,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "distinct_bodies": len(self._seen),
            "repeated_bodies": self.repeated,
            "answered": sum(self._answered.values()),
            "answered_bodies": len(self._answered),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(sorted(self.faults.items())),
        }
        if newest > 0:
            summary["newest"] = list(self.listed)[-newest:]
        if full:
            summary["bodies"] = [
                {"body": digest.hex(), "seen": seen, "answered": self._answered.get(digest, 0)}
                for digest, seen in itertools.islice(self._seen.items(), _BODIES_LISTED)
            ]
        return summary
