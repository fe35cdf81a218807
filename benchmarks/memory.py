"""The memory scenario: what a run of many drawn samples holds at most, and how long it takes."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evolgraph.samples.drawn import draw

from .processes import measured, mock, server_stats

CACHE: Final = Path.home() / ".cache" / "evolgraph-benchmarks"
REUSE: Final = 50
"""Samples that share an image, unless told: drawing takes its time."""
_SLOTS: Final = 64
_LATENCY_MS: Final = 1.0


def drawn(samples: int, reuse: int = REUSE) -> Path:
    """The seed file of so many drawn samples, made once and kept outside the project."""
    folder = CACHE / f"drawn-{samples}-reuse-{reuse}"
    if not (folder / "seeds.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for _ in draw(samples, 0, folder, reuse):
            pass
    return folder / "seeds.json"


def memory(sizes: Sequence[int], seconds: float | None) -> dict[str, Any]:
    """Evolves as many drawn samples as each of `sizes` says for one round; gives one object of figures.

    Each run is stopped after `seconds`; then fewer samples are `settled` than its seeds are.
    """
    runs = [_run(samples, {"seconds": seconds} if seconds else {}) for samples in sizes]
    return {"scenario": "memory", "latency_ms": _LATENCY_MS, "runs": runs}


def _run(samples: int, limits: Mapping[str, float]) -> dict[str, Any]:
    seeds = drawn(samples)
    with tempfile.TemporaryDirectory(prefix="evolgraph-memory-") as name, mock(_SLOTS, _LATENCY_MS) as url:
        found = measured(
            "benchmarks.evolving", url=url, seeds=seeds, concurrency=2 * _SLOTS, store=Path(name) / "run.db", rounds=1,
            **limits,
        )  # fmt: skip
        seen = server_stats(url)
    return {
        "samples": samples,
        "settled": found["exhausted"] + found["failed"],
        "calls": found["calls"],
        "failed": found["failed"],
        "peak_rss_mb": round(found["peak_rss_mb"], 1),
        "seconds": round(found["seconds"], 1),
        "cpu_s": round(found["cpu_s"], 1),
        "mock_cpu_s": round(seen["cpu_s"], 1),
        "store_mb": round(found["store_bytes"] / 1e6, 1),
    }


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `memory` as a small table."""
    titles = ("samples", "settled", "calls", "peak RSS MB", "seconds", "CPU s", "store MB")
    lines = ["".join(f"{title:>12}" for title in titles)]
    for run in found["runs"]:
        counts = (run["samples"], run["settled"], run["calls"])
        used = (run["peak_rss_mb"], run["seconds"], run["cpu_s"], run["store_mb"])
        lines.append("".join([*(f"{count:>12,}" for count in counts), *(f"{value:>12,.1f}" for value in used)]))
    return "\n".join(lines)
