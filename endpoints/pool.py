"""Which endpoint gets a request: the one that has seen the image, unless it is overfull or down."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from .endpoint import Endpoint
from .errors import EndpointError
from .lane import Lane, Turn
from .limits import Clock

SLACK: Final = 1.25
"""How far above its share of the load an endpoint may be before an image goes elsewhere."""
OUTAGE_S: Final = 3600.0
"""Seconds that a run waits while every endpoint of a role is down, before it stops."""
_HOMES: Final = 200_000


class Group:
    """Endpoints that do the same work, and which of them each image went to first."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = tuple(lanes)
        first = lanes[0].endpoint
        self.identity = first.model, first.sampling()
        """Model alias and sampling parameters, the same for all of them."""
        self._homes: OrderedDict[str, Lane] = OrderedDict()

    def pick(self, affinity: str) -> Lane:
        """The lane for the next request. `affinity` is what should stick to one endpoint: an image's hash.

        Rendezvous hashing with bounded load, weighted by the learned limits. An image's home is the first lane, in an
        order of its own, that has a free slot; where none has, the first with at most `SLACK` times its share of the
        load. It stays there, and waits there, unless that lane is down or overfull or another has nothing to do: an
        idle endpoint is worse than an image that is read twice. If no lane is ready: the first that will be.
        """
        if len(self.lanes) == 1:
            return self.lanes[0]
        ready = [lane for lane in self.lanes if lane.ready]
        if not ready:
            return min(self.lanes, key=lambda lane: (lane.down, lane.probed_in, lane.slots.load))
        home = self._homes.get(affinity)
        if home in ready and home.free:
            return home
        order = _ordered(ready, affinity)
        chosen = next((lane for lane in order if lane.free), None)
        if chosen is None:
            chosen = _with_room([home, *order] if home in ready else order, ready)
            if home in ready:
                return chosen  # to wait, or to go elsewhere for once
        self._take_home(affinity, chosen)
        return chosen

    def send_home(self, affinity: str, urls: Collection[str]) -> None:
        """Makes the first lane at one of `urls` the home of an image; without any, nothing changes."""
        found = next((lane for lane in self.lanes if lane.endpoint.url in urls), None)
        if found:
            self._take_home(affinity, found)

    def _take_home(self, affinity: str, lane: Lane) -> None:
        self._homes[affinity] = lane
        self._homes.move_to_end(affinity)
        if len(self._homes) > _HOMES:
            self._homes.popitem(last=False)

    def relieve(self, idle: Lane) -> None:
        """Has one of its requests that wait at the fullest lane choose again, now that `idle` has a free slot.

        Others that wait there may be of another group, which `idle` does nothing for.
        """
        others = [lane for lane in self.lanes if lane is not idle]
        if others:
            max(others, key=lambda lane: lane.slots.waiting_of(self)).slots.send_one_away(self)

    def given_up(self, now: float) -> Lane | None:
        """A lane that is down, when all are and have been for `OUTAGE_S`."""
        since = [lane.down_since for lane in self.lanes if lane.down_since is not None]
        return self.lanes[0] if len(since) == len(self.lanes) and now - max(since) > OUTAGE_S else None


