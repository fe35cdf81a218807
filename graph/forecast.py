"""How long a run still takes, going by the rounds that it has finished."""

from collections import deque
from typing import Final

from .outcome import Progress

APART: Final = 1.5
"""Nothing is told while the work that is left may be more, or less, by this factor than it seems."""
_LATELY: Final = 1000
"""Rounds from whose pace that of the others is told, if no more samples are in flight."""
_WEIGHT: Final = 3
"""What is supposed of the samples' ends after a round counts as much as so many samples that have finished it."""


class Forecast:
    """The time left to a run of at most `rounds` rounds a sample and `concurrency` samples in flight."""

    def __init__(self, rounds: int, concurrency: int) -> None:
        self._rounds = rounds
        self._concurrency = concurrency
        self._looks = deque([(0.0, 0)])
        """Seconds and rounds, where rounds had been finished since the look before."""

    def left(self, progress: Progress, seconds: float) -> float | None:
        """Seconds until all samples are settled, told again and again with the `seconds` that have gone.

        None while it cannot be known: where nobody can tell how many samples there are, before as many rounds have
        ended as samples are in flight, and while too few samples have got as far as the others will.
        """
        rounds, unsettled = progress.rounds, progress.samples - progress.done
        if rounds > self._looks[-1][1]:
            self._looks.append((seconds, rounds))
        wave = min(progress.samples - progress.resumed, self._concurrency)
        if not progress.samples or not rounds or rounds < wave:
            return None
        least, likely, most = (self._work(progress, unsettled, ends) for ends in (1.0, None, 0.0))
        if likely > APART * least or most > APART * likely:
            return None
        pace, until = self._pace(wave, seconds)
        return max(likely * pace - (seconds - until), 0.0)

    def _pace(self, wave: int, seconds: float) -> tuple[float, float]:
        """Seconds a round of late, and the moment until which that holds.

        Samples that go side by side, `wave` of them, end their rounds together: whole waves are looked at, and a pause
        that is no longer than one tells nothing.
        """
        until, rounds = self._looks[-1]
        lately = wave * max(min(rounds // 2, _LATELY) // wave, 1)
        while self._looks[1][1] <= rounds - lately:
            self._looks.popleft()
        since, before = self._looks[0]
        pace = (until - since) / (rounds - before)
        until = max(until, seconds - wave * pace)
        return (until - since) / (rounds - before), until

    def _work(self, progress: Progress, unsettled: int, ends: float | None) -> float:
        """The rounds that are still to be done.

        `ends` is the share of samples that are supposed to end after a round which none has finished yet, None for
        the share that ended after the round before.
        """
        to_come = self._to_come(progress, ends)
        under_way = {
            number: max(progress.finished[number] - progress.ended[number] - progress.finished[number + 1], 0)
            for number in range(1, self._rounds)
        }
        others = max(unsettled - sum(under_way.values()), 0)
        # Of samples that an earlier start began, nobody knows how far they are before they end a round in this one.
        hidden = min(progress.taken_up, others)
        of_hidden = (1 + to_come[0]) / 2 if ends is None else 1 if ends else to_come[0]
        known = sum(count * to_come[number] for number, count in under_way.items())
        return known + hidden * of_hidden + (others - hidden) * to_come[0]

    def _to_come(self, progress: Progress, ends: float | None) -> list[float]:
        """The rounds that a sample is to have after each round, the first number being for one that has had none."""
        going_on = [1.0]
        for number in range(1, self._rounds):
            supposed = 1 - going_on[-1] if ends is None else ends
            ended = progress.ended[number] + _WEIGHT * supposed
            going_on.append(1 - ended / (progress.finished[number] + _WEIGHT))
        to_come = [0.0]
        for share in reversed(going_on):
            to_come.append(share * (1 + to_come[-1]))
        return to_come[::-1]
