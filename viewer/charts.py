"""The geometry of a report's charts. Colours and type are its style sheet's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plot:
    """A field of `width` and `height` with `count` places side by side, and values from `low` to `high` upwards."""

    width: float
    height: float
    count: int
    low: float
    high: float

    def x(self, index: float) -> float:
        """The middle of place `index`; the first and last lie on the edges."""
        return round(self.width * index / max(self.count - 1, 1), 1)

    def y(self, value: float) -> float:
        """Where `value` lies."""
        return round(self.height * (1 - (value - self.low) / ((self.high - self.low) or 1)), 1)

    def path(self, values: Sequence[float | None], first: int = 0) -> str:
        """The `d` of a path through `values`, from place `first` on; None leaves a gap."""
        parts, pen = [], "M"
        for index, value in enumerate(values, first):
            if value is None:
                pen = "M"
                continue
            parts.append(f"{pen}{self.x(index)} {self.y(value)}")
            pen = "L"
        return " ".join(parts)

    @property
    def ticks(self) -> list[float]:
        """Some round values between `low` and `high`."""
        return ticks(self.low, self.high)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values between `low` and `high`: `about` so many, in steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    if rough <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.99)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def room(values: Sequence[float | None], least: float) -> tuple[float, float]:
    """Bounds that leave some air around `values`: at least `least` apart, never below 0."""
    known = [value for value in values if value is not None] or [0.0]
    low, high = min(known), max(known)
    air = max((high - low) * 0.18, (least - (high - low)) / 2, 0)
    return max(low - air, 0), high + air


@dataclass(frozen=True, slots=True)
class Ranks:
    """A field for counts by rank, both on logarithmic scales; rank 1 lies on the left edge, count 1 on the lower."""

    width: float
    height: float
    ranks: int
    top: int

    def x(self, rank: float) -> float:
        """Where a rank, from 1 on, lies."""
        return round(self.width * math.log(rank) / math.log(max(self.ranks, 2)), 1)

    def y(self, count: float) -> float:
        """Where a count, from 1 on, lies."""
        return round(self.height * (1 - math.log(count) / math.log(max(self.top, 2))), 1)

    def path(self, counts: Sequence[int]) -> str:
        """The `d` of a path through falling `counts`."""
        return " ".join(
            f"{'L' if rank > 1 else 'M'}{self.x(rank)} {self.y(count)}" for rank, count in enumerate(counts, 1)
        )

    def powers(self, top: int) -> list[int]:
        """1, 10, 100, ... and up to `top`; also 2 and 5 of each where there are few."""
        factors = (1, 2, 5) if top < 100 else (1,)
        return [f * 10**power for power in range(len(str(top))) for f in factors if f * 10**power <= top]
