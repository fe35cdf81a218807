"""Faults on purpose: which requests meet one, and what it does to them.

A fault is written KIND:RATE or KIND=VALUE:RATE, the rate a share of the requests (0 to 1); an outage is written
`outage:START-END`, in seconds since the server started. The kinds:

- `400` to `599`: that status, in the shape of OpenAI's errors; VALUE is sent as the header Retry-After as it stands.
- `hang`: no answer ever; with VALUE the answer, that many seconds later.
- `reset-early`, `reset-late`: the connection is reset once the request is read, or at half of the body.
- `stall`: half of the body and then nothing. `close`: the whole answer, then the connection is closed unannounced.
- `html`: status 200 and a web page. `flood`: status 200 and 50 MB of blanks.
- `empty`, `null`: no choice, or a choice without content. `refusal`, `filtered`: the model or a filter declines.
- `truncated`, `mislabelled`: the content is cut at half; only the first says so in its finish_reason.
- `truncated-thinking`: the tokens are used up by thinking that does not come to its end.
- `bad-schema`: JSON of another shape: scores of 11 or NaN, flags that are words, questions without an answer.
- `no-usage`: token counts are missing or negative.
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ...errors import EvolgraphError

KINDS: Final = (
    *("hang", "stall", "reset-early", "reset-late", "close", "html", "flood"),
    *("empty", "null", "truncated", "truncated-thinking", "mislabelled", "refusal", "filtered", "bad-schema"),
    "no-usage",
)
"""The kinds besides status codes and outages."""


class FaultError(EvolgraphError):
    """A fault that cannot be played as it is written."""

    kind = "fault"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault and the share of requests that meet it; an outage meets all from `start` to `end`."""

    kind: str
    rate: float = 1.0
    value: str = ""
    start: float = 0.0
    end: float = math.inf
    """Seconds since the server started; used by outages alone."""

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal, None for other faults."""
        if self.kind == "outage":
            return 503
        return int(self.kind) if self.kind.isdigit() else None


def parse_fault(text: str) -> Fault:
    """The fault that `text` writes. Raises FaultError."""
    named, _, amount = text.rpartition(":")
    kind, _, value = named.partition("=")
    if kind == "outage":
        start, _, end = amount.partition("-")
        window = _number(text, start), _number(text, end)
        if value or not window[0] < window[1]:
            raise _wrong(text)
        return Fault(kind, start=window[0], end=window[1])
    rate = _number(text, amount)
    if not (kind in KINDS or _is_status(kind)) or rate > 1:
        raise _wrong(text)
    if value and kind != "hang" and not _is_status(kind):
        raise _wrong(text)
    if kind == "hang" and value:
        _number(text, value)
    return Fault(kind, rate, value)


def _is_status(kind: str) -> bool:
    return kind.isascii() and kind.isdigit() and 400 <= int(kind) < 600


def _number(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        raise _wrong(text) from None
    if not 0 <= value < math.inf:
        raise _wrong(text)
    return value


def _wrong(text: str) -> FaultError:
    forms = "KIND:RATE, KIND=VALUE:RATE or outage:START-END"
    return FaultError(f"{text!r} is no fault", remedy=f"{forms}, KIND a status or one of {', '.join(KINDS)}")


class Faults:
    """Chooses the faults of a server by a hash: a run's faults can be had again, and a retry can go well.

    `limit` is how many times one and the same body may meet a fault, outages aside; None: any number of times.
    Raises FaultError when the rates add up to more than 1.
    """

    def __init__(
        self,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        limit: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outages = [fault for fault in faults if fault.kind == "outage"]
        self._drawn = [fault for fault in faults if fault.kind != "outage"]
        self._seed = seed
        self._limit = math.inf if limit is None else limit
        self._now = now
        self._started = now()
        total = math.fsum(fault.rate for fault in self._drawn)
        if total > 1 + 1e-9:
            raise FaultError(f"the rates of the faults add up to {total:g}", remedy="at most 1")

    def pick(self, body: str, seen: int) -> Fault | None:
        """The fault that a request meets: `body` is its body's hash, `seen` how often that body came before."""
        if self._outages:
            since = self._now() - self._started
            for fault in self._outages:
                if fault.start <= since < fault.end:
                    return fault
        if not self._drawn or seen >= self._limit:
            return None
        left = share(self._seed, body, seen)
        for fault in self._drawn:
            left -= fault.rate
            if left < 0:
                return fault
        return None


def share(*named: int | str) -> float:
    """A number from 0 up to, but not including 1, that depends on `named` alone."""
    digest = hashlib.blake2b(repr(named).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
