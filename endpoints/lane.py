"""An endpoint and all that was learned of it: what is under way, how much it takes, whether it is there at all."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from .endpoint import Endpoint
from .held import Held
from .limits import Clock, Naps, Room, Slots
from .pace import Led, Pace
from .retries import LONGEST_WAIT, is_declined, retry_after
from .transport import Attempt
from .wire import Dialect

PROBE_S: Final = 5.0
"""Seconds between two requests to an endpoint that is down."""
_FIRST_PROBE_S: Final = 0.5
_PAUSE_S: Final = 0.05
"""Seconds without a new request after a refusal: others that are on their way tell whether the endpoint is down."""
_REFUSALS: Final = 3
"""Refusals in a row, without a reply in between, that mean down."""
_GREETED_AFTER: Final = 6
"""Probes that were refused, from one greeting to the next."""
_UNFIT: Final = 2
_AILING: Final = 5
"""Errors and timeouts in a row that make an endpoint the last choice for a while."""


class Turn(Enum):
    """What came of waiting for a slot."""

    SLOT = "slot"
    PROBE = "probe"
    """A slot of an endpoint that is down: this request finds out whether it is back."""
    AGAIN = "again"
    """No slot: another endpoint may be the better choice now."""


@dataclass(slots=True)
class Counts:
    """What an endpoint was asked and did, in this start."""

    sent: int = 0
    received: int = 0
    refused: int = 0
    failed: int = 0
    bytes_sent: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Requests by how they ended, `ok` among them."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An endpoint at a moment, for displays: its slots in use, those who wait for one, and how many there may be."""

    url: str
    model: str
    roles: str
    counts: Counts
    in_flight: int = 0
    waiting: int = 0
    limit: int = 0
    down: bool = False


