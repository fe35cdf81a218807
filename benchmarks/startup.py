"""The start-up scenario: how long the command line takes to say anything, and to evolve ten samples."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from .data import write_seeds
from .processes import ROOT, mock

_SAMPLES: Final = 10


def startup(times: int) -> dict[str, Any]:
    """Starts `evolgraph --help` `times` times, and a run of ten samples; gives one object of figures, in seconds."""
    bare = [_seconds([sys.executable, "-c", "pass"], ROOT) for _ in range(times)]
    helped = [_seconds([*_evolgraph(), "--help"], ROOT) for _ in range(times)]
    with tempfile.TemporaryDirectory(prefix="evolgraph-startup-") as name, mock(64, 1.0) as url:
        folder = Path(name)
        seeds = write_seeds(folder / "seeds", _SAMPLES)
        words = [*_evolgraph(), "evolve", str(seeds), "--endpoint", url, "--model", "mock", "--rounds", "1"]
        run = _seconds(words, folder)
    return {
        "scenario": "startup",
        "times": times,
        "help_s": round(median(helped), 3),
        "help_s_least": round(min(helped), 3),
        "python_s": round(median(bare), 3),
        "ten_samples_s": round(run, 3),
    }


def _evolgraph() -> list[str]:
    """The command that is installed."""
    return [str(Path(sys.executable).with_name("evolgraph"))]


def _seconds(words: list[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(words, cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - started


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `startup` as lines."""
    least = f"least {found['help_s_least']:.3f}, Python alone {found['python_s']:.3f}"
    return "\n".join(
        [
            f"evolgraph --help: {found['help_s']:.3f} s (median of {found['times']}, {least})",
            f"a run of {_SAMPLES} samples, one round: {found['ten_samples_s']:.2f} s",
        ]
    )