class Pool:
    """The endpoints by role. All endpoints of a role serve the same model with the same parameters.

    Raises EndpointError (kind `setup`) when they do not, or when there is none.
    """

    def __init__(self, endpoints: Sequence[Endpoint], clock: Clock) -> None:
        if not endpoints:
            raise EndpointError("no endpoint given", remedy="name one with --endpoint and --model", kind="setup")
        check_alike(endpoints)
        self._clock = clock
        self.lanes = [Lane(endpoint, clock, self._send_away_from_lost, self._relieve) for endpoint in endpoints]
        self._groups: dict[tuple[str, ...], Group] = {}
        self._by_role: dict[str, Group] = {}
        for role in dict.fromkeys(role for endpoint in endpoints for role in endpoint.roles):
            lanes = [lane for lane in self.lanes if role in lane.endpoint.roles]
            # Roles with the same endpoints share what is known of their images.
            urls = tuple(lane.endpoint.url for lane in lanes)
            self._by_role[role] = self._groups.setdefault(urls, Group(lanes))

    def identity(self, role: str) -> tuple[str, dict[str, Any]]:
        """Model alias and sampling parameters of all endpoints of `role`. Raises EndpointError if there is none."""
        return self._of(role).identity

    def pick(self, role: str, affinity: str) -> Lane:
        """The lane for the next request of `role` (see Group.pick)."""
        return self._of(role).pick(affinity)

    def send_home(self, affinity: str, urls: Collection[str]) -> None:
        """Makes endpoints at `urls` the home of an image, one in each group that has one of them."""
        for group in self._groups.values():
            group.send_home(affinity, urls)

    @asynccontextmanager
    async def lease(self, role: str, affinity: str, admit: Callable[[], None]) -> AsyncIterator[tuple[Lane, Turn]]:
        """A slot of the lane that suits best, waited for as long as it takes.

        `admit` is asked before each wait and may raise. Raises EndpointError `unreachable` when every endpoint of the
        role has been down for `OUTAGE_S`.
        """
        group = self._of(role)
        while True:
            admit()
            if lost := group.given_up(self._clock.now()):
                raise _given_up(lost)
            lane = group.pick(affinity)
            if (turn := await lane.enter(group)) is not Turn.AGAIN:
                break
        try:
            yield lane, turn
        except BaseException:
            if turn is Turn.PROBE:
                lane.end_probe()
            raise
        finally:
            lane.leave()

    def outages(self) -> list[Lane]:
        """The endpoints that are down, when a role has no other."""
        lost = [group.lanes for group in self._groups.values() if all(lane.down for lane in group.lanes)]
        return [*dict.fromkeys(lane for lanes in lost for lane in lanes)]

    def send_away(self) -> None:
        """Makes everybody who waits choose again, so that they notice what has changed."""
        for lane in self.lanes:
            lane.send_away()

    def _relieve(self, idle: Lane) -> None:
        for group in self._groups.values():
            if idle in group.lanes:
                group.relieve(idle)

    def _send_away_from_lost(self) -> None:
        """An endpoint is back: whoever waits at one that is down may go there."""
        for lane in self.lanes:
            if lane.down:
                lane.send_away()

    def _of(self, role: str) -> Group:
        try:
            return self._by_role[role]
        except KeyError:
            raise EndpointError(
                f"no endpoint serves the role {role}", remedy=f"roles served: {', '.join(self._by_role)}", kind="setup"
            ) from None


def _given_up(lane: Lane) -> EndpointError:
    hours = OUTAGE_S / 3600
    return EndpointError(
        f"no endpoint has taken a request for {hours:g} hours ({lane.why})",
        where=lane.endpoint.url,
        remedy="start the server, then start the run again: it goes on",
        kind="unreachable",
    )


def check_alike(endpoints: Sequence[Endpoint]) -> None:
    """Raises EndpointError (kind `setup`) when endpoints of one role differ in the model or its parameters."""
    firsts: dict[str, Endpoint] = {}
    for other, role in ((endpoint, role) for endpoint in endpoints for role in endpoint.roles):
        first = firsts.setdefault(role, other)
        if (other.model, other.sampling()) != (first.model, first.sampling()):
            raise EndpointError(
                f"serves {other.model} for the role {role}, but {first.url} serves {first.model}",
                where=other.url,
                remedy="endpoints of one role need the same model and parameters",
                kind="setup",
            )


def _with_room(order: Sequence[Lane], ready: Sequence[Lane]) -> Lane:
    """The first of `order` whose load is at most `SLACK` times its share of what all that are ready have."""
    total = 1 + sum(lane.slots.load for lane in ready)
    weight = sum(lane.pace.limit for lane in ready)
    return next(lane for lane in order if lane.slots.load < math.ceil(SLACK * total * lane.pace.limit / weight))


def _ordered(lanes: Sequence[Lane], affinity: str) -> list[Lane]:
    """Weighted rendezvous hashing: the lane that wins most often is the one with the highest limit."""
    return sorted(lanes, key=lambda lane: _score(lane.endpoint.url, lane.pace.limit, affinity), reverse=True)


def home_of(affinity: str, weights: Mapping[str, float]) -> str:
    """The URL, out of those with their weights, that weighted rendezvous hashing chooses for an image."""
    return max(weights, key=lambda url: _score(url, weights[url], affinity))


def _score(url: str, weight: float, affinity: str) -> float:
    digest = hashlib.blake2b(f"{url} {affinity}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return -weight / math.log(share)
