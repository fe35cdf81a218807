"""The seeds scenario: how soon a long JSON file gives its first call, and what reading all of it takes.

The package's bytecode is there when times are taken, as after an installation.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .data import write_long_seeds
from .processes import ROOT, measured, mock, server_stats

_POLL_S: Final = 0.01
_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows of the long file, of the part of it that its memory is compared with, and of those that are evolved."""

    rows: int = 163_000
    few: int = 1_000
    limit: int = 200
    most_first_call_s: float = 2.0
    """Beyond what a file of ten rows takes, which is the start-up."""
    most_grown_mb: float = 40.0


def seeds(plan: Plan) -> dict[str, Any]:
    """Runs `plan`; gives one flat object of figures. `flat` tells that memory grew by the ids and little more."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-seeds-") as name:
        folder = Path(name)
        path, few_path, ten = (
            write_long_seeds(folder / part, rows) for part, rows in (("all", plan.rows), ("few", plan.few), ("ten", 10))
        )
        _first_call(ten)  # leaves the bytecode
        start, first = _first_call(ten), _first_call(path)
        few = measured("benchmarks.reading", seeds=path, rows=plan.few)
        all_ = measured("benchmarks.reading", seeds=path, rows=plan.rows)
        evolved = [_evolved_mb(each, plan.limit) for each in (few_path, path)]
        size = path.stat().st_size
    grown = all_["peak_rss_mb"] - few["peak_rss_mb"]
    return {
        "scenario": "seeds",
        **asdict(plan),
        "file_mb": size / 1e6,
        "first_call_s": first,
        "start_up_s": start,
        "prompt": first - start <= plan.most_first_call_s,
        "read_s": all_["seconds"],
        "rows_per_s": all_["rows"] / all_["seconds"],
        "rss_few_mb": few["peak_rss_mb"],
        "rss_all_mb": all_["peak_rss_mb"],
        "grown_mb": grown,
        "evolve_few_mb": evolved[0],
        "evolve_all_mb": evolved[1],
        "flat": max(grown, evolved[1] - evolved[0]) <= plan.most_grown_mb,
    }


@contextmanager
def _evolving(path: Path, url: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`evolgraph evolve` over `path` with a store of its own."""
    script = Path(sys.executable).with_name("evolgraph")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(prefix="evolgraph-seeds-") as folder:
        words = [script, "evolve", path, "--endpoint", url, "--model", "mock", "--store", f"{folder}/run.db",
                 "--out", f"{folder}/out.jsonl", *more]  # fmt: skip
        quiet = subprocess.DEVNULL
        with subprocess.Popen(words, cwd=ROOT, stdout=quiet, stderr=quiet, env=env) as process:
            yield process


def _first_call(path: Path) -> float:
    """Seconds from the start of `evolgraph evolve` to the first request that a server sees."""
    with mock(64, 500) as url:
        started = time.monotonic()
        with _evolving(path, url) as process:
            while not server_stats(url)["calls"] and process.poll() is None and time.monotonic() - started < _WAIT_S:
                time.sleep(_POLL_S)
            took = time.monotonic() - started
            process.send_signal(signal.SIGINT)
    return took


def _evolved_mb(path: Path, limit: int) -> float:
    """The most memory in MB (10^6 bytes) of `evolgraph evolve --limit` over `path`."""
    with mock(64, 1) as url, _evolving(path, url, "--limit", str(limit), "--rounds", "1") as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_maxrss / 1e3 if sys.platform == "linux" else used.ru_maxrss / 1e6


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `seeds` as a few lines."""
    first = f"{found['first_call_s']:.2f} s, of ten rows after {found['start_up_s']:.2f} s"
    return "\n".join(
        [
            f"{found['rows']:,} rows, {found['file_mb']:.0f} MB: first call after {first}",
            f"read in {found['read_s']:.1f} s, {found['rows_per_s']:,.0f} rows a second",
            f"peak RSS {found['rss_few_mb']:.0f} MB for {found['few']:,} rows, {found['rss_all_mb']:.0f} MB for all",
            f"peak RSS of evolve --limit {found['limit']}: {found['evolve_few_mb']:.0f} MB over a file of "
            f"{found['few']:,} rows, {found['evolve_all_mb']:.0f} MB over all",
            "prompt and flat" if found["prompt"] and found["flat"] else "NOT PROMPT OR NOT FLAT",
        ]
    )
