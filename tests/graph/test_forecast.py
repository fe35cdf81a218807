"""The time left that is told, against the time that a run then took. The run is played on a clock of its own."""

import heapq
import random
from dataclasses import dataclass

import pytest
from evolgraph.graph.forecast import Forecast
from evolgraph.graph.outcome import Outcome, Progress

VERDICT = {"direction": "reasoning", "accepted": True, "code": "accepted", "stage": "judge", "score_after": 4}


@dataclass(frozen=True)
class Play:
    """A run: a server answers `capacity` calls at a time, in the order in which they came, in about a second each."""

    samples: int
    concurrency: int
    capacity: int
    rounds: int
    ends: float = 0.0
    """The share of samples that end after each round, though they might have another."""
    begun: int = 0
    """Rounds that the samples had in an earlier start."""


def told(play: Play) -> list[tuple[float, float | None, int]]:
    """The seconds that had gone, what was told to be left, and the samples settled then; the last is the end."""
    rng = random.Random(1)
    progress = Progress(seen=play.samples, read_all=True, taken_up=play.samples if play.begun else 0)
    forecast, told = Forecast(play.rounds, play.concurrency), []
    waiting = [2 * play.begun] * play.samples  # calls that each has had
    queue = [waiting.pop() for _ in range(min(play.concurrency, play.samples))]
    answers: list[tuple[float, int]] = []
    now = look = 0.0
    while queue or answers:
        while queue and len(answers) < play.capacity:
            heapq.heappush(answers, (now + rng.uniform(0.5, 1.5), queue.pop(0) + 1))
        now, calls = heapq.heappop(answers)
        if calls % 2 == 0:
            progress.close_round([VERDICT | {"round": calls // 2}])
        if calls == 2 * play.rounds or (calls % 2 == 0 and rng.random() < play.ends):
            progress.settle(Outcome("s", "exhausted", "", calls // 2, None, None, ()))
            if not waiting:
                continue
            calls = waiting.pop()
        queue.append(calls)
        if now >= look:
            told.append((now, forecast.left(progress, now), progress.done))
            look = now + 0.25
    return [*told, (now, 0.0, progress.done)]


@pytest.mark.parametrize(
    "play",
    [
        Play(samples=400, concurrency=32, capacity=8, rounds=3),
        Play(samples=400, concurrency=32, capacity=8, rounds=6, ends=0.4),
        Play(samples=300, concurrency=32, capacity=32, rounds=3),
        Play(samples=64, concurrency=128, capacity=4, rounds=3),
        Play(samples=64, concurrency=128, capacity=4, rounds=6, begun=2),
    ],
    ids=["a queue", "some end early", "no queue", "all side by side", "an earlier start began them"],
)
def test_what_is_told_to_be_left_is_left(play: Play) -> None:
    looks = told(play)
    end = looks[-1][0]
    # Towards the end few samples are in flight, and no pace of many rounds tells of them.
    of_most = [(at, left) for at, left, _ in looks if left is not None and at < 0.75 * end]
    assert all((end - at) / 1.5 <= left <= (end - at) * 1.5 for at, left in of_most)
    assert len(of_most) > 10


def test_it_is_told_long_before_the_first_samples_have_settled() -> None:
    looks = told(Play(samples=2000, concurrency=128, capacity=16, rounds=3))
    settled = next(done for _, left, done in looks if left is not None)
    assert settled < 20


def test_nothing_is_told_while_samples_might_end_soon_or_late() -> None:
    # All may end after the third round, or have ten: nobody has got that far.
    progress = Progress(seen=50, read_all=True)
    for number in (1, 2):
        for _ in range(50):
            progress.close_round([VERDICT | {"round": number}])
    assert Forecast(10, 50).left(progress, 60.0) is None
    assert Forecast(3, 50).left(progress, 60.0) == pytest.approx(30.0, rel=0.05)


def test_a_pause_lengthens_what_is_told() -> None:
    progress, forecast = Progress(seen=30, read_all=True), Forecast(2, 10)
    for _ in range(30):
        progress.close_round([VERDICT | {"round": 1}])
    at_first = forecast.left(progress, 30.0)
    assert at_first
    assert forecast.left(progress, 35.0) == pytest.approx(at_first - 5, abs=0.5)
    later = forecast.left(progress, 300.0)
    assert later
    assert later > at_first
