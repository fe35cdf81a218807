"""The shards scenario: a long run on Ray, a worker killed midway, and then all that people do with its folder."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.folder import OWNERS, shard_path, shards
from evolgraph.store.ownership import lock_of

from .family import Family
from .memory import drawn
from .processes import ROOT, mock, server_stats

_LOOK_S: Final = 1.0
_SEEN: Final = (
    "SELECT DISTINCT json_extract(s.images, '$[0]'), c.endpoint FROM calls c"
    " JOIN samples s ON s.run = c.run AND s.id = c.sample WHERE c.endpoint IS NOT NULL"
)
_NAMES: Final = {"ray::Coordinator": "coordinator", "ray::Worker": "worker", "evolgraph.cli": "command"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The work. A worker is killed `kills` times, evenly over the run; `limit` is that of an endpoint, in flight."""

    samples: int = 20_000
    rounds: int = 3
    workers: int = 2
    kills: int = 1
    endpoints: int = 1
    latency_ms: float = 20.0
    limit: int = 128
    reuse: int = 4


def sharded(plan: Plan, store: Path | None = None) -> dict[str, Any]:
    """Runs as `plan` says, in `store` or in a folder that goes away; gives one flat object of figures."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-shards-") as name:
        seeds = drawn(plan.samples, plan.reuse)
        folder = store or Path(name) / "shards"
        with ExitStack() as stack:
            urls = [stack.enter_context(mock(2 * plan.limit, plan.latency_ms)) for _ in range(plan.endpoints)]
            found = _Run(plan, seeds, folder, urls).figures()
        found |= _used(folder, Path(name))
    wrong = ("pending", "failed", "in_two_stores", "owned_elsewhere", "problems")
    sound = not any(found[one] for one in wrong) and found["most_in_flight"] <= plan.limit
    whole = {found["settled"], found["merged"], found["reported"]} == {plan.samples}
    return {"scenario": "shards", **asdict(plan), **found, "sound": sound and whole and found["exported"] > 0}


class _Run:
    """The command, looked at once a second until it ends."""

    def __init__(self, plan: Plan, seeds: Path, folder: Path, urls: Sequence[str]) -> None:
        self._plan, self._seeds, self._folder, self._urls = plan, seeds, folder, urls
        self._killed: list[float] = []

    def figures(self) -> dict[str, Any]:
        """What the command said, what its processes held, and what its stores hold."""
        plan = self._plan
        config = self._folder.with_suffix(".toml")
        tables = [f'[[endpoint]]\nurl = "{url}"\nmodel = "mock"\nmax_in_flight = {plan.limit}\n' for url in self._urls]
        config.write_text("\n".join(tables))
        words = ["evolve", str(self._seeds), "--json", "--engine", "ray", "--config", str(config), "--target", "10"]
        options = {"store": self._folder, "out": self._folder.with_suffix(".jsonl"), "patience": 0}
        options |= {"workers": plan.workers, "rounds": plan.rounds}
        words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "evolgraph.cli", *words]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            family = Family(process.pid, _NAMES)
            while process.poll() is None:
                self._look(family)
                time.sleep(_LOOK_S)
            assert process.stdout
            said = orjson.loads(process.stdout.read())
        names = ("reached", "exhausted", "stalled", "failed", "pending", "calls", "seconds", "cpu_ms_per_call")
        seen = [server_stats(url) for url in self._urls]
        return {
            **{name: said[name] for name in names},
            "requests": sum(one["calls"] for one in seen),
            "most_in_flight": max(one["most_in_flight"] for one in seen),
            "killed_at": self._killed,
            "memory_mb": family.figures(),
            **_held(self._folder),
            **_homes(self._folder),
        }

    def _look(self, family: Family) -> None:
        family.look()
        share = _settled(self._folder) / self._plan.samples
        if len(self._killed) < self._plan.kills and share > (len(self._killed) + 1) / (self._plan.kills + 1):
            number = len(self._killed) % self._plan.workers
            owner = orjson.loads(lock_of(shard_path(self._folder, number)).read_bytes())
            if "pid" in owner:  # else the worker is done
                os.kill(owner["pid"], signal.SIGKILL)
                self._killed.append(round(share, 3))


def _settled(folder: Path) -> int:
    return sum(_count(shard, "SELECT count(*) FROM settled") for shard in shards(folder))


def _count(shard: Path, sql: str) -> int:
    with suppress(StoreError), reading(shard) as db:  # a worker may be making it
        return db.execute(sql).fetchone()[0]
    return 0


def _held(folder: Path) -> dict[str, Any]:
    """What the stores together hold; how many samples two of them have, or one that is not the owner."""
    with closing(sqlite3.connect(folder / OWNERS)) as db:
        owners = dict(db.execute("SELECT sample, worker FROM owners"))
    where: list[tuple[str, int]] = []
    for number, shard in enumerate(shards(folder)):
        with reading(shard) as db:
            where += [(sample, number) for (sample,) in db.execute("SELECT sample FROM settled")]
    counts = Counter(sample for sample, _ in where)
    return {
        "settled": len(counts),
        "settled_by": [*Counter(number for _, number in sorted(where, key=lambda one: one[1])).values()],
        "in_two_stores": sum(count > 1 for count in counts.values()),
        "owned_elsewhere": sum(owners.get(sample) != number for sample, number in where),
        "calls_kept": sum(_count(shard, "SELECT count(*) FROM calls") for shard in shards(folder)),
        "shards_mb": round(sum(path.stat().st_size for path in shards(folder)) / 1e6, 1),
    }


def _homes(folder: Path) -> dict[str, int]:
    """How many images there were, and of how many all requests were answered by one endpoint alone."""
    seen: dict[str, set[str]] = {}
    for shard in shards(folder):
        with reading(shard) as db:
            for image, endpoint in db.execute(_SEEN):
                seen.setdefault(image, set()).add(endpoint)
    return {"images": len(seen), "images_at_one_endpoint": sum(len(urls) == 1 for urls in seen.values())}


def _used(folder: Path, place: Path) -> dict[str, Any]:
    """What the commands after the run say of the folder, and the seconds that each takes."""
    took: dict[str, float] = {}
    problems = _run(took, "check", "trace", "check", str(folder), "--json")["problems"]
    merged = _run(took, "merge", "merge", str(folder), "-o", str(place / "run.db"), "--json")
    written = place / "llava.json"
    _run(took, "export", "export", str(folder), "--format", "llava", "-o", str(written), "--json")
    report = _run(took, "report", "report", str(folder), "-o", str(place / "report.html"), "--json")
    return {
        "problems": len(problems),
        "merged": merged["samples"],
        "exported": len(orjson.loads(written.read_bytes())),
        "reported": report["samples"],
        "took_s": took,
    }


def _run(took: dict[str, float], name: str, *words: str) -> dict[str, Any]:
    started = time.monotonic()
    command = [sys.executable, "-m", "evolgraph.cli", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    took[name] = round(time.monotonic() - started, 1)
    return orjson.loads(done.stdout)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `sharded`, one a line."""
    return "\n".join(f"{name:18}{value}" for name, value in found.items())
