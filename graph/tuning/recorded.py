"""The routing of a recorded run: as arrays for the estimators, and as contexts for the policies to judge."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from ...store.connections import reading
from ...store.routing import LoggedRound, logged_rounds
from ...store.runs import newest_run
from ..features import FEATURE_SET
from ..policies.encoding import encode
from ..policies.policy import Context, Policy, checked
from ..policies.registry import factories
from .log import Floats, Ints, Log, LogError

_MOST_FEATURES: Final = 60
_LEAST_ROWS: Final = 5


@dataclass(frozen=True)
class Recorded:
    """A run's log with the contexts of its rounds, (n) lists of up to T.

    `left_out` samples had a round whose reward never came. `policies` are those that routed, with their rounds.
    """

    run: str
    log: Log
    contexts: list[list[Context]]
    left_out: int
    policies: dict[str, int]

    def targets(self, policy: Policy) -> Floats:
        """What `policy`, as it stands, would propose in every round of the log (n, T, K)."""
        return self.some(policy, np.arange(self.log.samples))

    def some(self, policy: Policy, rows: Ints) -> Floats:
        """What `policy` would propose for the samples in `rows` (m): (m, T, K)."""
        return asyncio.run(self._some(policy, rows))

    async def _some(self, policy: Policy, rows: Ints) -> Floats:
        found = np.zeros((len(rows), *self.log.logged.shape[1:]))
        for row, at in enumerate(rows):
            for number, context in enumerate(self.contexts[at]):
                vector = checked(await policy.propose(context), context.eligible, policy.name)
                found[row, number] = [vector.get(name, 0.0) for name in self.log.directions]
        return found

    @property
    def adaptive(self) -> list[str]:
        """Of the policies that routed, those that learn while they route (or are not known here)."""
        known = factories()
        names = {name.partition(" ")[0] for name in self.policies}
        return sorted(name for name in names if name not in known or _learns(known[name]))


def _learns(factory: object) -> bool:
    """Whether the policies that a class makes are learning ones."""
    return all(hasattr(factory, name) for name in ("state", "restore", "merge"))


def recorded(store: Path) -> Recorded:
    """The newest run in `store`. Raises StoreError, and LogError when it has no round of a settled sample."""
    with reading(store) as db:
        run = newest_run(db)
        rows = logged_rounds(db, run.id) if run else []
    if not run or not rows:
        raise LogError("holds no round of a settled sample", where=str(store), remedy="let a run settle some first")
    strange = {row.feature_set for row in rows} - {FEATURE_SET}
    if strange:
        raise LogError(f"has feature set {min(strange)}, known is {FEATURE_SET}", where=str(store))
    samples = [list(rounds) for _, rounds in groupby(rows, key=lambda row: row.sample)]
    whole = [rounds for rounds in samples if all(row.reward is not None for row in rounds)]
    if not whole:
        raise LogError("has no sample whose rewards are all known", where=str(store))
    policies = Counter(f"{row.policy} {row.policy_version}" for row in rows)
    contexts = [
        [Context(row.sample, row.round, tuple(row.eligible), row.features, row.feature_set) for row in rounds]
        for rounds in whole
    ]
    return Recorded(run.id, _log(whole), contexts, len(samples) - len(whole), dict(policies))


def _log(samples: Sequence[Sequence[LoggedRound]]) -> Log:
    directions = tuple(dict.fromkeys(name for rounds in samples for row in rounds for name in row.eligible))
    images = {image: number for number, image in enumerate(dict.fromkeys(rounds[0].image for rounds in samples))}
    shape = (len(samples), max(map(len, samples)))
    names = _feature_names([row for rounds in samples for row in rounds])
    log = Log(
        directions=directions,
        clusters=np.array([images[rounds[0].image] for rounds in samples]),
        actions=np.full(shape, -1),
        logged=np.zeros((*shape, len(directions))),
        signals={name: np.zeros(shape) for name in ("reward", "accepted", "offered", "gain", "tokens")},
        features=np.zeros((*shape, len(names))),
        feature_names=names,
    )
    for at, rounds in enumerate(samples):
        for number, row in enumerate(rounds):
            _fill(log, (at, number), row)
    return log


def _fill(log: Log, place: tuple[int, int], row: LoggedRound) -> None:
    log.actions[place] = log.directions.index(row.direction)
    vector = [row.probabilities.get(name, 0.0) for name in log.directions]
    agrees = abs(row.probabilities.get(row.direction, -1.0) - row.propensity) < 1e-6
    log.logged[place] = vector if agrees else np.nan
    offered = row.offered or 0
    brought = {
        "reward": row.reward,
        "accepted": row.accepted or 0,
        "offered": offered,
        "gain": (row.gain or 0.0) / max(offered, 1),
        "tokens": np.nan if row.tokens is None else row.tokens,
    }
    for name, value in brought.items():
        log.signals[name][place] = value
    encoded = encode(row.features)
    log.features[place] = [encoded.get(name, 0.0) for name in log.feature_names]


def _feature_names(rows: Sequence[LoggedRound]) -> tuple[str, ...]:
    """The commonest features that some rounds have, without the constant one."""
    counts = Counter(name for row in rows for name, value in encode(row.features).items() if value)
    del counts["bias"]
    return tuple(name for name, count in counts.most_common(_MOST_FEATURES) if count >= _LEAST_ROWS)
