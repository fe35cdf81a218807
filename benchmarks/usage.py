"""What a measured process has used, and the options that all of them take."""

import argparse
import gc
import resource
import time
from pathlib import Path


def cpu_seconds() -> float:
    """CPU seconds of this process, all threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mb() -> float:
    """The most memory this process has had resident, in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's peak would include what the parent had resident when it started us
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6  # bytes on macOS


class Used:
    """Wall and CPU time from now on."""

    def __init__(self) -> None:
        self._started, self._cpu = time.perf_counter(), cpu_seconds()

    def figures(self) -> dict[str, float]:
        """Seconds and CPU seconds so far, and the process's peak memory in MB."""
        seconds, cpu = time.perf_counter() - self._started, cpu_seconds() - self._cpu
        return {"seconds": seconds, "cpu_s": cpu, "peak_rss_mb": peak_rss_mb()}


def freeze() -> None:
    """Spares the collector what is there already: modules stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def options(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with what every measured process is told."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--url", required=True, help="the mock's base URL")
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, required=True, help="calls or samples in flight")
    return parser