class Lane:
    """One endpoint as the pool sees it.

    It is `down` when it cannot be reached or refuses all that it is asked. Then one request at a time goes to it, at
    most every `PROBE_S` seconds, until one is answered; whoever waits for a slot chooses again. `on_return` is called
    when it is back, `on_free` when it has a slot that nobody here waits for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        on_return: Callable[[], None] = lambda: None,
        on_free: Callable[["Lane"], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self.pace: Pace | Led = Pace(endpoint.max_in_flight)
        self.share: int | None = None
        """The most requests in flight that this process may have of what several share; None: all of them."""
        self.slots = Slots(lambda: 0 if self.down else self.limit)
        self.held = Held(trusted=bool(endpoint.image_uuid))
        self.room = Room(endpoint.max_bytes_in_flight)
        self.counts = Counts()
        self.ignores_schema = False
        """Whether replies have shown that the endpoint does not enforce `response_format`."""
        self._fits = {True: 0, False: 0}
        self.down_since: float | None = None
        self.why = ""
        """What the endpoint said when it went down, in one line."""
        self._clock = clock
        self._on_return = on_return
        self._on_free = on_free
        self._refusals = 0
        self._refused_probes = 0
        self._errors = 0
        self._quiet_until = 0.0
        self._ailing_until = 0.0
        self._prober: asyncio.Task[Any] | None = None
        self._naps = Naps(clock)

    @property
    def dialect(self) -> Dialect:
        """How requests to it are written."""
        seeded = self.endpoint.send_seed is not False
        return Dialect(self.held.trusted, self.held, schema_in_prompt=self.ignores_schema, seeded=seeded)

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self.pace.limit if self.share is None else min(self.pace.limit, self.share)

    def sight(self) -> Sight:
        """What there is to be seen of it now."""
        one = self.endpoint
        told = self.slots.in_flight, self.slots.waiting, self.limit, self.down
        return Sight(one.url, one.model, ",".join(one.roles), self.counts, *told)

    def lead(self, limit: int) -> None:
        """Sets the limit of all processes that share the endpoint, which they find out together from now on."""
        if not isinstance(self.pace, Led):
            self.pace = Led()
        self.pace.limit = limit

    def allot(self, share: int) -> None:
        """Sets the share of this process; with 0 nothing goes out, not even a probe."""
        self.share = share
        self.slots.hand_out()
        if share and self.down:
            self.send_away()
        elif self.slots.free:
            self._on_free(self)

    @property
    def down(self) -> bool:
        """Whether it is given up for now."""
        return self.down_since is not None

    @property
    def in_doubt(self) -> bool:
        """Whether it is time to find out by a greeting whether the endpoint is down at all, or refuses what it was
        asked as probes: such a request would wait for it for ever."""
        return self.down and self._refused_probes >= _GREETED_AFTER

    @property
    def unasked(self) -> bool:
        """Whether the server has never told what it is, since it was not there when the run started."""
        known = self.endpoint
        return known.is_server and (known.image_uuid is None or known.send_seed is None)

    def told(self, endpoint: Endpoint) -> None:
        """`endpoint`, with what the server has now told of itself."""
        self.endpoint = endpoint
        self.held = Held(trusted=bool(endpoint.image_uuid))

    @property
    def quiet_left(self) -> float:
        """Seconds in which no request may start."""
        return max(0.0, self._quiet_until - self._clock.now())

    @property
    def _probing(self) -> bool:
        return self._prober is not None

    @property
    def ready(self) -> bool:
        """Whether a request would go out without waiting for the endpoint to recover; one that is down is ready for
        its next probe when that is due, if this process has a share of it."""
        if self.quiet_left > 0 or (self.down and self.share == 0):
            return False
        return not self._probing if self.down else self._ailing_until <= self._clock.now()

    @property
    def free(self) -> bool:
        """Whether a request would go out at once."""
        return self.ready and (self.down or self.slots.free)

    @property
    def probed_in(self) -> float:
        """Seconds until the next request may go to an endpoint that is down; a probe under way comes last."""
        return self.quiet_left + (PROBE_S if self._probing else 0.0)

    async def enter(self, group: object = None) -> Turn:
        """Waits for a slot and for the end of a pause. `group` is whom `relieve` may send to another lane."""
        if self.down and not self._probing and self.share != 0:
            self._prober = asyncio.current_task()
            entered = False
            try:
                entered = await self._quiet_over()
            finally:
                if not entered:
                    self.end_probe()
            if entered:
                self.slots.force()
            return Turn.PROBE if entered else Turn.AGAIN
        if not await self.slots.take(group):
            return Turn.AGAIN
        # The pause is waited for while holding the slot: no more than the limit wake at its end.
        entered = False
        try:
            # It may have gone down since the slot was handed over, or while it was quiet.
            entered = not self.down and await self._quiet_over() and not self.down
        finally:
            if not entered:
                self.leave()
        return Turn.SLOT if entered else Turn.AGAIN

    async def _quiet_over(self) -> bool:
        """Waits until requests may start; False when woken before, to choose again."""
        while (left := self.quiet_left) > 0:
            if not await self._naps.sleep(left):
                return False
        return True

    def look(self, running: float, waiting: float) -> None:
        """The endpoint said what it runs and what waits inside it."""
        self.pace.told(running, waiting, self.slots.in_flight)
        self.slots.hand_out()
        if self.slots.free:
            self._on_free(self)

    def fitted(self, fits: bool) -> None:
        """A reply did or did not fit its schema, without being cut short."""
        self._fits[fits] += 1
        # One that enforced the schema would not have let it through; a single reply may have been cut unnoticed.
        if self._fits[False] >= _UNFIT and self._fits[False] > self._fits[True] / 4:
            self.ignores_schema = True

    def leave(self) -> None:
        """Returns the slot."""
        self.slots.give_back()
        if self.slots.free:
            self._on_free(self)

    def send_away(self) -> None:
        """Makes everybody choose again who waits here."""
        self.slots.send_away()
        self._naps.wake()

    def settle(self, attempt: Attempt, turn: Turn, seconds: float) -> None:
        """Learns from what a request came to after `seconds`. To be called before its slot is returned."""
        now = self._clock.now()
        self.counts.kinds[attempt.reply.kind] += 1
        if is_declined(attempt):
            self._refused(attempt, turn, now)
        elif attempt.reply.kind in ("server", "timeout", "unreachable", "garbled"):
            self._failed(attempt, now)
        else:
            self._answered(seconds, now)

    def _answered(self, seconds: float, now: float) -> None:
        self.counts.received += 1
        self._refusals = self._errors = 0
        self._ailing_until = 0.0
        self.pace.replied(seconds, self.slots.in_flight, now)
        self.come_back()

    def _failed(self, attempt: Attempt, now: float) -> None:
        """An error is no refusal: the endpoint is there. Many in a row make it the last choice."""
        self.counts.failed += 1
        if attempt.reply.kind == "timeout":
            self.pace.refused(now)
        self._errors += 1
        if self._errors >= _AILING:
            self._ailing_until = now + PROBE_S
        self.come_back()

    def _refused(self, attempt: Attempt, turn: Turn, now: float) -> None:
        self.counts.refused += 1
        self._refusals += 1
        asked = retry_after(attempt.retry_after) if attempt.connected else None
        if attempt.connected:
            self.pace.refused(now)
        # Not if another request has found it back meanwhile, and it is down anew: that is for the next probe to end.
        if turn is Turn.PROBE and self.down and self._prober is asyncio.current_task():
            self._refused_probes = 0 if self.in_doubt else self._refused_probes + attempt.connected
            self._be_quiet(max(PROBE_S, asked or 0.0), now)
            self.end_probe()
        elif not self.down and (self._refusals >= _REFUSALS or not attempt.connected):
            self.down_since, self.why = now, attempt.reply.detail
            self._be_quiet(asked or _FIRST_PROBE_S, now)
            self.send_away()
        else:
            self._be_quiet(asked or _PAUSE_S, now)

    def _be_quiet(self, seconds: float, now: float) -> None:
        self._quiet_until = max(self._quiet_until, now + min(seconds, LONGEST_WAIT))

    def come_back(self) -> None:
        """It has answered, here or elsewhere: whoever waits for it may go on."""
        if self.down:
            self.down_since = None
            self._quiet_until = 0.0
            self._refused_probes = 0
            self._prober = None
            self._naps.wake()
            self._on_return()
        self.slots.hand_out()

    def put_off(self, seconds: float) -> None:
        """This task's probe is not due for so many seconds: others have just looked."""
        self._be_quiet(seconds, self._clock.now())
        self.end_probe()

    def end_probe(self) -> None:
        """This task's probe came to nothing: whoever waits here may be the next."""
        if self._prober is asyncio.current_task():
            self._prober = None
            self.slots.send_away(1)
