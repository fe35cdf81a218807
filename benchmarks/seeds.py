"""The seeds scenario: how soon a long JSON file gives its first call, and what reading all of it takes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .data import write_long_seeds
from .processes import ROOT, measured, mock, server_stats

_POLL_S: Final = 0.01
_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows of the long file and of the short one that its memory is compared with."""

    rows: int = 163_000
    few: int = 1_000
    most_first_call_s: float = 2.0
    most_grown_mb: float = 40.0


def seeds(plan: Plan) -> dict[str, Any]:
    """Runs `plan`; gives one flat object of figures. `flat` tells that memory grew by the ids and little more."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-seeds-") as name:
        folder = Path(name)
        path = write_long_seeds(folder, plan.rows)
        first = _first_call(path, folder)
        few = measured("benchmarks.reading", seeds=path, rows=plan.few)
        all_ = measured("benchmarks.reading", seeds=path, rows=plan.rows)
        size = path.stat().st_size
    grown = all_["peak_rss_mb"] - few["peak_rss_mb"]
    return {
        "scenario": "seeds",
        **asdict(plan),
        "file_mb": size / 1e6,
        "first_call_s": first,
        "prompt": first <= plan.most_first_call_s,
        "read_s": all_["seconds"],
        "rows_per_s": all_["rows"] / all_["seconds"],
        "rss_few_mb": few["peak_rss_mb"],
        "rss_all_mb": all_["peak_rss_mb"],
        "grown_mb": grown,
        "flat": grown <= plan.most_grown_mb,
    }


def _first_call(path: Path, folder: Path) -> float:
    """Seconds from the start of `evolgraph evolve` to the first request that a server sees."""
    script = Path(sys.executable).with_name("evolgraph")
    with mock(64, 500) as url:
        words = [script, "evolve", path, "--endpoint", url, "--model", "mock", "--store", folder / "run.db",
                 "--out", folder / "out.jsonl"]  # fmt: skip
        started = time.monotonic()
        with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ}) as process:
            while not server_stats(url)["calls"] and process.poll() is None and time.monotonic() - started < _WAIT_S:
                time.sleep(_POLL_S)
            took = time.monotonic() - started
            process.send_signal(signal.SIGINT)
    return took


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `seeds` as a few lines."""
    return "\n".join(
        [
            f"{found['rows']:,} rows, {found['file_mb']:.0f} MB: first call after {found['first_call_s']:.2f} s",
            f"read in {found['read_s']:.1f} s, {found['rows_per_s']:,.0f} rows a second",
            f"peak RSS {found['rss_few_mb']:.0f} MB for {found['few']:,} rows, {found['rss_all_mb']:.0f} MB for all",
            "prompt and flat" if found["prompt"] and found["flat"] else "NOT PROMPT OR NOT FLAT",
        ]
    )
