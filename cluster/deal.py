"""Which row goes to which worker: by a hash of its id, unless it is somebody's already or its worker is behind."""

import hashlib
import heapq
from collections import deque
from collections.abc import Iterable, Mapping

from ..samples.formats.reader import Rejected
from ..samples.sample import Sample

Row = tuple[int, Sample | Rejected]
"""A row with its place among the seeds."""


def name_of(row: Sample | Rejected) -> str:
    """What a row goes by: the sample's id, or the place of one that could not be used."""
    return row.id if isinstance(row, Sample) else row.where


class Deal:
    """The rows that wait to be handed out to `workers` workers, and those that each has in hand.

    `owners` are the workers of the samples that were handed out in earlier starts: nobody else gets those.
    """

    def __init__(self, workers: int, owners: Mapping[str, int]) -> None:
        self._owners = dict(owners)
        self._own: list[deque[Row]] = [deque() for _ in range(workers)]
        self._free: list[list[tuple[int, int, Sample | Rejected]]] = [[] for _ in range(workers)]
        self._in_hand: list[dict[str, Row]] = [{} for _ in range(workers)]

    @property
    def waiting(self) -> int:
        """Rows that nobody has in hand."""
        return sum(map(len, self._own)) + sum(map(len, self._free))

    def waiting_for(self, worker: int) -> int:
        """Rows that `worker` could still have: its own, and all that nobody owns."""
        return len(self._own[worker]) + sum(map(len, self._free))

    def put(self, position: int, row: Sample | Rejected) -> None:
        """Lays a row on its worker's pile. Of those that nobody owns, the sample with most questions is on top."""
        name = name_of(row)
        if (owner := self._owners.get(name)) is not None:
            self._own[owner].append((position, row))
            return
        worker = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % len(self._free)
        questions = len(row.qas) if isinstance(row, Sample) else 0
        heapq.heappush(self._free[worker], (-questions, position, row))

    def take(self, worker: int, most: int, *, others: bool) -> list[Row]:
        """Up to `most` rows that `worker` has in hand from now on.

        With `others`, they may come from another worker's pile when its own is empty and it has less to do.
        """
        found = self._own_rows(worker, most) or (self._moved(worker, most) if others else [])
        for _, row in found:
            self._owners[name_of(row)] = worker
        self._in_hand[worker].update({name_of(row): (position, row) for position, row in found})
        return found

    def _own_rows(self, worker: int, most: int) -> list[Row]:
        owned, free = self._own[worker], self._free[worker]
        found = [owned.popleft() for _ in range(min(most, len(owned)))]
        return found + [heapq.heappop(free)[1:] for _ in range(min(most - len(found), len(free)))]

    def _moved(self, worker: int, most: int) -> list[Row]:
        """Half of what the worker with the largest pile has more to do than `worker`."""
        piles = [len(pile) for pile in self._free]
        last = piles.index(max(piles))
        more = piles[last] + len(self._in_hand[last]) - len(self._in_hand[worker])
        count = max(0, min(most, piles[last], (more + 1) // 2))
        return [heapq.heappop(self._free[last])[1:] for _ in range(count)]

    def settled(self, worker: int, names: Iterable[str]) -> None:
        """The worker is done with these."""
        for name in names:
            self._in_hand[worker].pop(name, None)

    def again(self, worker: int) -> None:
        """The worker has started anew: what it had in hand waits for it again."""
        self._own[worker].extendleft(reversed(self._in_hand[worker].values()))
        self._in_hand[worker].clear()
