"""The workers scenario: one run on Ray by different numbers of workers, against a mock that is never the limit."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from evolgraph.store.connections import reading
from evolgraph.store.folder import shards

from .data import write_seeds
from .processes import ROOT, mock, server_stats

_SPAN = "SELECT count(*), min(started_ns), max(ended_ns) FROM calls"


@dataclass(frozen=True, slots=True)
class Plan:
    """The work, and the numbers of workers that take turns at it. `limit` is the endpoint's of requests in flight."""

    samples: int = 1000
    rounds: int = 3
    workers: tuple[int, ...] = (1, 2)
    turns: int = 3
    latency_ms: float = 20.0
    limit: int = 128


def workers(plan: Plan) -> dict[str, Any]:
    """Measures as `plan` says; gives one flat object, with a row for every run under `runs`."""
    runs = []
    with tempfile.TemporaryDirectory(prefix="evolgraph-workers-") as name:
        folder = Path(name)
        seeds = write_seeds(folder, plan.samples)
        for turn in range(plan.turns):
            runs += [_run(plan, seeds, number, folder / f"{turn}-{number}") for number in plan.workers]
    return {"scenario": "workers", **asdict(plan), "runs": runs}


def _run(plan: Plan, seeds: Path, number: int, store: Path) -> dict[str, Any]:
    with mock(2 * plan.limit, plan.latency_ms) as url:
        config = store.with_suffix(".toml")
        config.write_text(f'[[endpoint]]\nurl = "{url}"\nmodel = "mock"\nmax_in_flight = {plan.limit}\n')
        options = {"engine": "ray", "workers": number, "config": config, "store": store, "rounds": plan.rounds}
        options |= {"out": store.with_suffix(".jsonl"), "target": 10, "patience": 0}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "evolgraph.cli", "evolve", str(seeds), "--json", *words]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        found, seen = orjson.loads(done.stdout), server_stats(url)
    calls, began, ended = _span(store)
    return {
        "workers": number,
        "calls": calls,
        "calls_per_second": round(calls / (ended - began) * 1e9, 1),
        "cpu_ms_per_call": found["cpu_ms_per_call"],
        "most_in_flight": seen["most_in_flight"],
        "failed": found["failed"],
        "seconds": found["seconds"],
    }


def _span(store: Path) -> tuple[int, int, int]:
    """The calls of all workers, and the times of the first start and the last end: without the start of Ray."""
    spans = []
    for shard in shards(store):
        with reading(shard) as db:
            spans.append(db.execute(_SPAN).fetchone())
    counts, starts, ends = zip(*[span for span in spans if span[0]], strict=True)
    return sum(counts), min(starts), max(ends)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `workers` as a small table."""
    lines = [f"{'workers':>8}{'calls':>8}{'calls/s':>9}{'CPU ms a call':>15}{'most in flight':>16}"]
    lines += [
        f"{run['workers']:>8}{run['calls']:>8}{run['calls_per_second']:>9}{run['cpu_ms_per_call']:>15}"
        f"{run['most_in_flight']:>16.0f}"
        for run in found["runs"]
    ]
    return "\n".join(lines)
