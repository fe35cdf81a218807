"""What the parts of a run on Ray tell each other: the plan, rows handed out, reports and orders."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..endpoints.endpoint import Endpoint
from ..endpoints.lane import Sight
from ..endpoints.pace import Heard
from ..endpoints.stats import Stats
from ..graph.feed import Feed
from ..graph.outcome import Progress
from ..graph.settings import Settings
from ..samples.embedded import kept_images
from ..samples.formats.reader import Rejected
from ..samples.sample import Sample
from ..store.folder import MERGED, shard_path

Counts = TypeVar("Counts", Progress, Stats)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as everybody who takes part in it is told; `folder` holds the stores and `workers` is their number."""

    seeds: Path
    folder: Path
    workers: int
    settings: Settings
    images: Path | None = None
    layout: str | None = None
    hosts: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    resume: bool = True

    def feed(self) -> Feed:
        """What reads the seeds."""
        kept = kept_images(self.folder / MERGED)
        return Feed(self.seeds, self.images, self.settings.limit, kept=kept, layout=self.layout, hosts=self.hosts)

    def shard(self, worker: int) -> Path:
        """The store of a worker."""
        return shard_path(self.folder, worker)

    def groups(self) -> list[tuple[str, ...]]:
        """The endpoints' URLs by what they do, as the pool groups them."""
        roles = dict.fromkeys(role for endpoint in self.endpoints for role in endpoint.roles)
        groups = [tuple(one.url for one in self.endpoints if role in one.roles) for role in roles]
        return [*dict.fromkeys(groups)]

    def settings_of_a_worker(self) -> Settings:
        """The settings without what is counted over all workers."""
        counted = ("limit", "budget_calls", "budget_tokens", "budget_seconds")
        return self.settings.model_copy(update=dict.fromkeys(counted))


@dataclass(frozen=True, slots=True)
class Handed:
    """A row of the seeds for one worker: its place, and the endpoints at which its image is at home."""

    position: int
    row: Sample | Rejected
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker has of an endpoint: requests in flight, those that wait too, and the limit that it has learned."""

    in_flight: int = 0
    wanted: int = 0
    limit: int = 0
    heard: Heard = field(default_factory=Heard)
    """What is told where all workers together find the limit out."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says, again and again. `settled` are the ids since its last report."""

    settled: list[str]
    progress: Progress
    stats: Stats
    loads: dict[str, Load]
    """By what `known_as` gives for an endpoint."""
    outages: list[str]
    """What the run waits for, in words."""
    down: list[str]
    """URLs of the endpoints that are down."""
    cpu_s: float
    """Seconds of CPU time of the worker's process since it began."""
    lanes: list[Sight]
    writes_waiting: int
    learned: dict[str, Any] | None = None
    """The statistics of a learning policy, of this worker's rewards alone; None when they are not told this time."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The answer to a report: what a worker may have of each endpoint, what others learned, and why to stop."""

    shares: dict[str, "Share"]
    back: list[str]
    """URLs of endpoints that are down here and have answered another worker."""
    learned: dict[str, Any] | None = None
    stop: str | None = None


class Share(NamedTuple):
    """A worker's part of an endpoint: the most requests in flight, out of the `limit` of all workers together."""

    part: int
    limit: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole run as far as the workers have told. `stop` is why it ends early, `restarts` of dead workers,
    `cpu_s` the CPU seconds of workers and coordinator, `seconds` those since the first worker began."""

    progress: Progress = field(default_factory=Progress)
    stats: Stats = field(default_factory=Stats)
    outages: tuple[str, ...] = ()
    restarts: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0
    lanes: tuple[Sight, ...] = ()
    writes_waiting: int = 0
    stop: str | None = None


def known_as(endpoint: Endpoint) -> str:
    """What an endpoint goes by among workers. Its roles may differ from those that it was given to begin with."""
    return f"{endpoint.url} {endpoint.model} {endpoint.sampling()}"


def added(kind: type[Counts], parts: list[Counts]) -> Counts:
    """The sum of counts: numbers and counters are added up, a flag holds when it holds for all."""
    total = kind()
    for name in (one.name for one in fields(kind)):
        start = getattr(total, name)
        values = [getattr(part, name) for part in parts]
        setattr(total, name, all(values) if isinstance(start, bool) else sum(values, start))
    return total
