"""The engines scenario: the time of GPUs, with mock endpoints that spend it as serving engines do.

evolgraph as it is, beside the same run with round-robin in the place of affinity, with the original's order of prompts,
with a barrier before each round as the original has, and with all three. All make the same requests, which cost the
same to decode and are answered with the same verdicts.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .data import write_varied
from .engine import busy
from .processes import engines, measured, server_stats
from .regimes import VARIANTS

_LAST: Final = 0.05
"""The share of samples that is the tail."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evolved, and on what. Times are scaled by `scale`; all figures are told without it."""

    samples: int = 600
    rounds: int = 3
    endpoints: int = 4
    slots: int = 16
    cache_blocks: int = 8192
    concurrency: int = 128
    scale: float = 0.05
    variants: tuple[str, ...] = VARIANTS


def compare(plan: Plan) -> dict[str, Any]:
    """Runs all variants of `plan`, one after the other; gives one object of figures."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-engines-") as name:
        folder = Path(name)
        seeds = write_varied(folder, plan.samples)
        found = {variant: _measured(plan, variant, seeds, folder / f"{variant}.db") for variant in plan.variants}
    return {"scenario": "engines", **asdict(plan), **found}


def _measured(plan: Plan, variant: str, seeds: Path, store: Path) -> dict[str, Any]:
    with engines(plan.endpoints, plan.slots, plan.cache_blocks, plan.scale) as urls:
        ours = measured(
            "benchmarks.regimes", url=",".join(urls), seeds=seeds, store=store, rounds=plan.rounds, scale=plan.scale,
            samples=plan.samples, concurrency=plan.concurrency, variant=variant,
        )  # fmt: skip
        seen = [server_stats(url) for url in urls]
    return _figures(plan, ours, seen)


def _figures(plan: Plan, ours: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    intervals = [interval for one in seen for interval in one["intervals"]]
    began, settled = ours["began"], sorted(ours["settled"])
    end = settled[-1]
    tail = settled[-1 - round(len(settled) * _LAST)]
    slots = plan.endpoints * plan.slots
    seconds = (end - began) / plan.scale
    return {
        "seconds": round(seconds, 1),
        "calls": ours["calls"],
        "accepted": ours["accepted"],
        "failed": ours["failed"],
        "endpoint_s_per_accepted": round(plan.endpoints * seconds / ours["accepted"], 3),
        "cache_hit_share": round(_total(seen, "cached_tokens") / _total(seen, "prompt_tokens"), 4),
        "busy_share": round(busy(intervals, began, end) / (slots * (end - began)), 4),
        "tail_s": round((end - tail) / plan.scale, 1),
        "tail_busy_share": round(busy(intervals, tail, end) / (slots * (end - tail)), 4),
        "cpu_share": round(ours["cpu_s"] / ours["seconds"], 3),
    }


def _total(seen: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(one[name] for one in seen)


_ROWS: Final = (
    ("seconds", "seconds", "{:,.0f}"),
    ("calls", "calls", "{:,.0f}"),
    ("accepted pairs", "accepted", "{:,.0f}"),
    ("endpoint-seconds an accepted pair", "endpoint_s_per_accepted", "{:.2f}"),
    ("prompt tokens from the cache", "cache_hit_share", "{:.1%}"),
    ("slots busy", "busy_share", "{:.1%}"),
    ("seconds of the last 5% of samples", "tail_s", "{:.0f}"),
    ("slots busy meanwhile", "tail_busy_share", "{:.1%}"),
    ("evolgraph's share of a core", "cpu_share", "{:.2f}"),
)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `compare` as a small table."""
    variants = found["variants"]
    lines = [
        f"{found['samples']} samples x {found['rounds']} rounds, {found['endpoints']} endpoints of {found['slots']} "
        f"slots, {found['cache_blocks']} cached blocks each; measured at {1 / found['scale']:g} times the speed",
        f"{'':36}" + "".join(f"{variant:>16}" for variant in variants),
        *(
            f"{title:36}" + "".join(f"{form.format(found[variant][name]):>16}" for variant in variants)
            for title, name, form in _ROWS
        ),
    ]
    return "\n".join(lines)
