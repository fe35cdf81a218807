"""Which endpoint gets a request: the one that has seen the image, unless it is busy or paused."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .endpoint import Endpoint
from .errors import EndpointError
from .limits import Clock, Limit

SLACK: Final = 1.25
"""How far above the mean load of its peers an endpoint may be before an image goes elsewhere."""


@dataclass(slots=True)
class Lane:
    """An endpoint and what is under way to it."""

    endpoint: Endpoint
    limit: Limit


class Pool:
    """The endpoints by role. All endpoints of a role serve the same model with the same parameters.

    Raises EndpointError (kind `setup`) when they do not, or when there is none.
    """

    def __init__(self, endpoints: Sequence[Endpoint], clock: Clock) -> None:
        if not endpoints:
            raise EndpointError("no endpoint given", remedy="name one with --endpoint and --model", kind="setup")
        self.lanes = [Lane(endpoint, Limit(endpoint.max_in_flight, clock)) for endpoint in endpoints]
        roles = dict.fromkeys(role for endpoint in endpoints for role in endpoint.roles)
        self._by_role = {role: [x for x in self.lanes if role in x.endpoint.roles] for role in roles}
        for role, lanes in self._by_role.items():
            _check_alike(role, [lane.endpoint for lane in lanes])

    def model(self, role: str) -> Endpoint:
        """The endpoint whose model and parameters stand for all of `role`. Raises EndpointError if there is none."""
        return self._of(role)[0].endpoint

    def pick(self, role: str, affinity: str) -> Lane:
        """The lane for the next attempt. `affinity` is what should stick to one endpoint: an image's hash.

        Rendezvous hashing with bounded load: the first of the endpoints, in an order that `affinity` decides,
        which is not paused and has at most `SLACK` times the mean load; if all are paused, the first to go on.
        """
        lanes = self._of(role)
        if len(lanes) == 1:
            return lanes[0]
        order = [lanes[i] for i in _order(tuple(lane.endpoint.url for lane in lanes), affinity)]
        ready = [lane for lane in order if lane.limit.pause_left == 0]
        if not ready:
            return min(order, key=lambda lane: lane.limit.pause_left)
        bound = math.ceil(SLACK * (1 + sum(lane.limit.load for lane in ready)) / len(ready))
        return next(lane for lane in ready if lane.limit.load < bound)

    def _of(self, role: str) -> list[Lane]:
        try:
            return self._by_role[role]
        except KeyError:
            raise EndpointError(
                f"no endpoint serves the role {role}", remedy=f"roles served: {', '.join(self._by_role)}", kind="setup"
            ) from None


def _check_alike(role: str, endpoints: Sequence[Endpoint]) -> None:
    first = endpoints[0]
    for other in endpoints[1:]:
        if (other.model, other.sampling()) != (first.model, first.sampling()):
            raise EndpointError(
                f"serves {other.model} for the role {role}, but {first.url} serves {first.model}",
                where=other.url,
                remedy="endpoints of one role need the same model and parameters",
                kind="setup",
            )


@lru_cache(maxsize=65536)
def _order(urls: tuple[str, ...], affinity: str) -> tuple[int, ...]:
    weights = [hashlib.blake2b(f"{url} {affinity}".encode(), digest_size=8).digest() for url in urls]
    return tuple(sorted(range(len(urls)), key=weights.__getitem__, reverse=True))
