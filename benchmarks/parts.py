"""The parts scenario: CPU a call by parts of the program, and what progress and traces cost of it.

One run is looked at from inside (see `sampling`); what progress and traces cost is told by runs that take turns.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from .data import write_seeds
from .processes import measured, mock


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evolved, on a mock that is fast enough to leave nothing to wait for."""

    samples: int = 200
    rounds: int = 3
    latency_ms: float = 50.0
    slots: int = 128
    turns: int = 20


def parts(plan: Plan) -> dict[str, Any]:
    """Measures as `plan` says; gives one object of figures, milliseconds of CPU a call."""
    common = {"concurrency": 2 * plan.slots, "rounds": plan.rounds}
    with tempfile.TemporaryDirectory(prefix="evolgraph-parts-") as name, mock(plan.slots, plan.latency_ms) as url:
        folder = Path(name)
        common |= {"url": url, "seeds": write_seeds(folder, plan.samples)}
        looked = measured("benchmarks.evolving", "--parts", store=folder / "looked.db", **common)
        taken = measured("benchmarks.turns", turns=plan.turns, **common)
    on, off = taken["on"], taken["off"]
    shares = [1 - silent / told for told, silent in zip(on, off, strict=True)]
    return {
        "scenario": "parts",
        **asdict(plan),
        "cpu_ms_per_call": round(median(on), 4),
        "without_progress_and_traces": round(median(off), 4),
        "progress_and_traces_share": round(median(shares), 4),
        "middle_half_of_shares": [round(edge, 4) for edge in quantiles(shares, n=4)[::2]],
        "looked_at": round(looked["cpu_s"] * 1000 / looked["calls"], 4),
        **{what: _each(looked[what], looked["calls"]) for what in ("parts", "threads", "places")},
    }


def _each(seconds: Mapping[str, float], calls: int) -> dict[str, float]:
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: round(value * 1000 / calls, 4) for name, value in ordered}


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `parts` as a small table."""
    low, high = found["middle_half_of_shares"]
    lines = [
        f"{found['samples']} samples x {found['rounds']} rounds x 2 calls: {found['cpu_ms_per_call']:.3f} ms of CPU a "
        f"call, {found['without_progress_and_traces']:.3f} without progress and traces; they cost "
        f"{found['progress_and_traces_share']:.1%} (median of {found['turns']} pairs; half of them {low:.1%} to "
        f"{high:.1%})",
        f"by parts, looked at from inside ({found['looked_at']:.3f} ms a call):",
        *(f"{name:28}{value:>8.3f}" for name, value in found["parts"].items()),
        *(f"{f'thread {name}':28}{value:>8.3f}" for name, value in found["threads"].items()),
        "most of it in:",
        *(f"{name:72}{value:>8.3f}" for name, value in found["places"].items()),
    ]  # fmt: skip
    return "\n".join(lines)
