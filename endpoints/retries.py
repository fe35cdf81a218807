"""The one retry layer: which failures are tried again, how often, and after how long."""

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from .transport import Attempt

LONGEST_WAIT: Final = 300.0
"""Seconds; a server that asks for more is asked again after this long."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How stubborn a client is. Times in seconds."""

    attempts: int = 3
    """Attempts in all after lost connections, 5xx and bodies that are not JSON."""
    admissions: int = 12
    """Attempts in all while the server says it is busy (408, 429, 503)."""
    base: float = 0.5
    ceiling: float = 30.0

    def again(self, attempt: Attempt, number: int) -> bool:
        """Whether to try again after attempt `number` (from 1)."""
        if attempt.final:
            return False
        if is_busy(attempt):
            return number < self.admissions
        return attempt.reply.kind in ("unreachable", "server", "garbled") and number < self.attempts

    def wait(self, number: int, rng: random.Random) -> float:
        """Seconds until attempt `number` + 1, backoff with full jitter. What a server asks for, its lane keeps."""
        return rng.uniform(0.0, min(self.ceiling, self.base * 2 ** max(0, number - 1)))


def is_busy(attempt: Attempt) -> bool:
    """Whether the server refused for now, so that all requests to it should wait."""
    # 502: what a proxy says while the server behind it is away.
    return attempt.reply.kind == "rate-limited" or attempt.reply.http_status in (502, 503)


def is_declined(attempt: Attempt) -> bool:
    """Whether the server took no notice of the request: too busy, or not there."""
    return is_busy(attempt) or not attempt.connected


def retry_after(header: str | None) -> float | None:
    """Seconds told by a Retry-After header, a number or a date; None when it is absent or makes no sense."""
    if not header:
        return None
    try:
        seconds = float(header) if _numeric(header) else parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return None
    return max(0.0, seconds)


def _numeric(header: str) -> bool:
    return header.isascii() and header.replace(".", "", 1).isdigit()
