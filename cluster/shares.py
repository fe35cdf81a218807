"""How many requests each worker may have in flight at an endpoint: shares that follow load, never more together."""

from collections.abc import Mapping, Sequence

from .learning import SharedPace
from .plan import Load, Share


class Shares:
    """The shares of `workers` workers in the `limits` of endpoints, by name. Without one, it is found out.

    A worker's share is in force until it has been told another one, and its requests in flight count for as long as
    it says that they are there: what one gives up is given to others only when it is free.
    """

    def __init__(self, limits: Mapping[str, int | None], workers: int) -> None:
        self._limits = {name: limit for name, limit in limits.items() if limit}
        self._learning = {name: SharedPace(workers) for name, limit in limits.items() if not limit}
        self._shares = {name: [0] * workers for name in limits}
        self._held = {name: [0] * workers for name in limits}
        self._wanted = {name: [0] * workers for name in limits}
        self._working = [True] * workers

    def told(self, worker: int, loads: Mapping[str, Load], now: float) -> dict[str, Share]:
        """The worker's shares from now on, given what it has in flight and wants. `now` is in monotonic seconds."""
        for name, pace in self._learning.items():
            pace.told(worker, loads.get(name, Load()), now)
        return {
            name: Share(self._shared(name, worker, loads.get(name, Load())), self.limit(name)) for name in self._shares
        }

    def limit(self, name: str) -> int:
        """What all workers together may have in flight at an endpoint."""
        return self._limits.get(name) or self._learning[name].limit

    def leave(self, worker: int) -> None:
        """The worker is done, with nothing in flight."""
        self._working[worker] = False
        for pace in self._learning.values():
            pace.leave(worker)
        for name in self._shares:
            self._shares[name][worker] = self._held[name][worker] = self._wanted[name][worker] = 0

    def _shared(self, name: str, worker: int, load: Load) -> int:
        shares, held, wanted = self._shares[name], self._held[name], self._wanted[name]
        wanted[worker] = load.wanted
        limit = self.limit(name)
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
