"""Logged rounds, page by page, into arrays: what is kept of a round is its numbers and the text of its features."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
import orjson

from ...store.routing import LoggedRound
from ..features import FEATURE_SET
from ..policies.encoding import encode
from ..policies.policy import Context
from .log import SIGNALS, Log, LogError, Tell, untold

_MOST_FEATURES: Final = 60
_LEAST_ROWS: Final = 5
_OFTEN: Final = 500


class Contexts:
    """What policies saw, by sample: the features as JSON text in one piece, as objects they would take gigabytes."""

    def __init__(self) -> None:
        self._samples: list[str] = []
        self._firsts = array("q", [0])
        self._numbers = array("q")
        self._choices: dict[tuple[str, ...], int] = {}
        self._chosen_from = array("q")
        self._texts, self._ends = bytearray(), array("q", [0])

    def add(self, rounds: Sequence[LoggedRound]) -> None:
        """Takes the rounds of one sample."""
        self._samples.append(rounds[0].sample)
        for row in rounds:
            self._numbers.append(row.round)
            self._chosen_from.append(self._choices.setdefault(tuple(row.eligible), len(self._choices)))
            self._texts += row.features.encode()
            self._ends.append(len(self._texts))
        self._firsts.append(len(self._numbers))

    def __len__(self) -> int:
        return len(self._samples)

    def of(self, at: int) -> list[Context]:
        """The contexts of a sample's rounds, made anew each time."""
        choices = [*self._choices]
        return [
            Context(self._samples[at], self._numbers[row], choices[self._chosen_from[row]], seen, FEATURE_SET)
            for row, seen in enumerate(self.features(at), self._firsts[at])
        ]

    def features(self, at: int) -> list[dict[str, Any]]:
        """The features of a sample's rounds."""
        rows = range(self._firsts[at], self._firsts[at + 1])
        return [orjson.loads(self._texts[self._ends[row] : self._ends[row + 1]]) for row in rows]


class Collected:
    """The samples of a store (named in errors by `where`) whose rewards are all known.

    `left_out` counts the others; `policies` has the rounds of all by policy and version.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self.left_out = 0
        self.policies: Counter[str] = Counter()
        self.contexts = Contexts()
        self._images: dict[str, int] = {}
        self._clusters = array("q")
        self._sample, self._number, self._action = array("q"), array("q"), array("q")
        self._signals = {name: array("d") for name in SIGNALS}
        self._directions: dict[str, int] = {}
        self._logged: list[array[float]] = []
        self._eligible: list[array[int]] = []
        self._features: Counter[str] = Counter()

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self._clusters)

    def add(self, page: Sequence[LoggedRound]) -> None:
        """Takes whole samples, each one's rounds in order. Raises LogError for features that are not known."""
        self.policies.update(f"{row.policy} {row.policy_version}" for row in page)
        for _, group in groupby(page, key=lambda row: row.sample):
            rounds = [*group]
            if any(row.reward is None for row in rounds):
                self.left_out += 1
                continue
            for number, row in enumerate(rounds):
                self._round(number, row)
            self._clusters.append(self._images.setdefault(rounds[0].image, len(self._images)))
            self.contexts.add(rounds)

    def _round(self, number: int, row: LoggedRound) -> None:
        self._features.update([name for name, value in self._encoded(row).items() if value])
        for name in row.eligible:
            self._meet(name)
        agrees = abs(row.probabilities.get(row.direction, -1.0) - row.propensity) < 1e-6
        for name, place in self._directions.items():
            self._logged[place].append(row.probabilities.get(name, 0.0) if agrees else np.nan)
            self._eligible[place].append(name in row.eligible)
        self._sample.append(self.samples)
        self._number.append(number)
        self._action.append(self._meet(row.direction))
        for name, value in _signals(row).items():
            self._signals[name].append(value)

    def _encoded(self, row: LoggedRound) -> Mapping[str, float]:
        if row.feature_set != FEATURE_SET:
            raise LogError(f"has feature set {row.feature_set}, known is {FEATURE_SET}", where=self._where)
        try:
            return encode(orjson.loads(row.features))
        except (KeyError, TypeError, ValueError) as error:
            place = f"{self._where}, sample {row.sample}, round {row.round}"
            raise LogError(f"has features that are not of set {FEATURE_SET}: {error!r}", where=place) from error

    def _meet(self, direction: str) -> int:
        """The place of a direction; one that is new had no chance so far."""
        if direction not in self._directions:
            self._directions[direction] = len(self._directions)
            self._logged.append(array("d", bytes(8 * len(self._sample))))
            self._eligible.append(array("b", bytes(len(self._sample))))
        return self._directions[direction]

    def log(self, tell: Tell = untold) -> Log:
        """All that was added, as arrays."""
        places = (np.array(self._sample), np.array(self._number))
        shape = (self.samples, int(places[1].max()) + 1)

        def placed(values: Any, empty: float, kind: type) -> Any:
            found = np.full(shape, empty, dtype=kind)
            found[places] = np.array(values, dtype=kind)
            return found

        counts = self._features.most_common(_MOST_FEATURES + 1)
        names = tuple(name for name, count in counts if name != "bias" and count >= _LEAST_ROWS)[:_MOST_FEATURES]
        return Log(
            directions=tuple(self._directions),
            clusters=np.array(self._clusters),
            actions=placed(self._action, -1, np.int64),
            logged=np.stack([placed(column, 0, float) for column in self._logged], axis=-1),
            eligible=np.stack([placed(column, 0, bool) for column in self._eligible], axis=-1),
            signals={name: placed(column, 0, float) for name, column in self._signals.items()},
            features=self._matrix(shape, names, tell),
            feature_names=names,
        )

    def _matrix(self, shape: tuple[int, int], names: Sequence[str], tell: Tell) -> Any:
        """The features `names` (n, T, d); a round's lie together, as regressions go through them round by round."""
        found = np.zeros((shape[1], shape[0], len(names)))
        for at in range(shape[0]):
            for number, seen in enumerate(self.contexts.features(at)):
                encoded = encode(seen)
                found[number, at] = [encoded.get(name, 0.0) for name in names]
            if at % _OFTEN == 0:
                tell("taking features", at, shape[0])
        return found.swapaxes(0, 1)


def _signals(row: LoggedRound) -> dict[str, float]:
    offered = row.offered or 0
    return {
        "reward": np.nan if row.reward is None else row.reward,
        "accepted": row.accepted or 0,
        "offered": offered,
        "gain": (row.gain or 0.0) / max(offered, 1),
        "tokens": np.nan if row.tokens is None else row.tokens,
    }
