"""The soak scenario: one evolution for minutes. Memory, open files and bytes a sample must not grow meanwhile."""

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError

from .data import write_seeds
from .processes import ROOT, command, mock

_EVERY_S: Final = 1.0
_WARM_UP: Final = 0.2
"""The share of the time that counts as warm-up."""
_PARTS: Final = 8
"""The rest is compared in so many parts, by their medians."""
_MOST_DRIFT: Final = 0.1
_MOST_LOG_MB: Final = 64


@dataclass(frozen=True, slots=True)
class Soak:
    """How long, and how fast the mock is."""

    minutes: float = 10.0
    rounds: int = 3
    latency_ms: float = 100.0
    slots: int = 64


@dataclass(frozen=True, slots=True)
class Look:
    """What a process held at a moment: MB resident, files open, MB of its store (what is in the log included) and log;
    rounds closed."""

    rss_mb: float
    fds: int
    store_mb: float
    log_mb: float
    rounds: int


def soak(plan: Soak) -> dict[str, Any]:
    """Runs `plan`; gives one flat object of figures, with `flat` telling whether nothing grew."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-soak-") as name:
        folder = Path(name)
        # More than can be done: the time ends it.
        seeds = write_seeds(folder, int(plan.minutes * 60 * plan.slots / plan.latency_ms * 1000 / plan.rounds / 2) + 1)
        store = folder / "run.db"
        with mock(plan.slots, plan.latency_ms) as url:
            words = command(
                "benchmarks.evolving", url=url, seeds=seeds, concurrency=2 * plan.slots, store=store,
                rounds=plan.rounds, seconds=plan.minutes * 60,
            )  # fmt: skip
            with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
                looks = _looks(process, store)
                assert process.stdout
                ended = orjson.loads(process.stdout.read())
    return {"scenario": "soak", **asdict(plan), **_figures(plan, looks), **ended, "looks": len(looks)}


def _looks(process: subprocess.Popen[bytes], store: Path) -> list[Look]:
    looks: list[Look] = []
    while process.poll() is None:
        time.sleep(_EVERY_S)
        if (found := _look(process.pid, store)) is not None:
            looks.append(found)
    return looks


def _look(pid: int, store: Path) -> Look | None:
    """None while it begins or ends."""
    process, log = Path(f"/proc/{pid}"), store.with_name(store.name + "-wal")
    try:
        status = process.joinpath("status").read_text().splitlines()
        (resident,) = [line.split()[1] for line in status if line.startswith("VmRSS:")]
        fds = len(list(process.joinpath("fd").iterdir()))
        log_mb = log.stat().st_size / 1e6
        with reading(store) as db:
            (closed,) = db.execute("SELECT max(seq) FROM rewards").fetchone()
            ((pages,), (size,)) = (db.execute(f"PRAGMA page_{what}").fetchone() for what in ("count", "size"))
    except (OSError, ValueError, StoreError):
        return None
    return Look(int(resident) * 1024 / 1e6, fds, pages * size / 1e6, log_mb, closed) if closed else None


def _figures(plan: Soak, looks: Sequence[Look]) -> dict[str, Any]:
    """The medians of each part after the warm-up, and by how much the last differs from the first."""
    rest = looks[int(len(looks) * _WARM_UP) :]
    size = max(len(rest) // _PARTS, 1)
    parts = [rest[at : at + size] for at in range(0, size * _PARTS, size)]
    rss = [round(median(look.rss_mb for look in part), 1) for part in parts]
    fds = [median(look.fds for look in part) for part in parts]
    grown = [(part[-1].store_mb - part[0].store_mb, part[-1].rounds - part[0].rounds) for part in parts]
    kb = [round(1000 * mb * plan.rounds / max(rounds, 1), 2) for mb, rounds in grown]
    log = max(look.log_mb for look in looks)
    drifts = {"rss_drift": rss[-1] / rss[0] - 1, "fds_drift": fds[-1] / fds[0] - 1, "kb_drift": kb[-1] / kb[0] - 1}
    flat = log <= _MOST_LOG_MB and all(abs(drift) <= _MOST_DRIFT for drift in drifts.values())
    return {
        "flat": flat,
        **{name: round(drift, 4) for name, drift in drifts.items()},
        "rss_mb": rss,
        "fds": fds,
        "store_kb_per_sample": kb,
        "log_mb_max": round(log, 2),
    }


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `soak` as a few lines."""
    return "\n".join(
        [
            f"{found['minutes']:g} minutes, {found['calls']:,} calls, {found['exhausted']:,} samples settled",
            f"RSS MB            {found['rss_mb']}  ({found['rss_drift']:+.1%})",
            f"open files        {found['fds']}  ({found['fds_drift']:+.1%})",
            f"store KB a sample {found['store_kb_per_sample']}  ({found['kb_drift']:+.1%})",
            f"largest log MB    {found['log_mb_max']}",
            "flat" if found["flat"] else "NOT FLAT",
        ]
    )
