"""A limit that workers find out together, at a simulated endpoint of so many slots and a queue behind them."""

import random

import pytest
from evolgraph.cluster.plan import Load
from evolgraph.cluster.shares import Shares
from evolgraph.endpoints.pace import Heard

URL = "here"


class Endpoint:
    """Serves `slots` requests at a time, `latency` seconds each; workers fill what they may and report twice a second.

    `refusing`: beyond twice its slots it refuses instead of queueing. `telling`: it tells its queue.
    """

    def __init__(self, slots: int, workers: int, *, latency=1.0, wanted=5000, refusing=False, telling=False) -> None:
        self.slots, self.latency, self.wanted = slots, latency, wanted
        self.refusing, self.telling = refusing, telling
        self.rng = random.Random(slots)
        self.shares = Shares({URL: None}, workers)
        self.parts = [0] * workers
        self.served = [0.0] * workers
        self.most: list[int] = []

    def run(self, seconds: float, step: float = 0.1) -> None:
        heard = [self.rng.uniform(0, 0.5) for _ in self.parts]
        for tick in range(round(seconds / step)):
            now = tick * step
            busy = max(1, sum(self.parts))
            self.most.append(sum(self.parts))
            for worker, part in enumerate(self.parts):
                rate = min(self.slots, busy) / self.latency * part / busy
                self.served[worker] += rate * step * self.rng.uniform(0.9, 1.1)
                if now >= heard[worker]:
                    heard[worker] = now + 0.5
                    self.report(worker, now, busy)

    def report(self, worker: int, now: float, busy: int) -> None:
        replies, self.served[worker] = int(self.served[worker]), self.served[worker] % 1
        over = busy - 2 * self.slots if self.refusing else 0
        refusals = round(replies * max(0, over) / self.slots)
        queue = (min(self.slots, busy), max(0, busy - self.slots)) if self.telling else None
        seconds = self.latency * max(1, busy / self.slots)
        load = Load(self.parts[worker], self.wanted, 0, Heard(replies, refusals, seconds, queue))
        self.parts[worker] = self.shares.told(worker, {URL: load}, now)[URL].part


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("slots", [12, 50, 300])
def test_it_climbs_to_what_the_endpoint_takes_and_not_far_beyond(slots: int, workers: int) -> None:
    endpoint = Endpoint(slots, workers)
    endpoint.run(400)
    assert slots <= endpoint.shares.limit(URL) <= 2.5 * slots
    assert max(endpoint.most) <= 4.1 * slots, "a climb may be one too many, and is taken back"
    late = endpoint.most[len(endpoint.most) // 2 :]
    assert sum(late) / len(late) <= 2.5 * slots


def test_refusals_and_a_told_queue_bound_it_sooner() -> None:
    refusing, telling = Endpoint(40, 4, refusing=True), Endpoint(40, 4, telling=True)
    for endpoint in (refusing, telling):
        endpoint.run(400)
    late = refusing.most[-1000:]
    assert 40 <= sum(late) / len(late) <= 90
    assert 40 <= telling.most[-1] <= 60, "a short queue, of all workers together"


def test_workers_with_little_to_do_do_not_raise_it() -> None:
    endpoint = Endpoint(300, 2, wanted=3)
    endpoint.run(100)
    assert endpoint.shares.limit(URL) == 8
