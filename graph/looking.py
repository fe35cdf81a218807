"""A run under way as it is at a moment: what its metrics are made of, whether one process does it or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..endpoints.lane import Sight
from ..endpoints.stats import Stats
from .outcome import Progress
from .run import Evolution


@dataclass(frozen=True, slots=True)
class Look:
    """A run at a moment. `seconds` are those since this start began; all counts are of this start."""

    about: dict[str, str]
    seconds: float
    lanes: Sequence[Sight]
    """The endpoints; where several workers ask one, as each of them sees it."""
    stats: Stats
    progress: Progress
    writes_waiting: int
    """Writes that wait for the writers of the stores or are under way."""
    workers: Mapping[str, float] = field(default_factory=dict)
    """Of a run by several workers: their `number`, their `restarts` and their `cpu_seconds`."""


def look_at(run: Evolution) -> Look:
    """A run in this process, which is open."""
    about = {"run": run.run.id, "policy": run.settings.policy, "seed": str(run.settings.seed)}
    lanes = [lane.sight() for lane in run.client.lanes]
    return Look(about, run.seconds, lanes, run.client.stats, run.progress, run.writes_waiting)
