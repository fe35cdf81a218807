"""A run under way as Prometheus metrics: its live counters are read when somebody asks, and at no other time."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ..endpoints.lane import Sight
from ..endpoints.stats import Stats
from .looking import Look
from .outcome import STATUSES, Progress

Rows = Mapping[tuple[str, ...], float]
"""Values by those of the labels."""
_Make = Callable[[str, str, Rows, Sequence[str]], Metric]
_ENDPOINT: Final = ("endpoint", "model", "roles")


def registry_of(look: Callable[[], Look]) -> CollectorRegistry:
    """The metrics of the run that `look` tells of, and of this process. Counters are of this start."""
    registry = CollectorRegistry()
    registry.register(_RunCollector(look))
    ProcessCollector(namespace="evolgraph", registry=registry)
    return registry


class _RunCollector(Collector):
    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look

    def describe(self) -> list[Metric]:
        """Nothing: without this, registering would already collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        look = self._look()
        yield InfoMetricFamily("evolgraph_run", "The run.", value=look.about)
        yield GaugeMetricFamily("evolgraph_uptime_seconds", "Time since this start of the run began.", look.seconds)
        yield from _endpoints(look.lanes)
        yield from _calls(look.stats)
        yield from _progress(look.progress)
        yield GaugeMetricFamily(
            "evolgraph_store_writes_waiting", "Writes that wait for the store's writer or are under way.",
            look.writes_waiting,
        )  # fmt: skip
        if look.workers:
            yield from _workers(look.workers)


def _workers(told: Mapping[str, float]) -> Iterator[Metric]:
    yield _gauge("workers", "Workers of the run.", {(): told["number"]})
    yield _counter("worker_restarts", "Workers started anew after their process died.", {(): told["restarts"]})
    yield _counter("workers_cpu_seconds", "CPU time of the workers and their coordinator.", {(): told["cpu_seconds"]})


def _endpoints(lanes: Sequence[Sight]) -> Iterator[Metric]:
    kinds: Counter[tuple[str, ...]] = Counter()
    for lane in lanes:
        kinds.update({(*_labels(lane), kind): count for kind, count in lane.counts.kinds.items()})
    yield _counter(
        "requests_ended", "Requests by how they ended: ok, or a kind of failure.", kinds, (*_ENDPOINT, "kind")
    )
    made: tuple[tuple[_Make, str, str, Callable[[Sight], float]], ...] = (
        (_counter, "requests_sent", "Requests that went out, retries included.", lambda lane: lane.counts.sent),
        (_counter, "request_bytes", "Bytes of the requests that went out.", lambda lane: lane.counts.bytes_sent),
        (_gauge, "requests_in_flight", "Requests that hold a slot.", lambda lane: lane.in_flight),
        (_gauge, "requests_waiting", "Requests that wait here for a slot.", lambda lane: lane.waiting),
        (_gauge, "requests_limit", "Slots: the learned limit of requests in flight.", lambda lane: lane.limit),
    )
    for make, name, text, value in made:
        yield make(name, text, _summed(lanes, value), _ENDPOINT)
    down = {labels: float(count > 0) for labels, count in _summed(lanes, lambda lane: lane.down).items()}
    yield _gauge("endpoint_down", "1 while the endpoint is given up and only probed.", down, _ENDPOINT)


def _labels(lane: Sight) -> tuple[str, ...]:
    return lane.url, lane.model, lane.roles


def _summed(lanes: Sequence[Sight], value: Callable[[Sight], float]) -> Rows:
    """Values by endpoint. Several may share all labels, as an endpoint does that several workers ask: they are added
    up."""
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
