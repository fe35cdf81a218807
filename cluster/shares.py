"""How many requests each worker may have in flight at an endpoint: shares that follow load, never more together."""

from collections.abc import Mapping, Sequence

from .plan import Load


class Shares:
    """The shares of `workers` workers in the `limits` of endpoints, by URL.

    A worker's share is in force until it has been told another one, and its requests in flight count for as long as
    it says that they are there: what one gives up is given to others only when it is free.
    """

    def __init__(self, limits: Mapping[str, int], workers: int) -> None:
        self._limits = limits
        self._shares = {url: [0] * workers for url in limits}
        self._held = {url: [0] * workers for url in limits}
        self._wanted = {url: [0] * workers for url in limits}
        self._working = [True] * workers

    def told(self, worker: int, loads: Mapping[str, Load]) -> dict[str, int]:
        """The worker's shares from now on, given what it has in flight and wants."""
        return {url: self._shared(url, worker, loads.get(url, Load(0, 0, 0))) for url in self._limits}

    def leave(self, worker: int) -> None:
        """The worker is done, with nothing in flight."""
        self._working[worker] = False
        for url in self._limits:
            self._shares[url][worker] = self._held[url][worker] = self._wanted[url][worker] = 0

    def _shared(self, url: str, worker: int, load: Load) -> int:
        shares, held, wanted = self._shares[url], self._held[url], self._wanted[url]
        wanted[worker] = load.wanted
        limit = self._limits[url]
        aim = divided(limit, [wanted[one] if self._working[one] else -1 for one in range(len(wanted))])[worker]
        share = max(0, min(aim, limit - sum(held) + held[worker]))
        # Until it hears of this share it may still fill the one before.
        held[worker] = max(shares[worker], share, load.in_flight)
        shares[worker] = share
        return share


def divided(limit: int, wanted: Sequence[int]) -> list[int]:
    """`limit` in whole parts: nobody gets less than an equal part of what it wants more of; -1 wants no part at all.

    What nobody wants is spread evenly, so that whoever gets busy can begin.
    """
    parts = [0] * len(wanted)
    left = limit
    open_to = sorted((one for one in range(len(wanted)) if wanted[one] >= 0), key=lambda one: (wanted[one], one))
    for number, one in enumerate(open_to):
        parts[one] = min(wanted[one], left // (len(open_to) - number))
        left -= parts[one]
    for number, one in enumerate(open_to):
        more = left // (len(open_to) - number)
        parts[one] += more
        left -= more
    return parts
