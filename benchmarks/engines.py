"""The engines scenario: the time of GPUs, with mock endpoints that spend it as serving engines do.

evolgraph as it is, beside the same run with round-robin in the place of affinity, with the original's order of prompts,
with a barrier before each round as the original has, and with all three. All make the same requests, which cost the
same to decode and are answered with the same verdicts. Time is virtual, so no figure depends on the machine.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .data import write_varied
from .engine import busy
from .processes import measured
from .regimes import VARIANTS

_LAST: Final = 0.05
"""The share of samples that is the tail."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evolved, and on what."""

    samples: int = 600
    rounds: int = 3
    endpoints: int = 4
    slots: int = 16
    cache_blocks: int = 8192
    concurrency: int = 128
    variants: tuple[str, ...] = VARIANTS


def compare(plan: Plan) -> dict[str, Any]:
    """Runs all variants of `plan`, one after the other; gives one object of figures."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-engines-") as name:
        folder = Path(name)
        seeds = write_varied(folder, plan.samples)
        found = {variant: _measured(plan, variant, seeds, folder / f"{variant}.db") for variant in plan.variants}
    return {"scenario": "engines", **asdict(plan), **found}


def _measured(plan: Plan, variant: str, seeds: Path, store: Path) -> dict[str, Any]:
    ours = measured(
        "benchmarks.regimes", variant=variant, seeds=seeds, store=store, samples=plan.samples, rounds=plan.rounds,
        engines=plan.endpoints, slots=plan.slots, cache_blocks=plan.cache_blocks, concurrency=plan.concurrency,
    )  # fmt: skip
    seen = ours["engines"]
    intervals = [interval for one in seen for interval in one["intervals"]]
    began, settled = ours["began"], sorted(ours["settled"])
    end = settled[-1]
    tail = settled[-1 - round(len(settled) * _LAST)]
    slots = plan.endpoints * plan.slots
    seconds = end - began
    return {
        "seconds": round(seconds, 1),
        "calls": ours["calls"],
        "accepted": ours["accepted"],
        "failed": ours["failed"],
        "endpoint_s_per_accepted": round(plan.endpoints * seconds / ours["accepted"], 3),
        "cache_hit_share": round(_total(seen, "cached_tokens") / _total(seen, "prompt_tokens"), 4),
        "busy_share": round(busy(intervals, began, end) / (slots * (end - began)), 4),
        "tail_s": round(end - tail, 1),
        "tail_busy_share": round(busy(intervals, tail, end) / (slots * (end - tail)), 4),
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
)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `compare` as a small table."""
    variants = found["variants"]
    lines = [
        f"{found['samples']} samples x {found['rounds']} rounds, {found['endpoints']} endpoints of {found['slots']} "
        f"slots, {found['cache_blocks']} cached blocks each, {found['concurrency']} samples in flight; virtual time",
        f"{'':36}" + "".join(f"{variant:>16}" for variant in variants),
        *(
            f"{title:36}" + "".join(f"{form.format(found[variant][name]):>16}" for variant in variants)
            for title, name, form in _ROWS
        ),
    ]
    return "\n".join(lines)
