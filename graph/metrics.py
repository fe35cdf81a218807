"""A run under way as Prometheus metrics: its live counters are read when somebody asks, and at no other time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ..endpoints.lane import Lane
from ..endpoints.stats import Stats
from .outcome import STATUSES, Progress
from .run import Evolution

Rows = Mapping[tuple[str, ...], float]
"""Values by those of the labels."""
_Make = Callable[[str, str, Rows, Sequence[str]], Metric]
_ENDPOINT: Final = ("endpoint", "model", "roles")


def registry_of(run: Evolution) -> CollectorRegistry:
    """The metrics of `run` and of this process, for as long as the run is open. Counters are of this start."""
    registry = CollectorRegistry()
    registry.register(_RunCollector(run))
    ProcessCollector(namespace="evolgraph", registry=registry)
    return registry


class _RunCollector(Collector):
    def __init__(self, run: Evolution) -> None:
        self._run = run

    def describe(self) -> list[Metric]:
        """Nothing: without this, registering would already collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        run = self._run
        about = {"run": run.run.id, "policy": run.settings.policy, "seed": str(run.settings.seed)}
        yield InfoMetricFamily("evolgraph_run", "The run.", value=about)
        yield GaugeMetricFamily("evolgraph_uptime_seconds", "Time since this start of the run began.", run.seconds)
        yield from _endpoints(run.client.lanes)
        yield from _calls(run.client.stats)
        yield from _progress(run.progress)
        yield GaugeMetricFamily(
            "evolgraph_store_writes_waiting", "Writes that wait for the store's writer or are under way.",
            run.writes_waiting,
        )  # fmt: skip


def _endpoints(lanes: Sequence[Lane]) -> Iterator[Metric]:
    kinds: Counter[tuple[str, ...]] = Counter()
    for lane in lanes:
        kinds.update({(*_labels(lane), kind): count for kind, count in lane.counts.kinds.items()})
    yield _counter(
        "requests_ended", "Requests by how they ended: ok, or a kind of failure.", kinds, (*_ENDPOINT, "kind")
    )
    made: tuple[tuple[_Make, str, str, Callable[[Lane], float]], ...] = (
        (_counter, "requests_sent", "Requests that went out, retries included.", lambda lane: lane.counts.sent),
        (_counter, "request_bytes", "Bytes of the requests that went out.", lambda lane: lane.counts.bytes_sent),
        (_gauge, "requests_in_flight", "Requests that hold a slot.", lambda lane: lane.slots.in_flight),
        (_gauge, "requests_waiting", "Requests that wait here for a slot.", lambda lane: lane.slots.waiting),
        (_gauge, "requests_limit", "Slots: the learned limit of requests in flight.", lambda lane: lane.pace.limit),
        (_gauge, "endpoint_down", "1 while the endpoint is given up and only probed.", lambda lane: lane.down),
    )
    for make, name, text, value in made:
        yield make(name, text, _summed(lanes, value), _ENDPOINT)


def _labels(lane: Lane) -> tuple[str, ...]:
    return lane.endpoint.url, lane.endpoint.model, ",".join(lane.endpoint.roles)


def _summed(lanes: Sequence[Lane], value: Callable[[Lane], float]) -> Rows:
    """Values by lane. Lanes may share all labels, such as two chat models of one name: they are added up."""
    found: dict[tuple[str, ...], float] = {}
    for lane in lanes:
        found[_labels(lane)] = found.get(_labels(lane), 0) + value(lane)
    return found


def _calls(stats: Stats) -> Iterator[Metric]:
    failures = {(kind,): count for kind, count in stats.failures.items()}
    ended = {("ok",): stats.received - stats.failures.total(), **failures}
    yield _counter(
        "calls_ended", "Calls by what came of them after retries: ok, or a kind of failure.", ended, ("kind",)
    )
    for name, text, value in (
        ("calls_replayed", "Calls answered from the store instead of sent.", stats.replayed),
        ("retries", "Requests that were tried again.", stats.retries),
        ("repairs", "Replies that were sent back to be mended.", stats.repairs),
        ("prompt_tokens", "Prompt tokens, as the servers count them.", stats.prompt_tokens),
        ("cached_tokens", "Of the prompt tokens, those from a server's prefix cache.", stats.cached_tokens),
        ("image_tokens", "Of the prompt tokens, those of images, as far as servers tell.", stats.image_tokens),
        ("completion_tokens", "Completion tokens, as the servers count them.", stats.completion_tokens),
        ("unmetered_replies", "Replies whose tokens the server did not tell.", stats.unmetered),
    ):
        yield _counter(name, text, {(): value})


def _progress(progress: Progress) -> Iterator[Metric]:
    statuses = {(status,): float(progress.settled[status]) for status in STATUSES}
    pending = {("pending",): float(progress.seen - progress.done)}
    yield _gauge("samples", "Samples read so far, by status.", statuses | pending, ("status",))
    yield _gauge("samples_resumed", "Samples that earlier starts had settled.", {(): progress.resumed})
    yield _counter("rows_quarantined", "Rows of the seeds that could not be used.", {(): progress.quarantined})
    rounds = {(direction,): count for direction, count in progress.directions.items()}
    yield _counter("rounds", "Rounds that ended, by direction.", rounds, ("direction",))
    yield _counter(
        "pairs", "Pairs of parent and evolved question by what became of them.",
        progress.pairs, ("direction", "outcome", "code"),
    )  # fmt: skip


def _counter(name: str, text: str, rows: Rows, labels: Sequence[str] = ()) -> Metric:
    return _filled(CounterMetricFamily(f"evolgraph_{name}", text, labels=labels), rows)


def _gauge(name: str, text: str, rows: Rows, labels: Sequence[str] = ()) -> Metric:
    return _filled(GaugeMetricFamily(f"evolgraph_{name}", text, labels=labels), rows)


def _filled(metric: CounterMetricFamily | GaugeMetricFamily, rows: Rows) -> Metric:
    for labels, value in rows.items():
        metric.add_metric(labels, value)
    return metric
