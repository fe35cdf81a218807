"""The throughput scenario: evolgraph and the bare loop make the same number of calls to the same kind of mock."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from .bodies import bodies
from .data import write_seeds
from .processes import measured, mock, server_stats

ENOUGH: Final = 0.9
"""The share of the capacity that the bare loop has to reach; where it does not, the machine was busy otherwise."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How much work, and how fast the mock is: its capacity is `slots / latency` calls a second."""

    samples: int = 400
    rounds: int = 3
    latency_ms: float = 200.0
    slots: int = 128
    pairs: int = 5
    """How often evolgraph and the bare loop are run, in turns."""

    @property
    def calls(self) -> int:
        """Calls of one run: an evolve and a judge call a round."""
        return self.samples * self.rounds * 2

    @property
    def capacity(self) -> float:
        """Calls a second that the mock can answer."""
        return self.slots / self.latency_ms * 1000


def throughput(work: Workload) -> dict[str, Any]:
    """Measures `work`; gives one flat object of figures, medians over the pairs, with every pair's under `runs`.

    Pairs in which the bare loop stays below `ENOUGH` are `discarded`; the medians are over all if none is left.
    """
    runs = []
    with tempfile.TemporaryDirectory(prefix="evolgraph-benchmark-") as name:
        folder = Path(name)
        seeds = write_seeds(folder, work.samples)
        ready = folder / "bodies.jsonl"
        ready.write_bytes(b"\n".join(asyncio.run(bodies(seeds))))
        for number in range(work.pairs):
            runs.append(_pair(work, seeds, ready, folder / f"run-{number}.db"))
    good = [run for run in runs if run["bare_efficiency"] >= ENOUGH]
    middle = {name: median(run[name] for run in good or runs) for name in runs[0]}
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in middle.items()}
    counts = {"capacity": work.capacity, "discarded": len(runs) - len(good)}
    return {"scenario": "throughput", **asdict(work), **counts, **rounded, "runs": runs}


def _pair(work: Workload, seeds: Path, ready: Path, store: Path) -> dict[str, float]:
    flight = 2 * work.slots
    with mock(work.slots, work.latency_ms) as url:
        bare = measured("benchmarks.bare", url=url, seeds=seeds, concurrency=flight, bodies=ready, calls=work.calls)
        bare_seen = server_stats(url)
    with mock(work.slots, work.latency_ms) as url:
        ours = measured(
            "benchmarks.evolving", url=url, seeds=seeds, concurrency=flight, store=store, rounds=work.rounds
        )
        seen = server_stats(url)
    return _figures(work, ours, seen) | {
        f"bare_{name}": value for name, value in _rates(work, bare, bare_seen).items()
    } | _ratios(work, ours, bare)  # fmt: skip


def _figures(work: Workload, ours: Mapping[str, Any], seen: Mapping[str, float]) -> dict[str, float]:
    names = ("accepted", "rejected", "exhausted", "failed")
    size = ours["store_bytes"] / (work.samples * work.rounds)
    return _rates(work, ours, seen) | {name: ours[name] for name in names} | {"store_bytes_per_sample_round": size}


def _rates(work: Workload, one: Mapping[str, Any], seen: Mapping[str, float]) -> dict[str, float]:
    calls, seconds = one["calls"], one["seconds"]
    return {
        "calls": calls,
        "seconds": seconds,
        "calls_per_second": calls / seconds,
        "efficiency": calls / seconds / work.capacity,
        "cpu_ms_per_call": one["cpu_s"] * 1000 / calls,
        "peak_rss_mb": one["peak_rss_mb"],
        "request_kb": seen["received_bytes"] / seen["calls"] / 1000,
        "mock_calls": seen["calls"],
        "mock_most_in_flight": seen["most_in_flight"],
        "mock_cpu_ms_per_call": seen["cpu_s"] * 1000 / seen["calls"],
    }


def _ratios(work: Workload, ours: Mapping[str, Any], bare: Mapping[str, Any]) -> dict[str, float]:
    cpu = (ours["cpu_s"] / ours["calls"]) / (bare["cpu_s"] / bare["calls"])
    speed = (ours["calls"] / ours["seconds"]) / (bare["calls"] / bare["seconds"])
    return {"efficiency_of_bare": speed, "cpu_of_bare": cpu}


_ROWS = (
    ("calls", "calls", "{:,.0f}"),
    ("seconds", "seconds", "{:.2f}"),
    ("calls/s", "calls_per_second", "{:.1f}"),
    ("efficiency", "efficiency", "{:.3f}"),
    ("CPU ms a call", "cpu_ms_per_call", "{:.3f}"),
    ("peak RSS MB", "peak_rss_mb", "{:.0f}"),
    ("request KB", "request_kb", "{:.1f}"),
    ("mock: most in flight", "mock_most_in_flight", "{:.0f}"),
    ("mock: CPU ms a call", "mock_cpu_ms_per_call", "{:.3f}"),
)


def table(found: Mapping[str, Any]) -> str:
    """The figures of `throughput` as a small table."""
    lines: Sequence[str] = [
        f"{found['samples']} samples x {found['rounds']} rounds x 2 calls, {found['pairs']} pair(s), of which "
        f"{found['discarded']} discarded; mock: {found['slots']} slots, {found['latency_ms']:g} ms, "
        f"{found['capacity']:.0f} calls/s",
        f"{'':22}{'evolgraph':>12}{'bare loop':>12}",
        *(
            f"{title:22}{form.format(found[name]):>12}{form.format(found[f'bare_{name}']):>12}"
            for title, name, form in _ROWS
        ),
        f"evolgraph / bare: throughput {found['efficiency_of_bare']:.3f}, CPU a call {found['cpu_of_bare']:.2f}",
        f"store: {found['store_bytes_per_sample_round'] / 1000:.1f} KB a sample-round",
    ]
    return "\n".join(lines)
