"""The parts scenario: CPU a call by parts of the program, and what progress and traces cost of it.

Runs with both on and with both off take turns; a third kind of run is looked at from inside (see `sampling`).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .data import write_seeds
from .processes import measured, mock


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evolved, on a mock that is fast enough to leave nothing to wait for."""

    samples: int = 200
    rounds: int = 3
    latency_ms: float = 200.0
    slots: int = 128
    pairs: int = 3


def parts(plan: Plan) -> dict[str, Any]:
    """Measures as `plan` says; gives one object of figures, milliseconds of CPU a call."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-parts-") as name:
        folder = Path(name)
        seeds = write_seeds(folder, plan.samples)
        looked = _run(plan, seeds, folder / "looked.db", "--parts")
        pairs = [
            (
                _cpu(_run(plan, seeds, folder / f"on-{number}.db")),
                _cpu(_run(plan, seeds, folder / f"off-{number}.db", "--silent")),
            )
            for number in range(plan.pairs)
        ]
    on, off = (round(median(side), 4) for side in zip(*pairs, strict=True))
    return {
        "scenario": "parts",
        **asdict(plan),
        "cpu_ms_per_call": on,
        "without_progress_and_traces": off,
        "progress_and_traces_share": round(1 - off / on, 4),
        "shares": [round(1 - silent / told, 4) for told, silent in pairs],
        "looked_at": round(_cpu(looked), 4),
        **{what: _each(looked[what], looked["calls"]) for what in ("parts", "threads", "places")},
    }


def _run(plan: Plan, seeds: Path, store: Path, *flags: str) -> dict[str, Any]:
    with mock(plan.slots, plan.latency_ms) as url:
        return measured(
            "benchmarks.evolving", *flags,
            url=url, seeds=seeds, concurrency=2 * plan.slots, store=store, rounds=plan.rounds,
        )  # fmt: skip


def _cpu(found: Mapping[str, Any]) -> float:
    return found["cpu_s"] * 1000 / found["calls"]


def _each(seconds: Mapping[str, float], calls: int) -> dict[str, float]:
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: round(value * 1000 / calls, 4) for name, value in ordered}


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `parts` as a small table."""
    lines = [
        f"{found['samples']} samples x {found['rounds']} rounds x 2 calls: {found['cpu_ms_per_call']:.3f} ms of CPU a "
        f"call, {found['without_progress_and_traces']:.3f} without progress and traces "
        f"({found['progress_and_traces_share']:.1%}; each of {found['pairs']} pairs: "
        + ", ".join(f"{share:.1%}" for share in found["shares"]) + ")",
        f"by parts, looked at from inside ({found['looked_at']:.3f} ms a call):",
        *(f"{name:28}{value:>8.3f}" for name, value in found["parts"].items()),
        *(f"{f'thread {name}':28}{value:>8.3f}" for name, value in found["threads"].items()),
        "most of it in:",
        *(f"{name:72}{value:>8.3f}" for name, value in found["places"].items()),
    ]  # fmt: skip
    return "\n".join(lines)
