"""The routing of a recorded run: as arrays for the estimators, and as contexts for the policies to judge."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...store.connections import reading
from ...store.routing import logged_rounds, seeds_until
from ...store.runs import newest_run
from ..policies.policy import Context, Policy, checked
from ..policies.registry import factories
from .collecting import Collected
from .log import Floats, Ints, Log, LogError, Tell, untold

_OFTEN: Final = 500


@dataclass(frozen=True)
class Recorded:
    """A run's log; `contexts` gives those of a sample's rounds, by the sample's place in the log.

    `left_out` samples had a round whose reward never came. `policies` are those that routed, with their rounds.
    """

    run: str
    log: Log
    contexts: Callable[[int], Sequence[Context]]
    left_out: int
    policies: Mapping[str, int]

    def targets(self, policy: Policy, tell: Tell = untold) -> Floats:
        """What `policy`, as it stands, would propose in every round of the log (n, T, K)."""
        return asyncio.run(self._proposed(policy, tell))

    async def _proposed(self, policy: Policy, tell: Tell) -> Floats:
        found = np.zeros(self.log.logged.shape)
        for at in range(self.log.samples):
            for number, context in enumerate(self.contexts(at)):
                vector = checked(await policy.propose(context), context.eligible, policy.name)
                found[at, number] = [vector.get(name, 0.0) for name in self.log.directions]
            if at % _OFTEN == 0:
                tell(f"asking {policy.name}", at, self.log.samples)
        return found

    def only(self, rows: NDArray[np.bool_]) -> "Recorded":
        """The samples of `rows` (n) alone."""
        places = np.nonzero(rows)[0]
        return replace(self, log=self.log.only(rows), contexts=lambda at: self.contexts(int(places[at])))

    @property
    def adaptive(self) -> list[str]:
        """Of the policies that routed, those that learn while they route (or are not known here)."""
        known = factories()
        names = {name.partition(" ")[0] for name in self.policies}
        return sorted(name for name in names if name not in known or _learns(known[name]))


def _learns(factory: object) -> bool:
    """Whether the policies that a class makes are learning ones."""
    return all(hasattr(factory, name) for name in ("state", "restore", "merge"))


def recorded(store: Path, tell: Tell = untold) -> Recorded:
    """The newest run in `store`. Raises StoreError, and LogError when it has no round of a settled sample."""
    collected = Collected(str(store))
    with reading(store) as db:
        run = newest_run(db)
        total = seeds_until(db, run.id) if run else 0
        for done, page in logged_rounds(db, run.id) if run else ():
            collected.add(page)
            tell("reading", done, total)
    if not run or not collected.samples + collected.left_out:
        raise LogError("holds no round of a settled sample", where=str(store), remedy="let a run settle some first")
    if not collected.samples:
        raise LogError("has no sample whose rewards are all known", where=str(store))
    return Recorded(run.id, collected.log(tell), collected.contexts.of, collected.left_out, dict(collected.policies))


def some_images(clusters: Ints, samples: int, seed: int) -> NDArray[np.bool_]:
    """Which samples are of random images that have at least `samples` together."""
    sizes = np.bincount(clusters)
    order = np.random.default_rng(seed).permutation(len(sizes))
    enough = int(np.searchsorted(sizes[order].cumsum(), samples)) + 1
    return np.isin(clusters, order[:enough])
