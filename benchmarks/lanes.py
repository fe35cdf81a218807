"""The lanes scenario: servers of unlike capacity that tell only their queues; how busy does one run keep each of them?

One of them is killed midway and started again a little later. The samples that were begun must all come to their end.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from evolgraph.endpoints.queues import read_queue
from evolgraph.samples.drawn import draw
from evolgraph.store.check import examine
from evolgraph.store.connections import reading

from .processes import ROOT

_LOOK_S: Final = 0.5
_EXIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Servers by their capacities, and the seconds of each part of the measurement."""

    capacities: tuple[int, ...] = (8, 16, 32, 64)
    latency_ms: float = 1000.0
    warm_up_s: float = 20.0
    measured_s: float = 60.0
    dead_s: float = 10.0
    samples: int = 3000
    scenes: int = 8
    """Drawn ones: each photograph among them serves many samples, in images of other bytes."""
    concurrency: int = 256


@dataclass(slots=True)
class Server:
    """An embedded server as a process, looked at from outside."""

    capacity: int
    latency_ms: float
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    looks: list[tuple[float, float]] = field(default_factory=list)
    """When it was looked at (monotonic seconds), and how many requests it ran then."""

    def start(self) -> None:
        """Starts it, on the port that it had before."""
        given = {"port": self.port, "latency-ms": self.latency_ms, "capacity": self.capacity}
        options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "benchmarks.remembering", "--same-texts", "--exit-with-stdin", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.port = int(orjson.loads(self.process.stdout.readline())["url"].rpartition(":")[2].partition("/")[0])

    def kill(self) -> None:
        """Kills it without a word."""
        assert self.process
        self.process.kill()
        self.process.wait(_EXIT_S)

    def stop(self) -> None:
        """Ends it in order."""
        if self.process and self.process.poll() is None and self.process.stdin:
            self.process.stdin.close()
            self.process.wait(_EXIT_S)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def look(self) -> None:
        """Notes how many requests it runs; one that does not answer is not noted."""
        try:
            with urllib.request.urlopen(self.url.removesuffix("/v1") + "/metrics", timeout=5) as response:
                queue = read_queue(response.read().decode())
        except OSError:
            return
        if queue:
            self.looks.append((time.monotonic(), queue.running))

    def busy(self, start: float, end: float) -> float:
        """The mean share of its capacity that was in use from `start` to `end`."""
        seen = [running for when, running in self.looks if start <= when < end]
        return round(statistics.fmean(seen) / self.capacity, 3) if seen else 0.0


def lanes(plan: Plan) -> dict[str, Any]:
    """Measures as `plan` says; gives one flat object of figures."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-lanes-") as name, ExitStack() as stack:
        folder = Path(name)
        _draw(plan, folder)
        servers = [Server(capacity, plan.latency_ms) for capacity in plan.capacities]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        stack.enter_context(_looking(servers))
        return _measured(plan, folder, servers)


def _draw(plan: Plan, folder: Path) -> None:
    """Seeds whose photographs return under other names, so that four servers' processes have little to think about.

    Every image gets a comment of its own: to the pool and to the servers it is an image that they have not seen.
    """
    for _ in draw(plan.scenes, 0, folder):
        pass
    drawn = [row for row in orjson.loads((folder / "seeds.json").read_bytes()) if row["image"].endswith(".jpg")]
    rows = []
    for number in range(plan.samples):
        row = drawn[number % len(drawn)]
        image = (folder / row["image"]).read_bytes()
        comment = b"%06d" % number
        name = f"images/{number:06d}.jpg"
        (folder / name).write_bytes(image[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + image[2:])
        rows.append(row | {"id": f"sample-{number:06d}", "image": name})
    (folder / "seeds.json").write_bytes(orjson.dumps(rows))


@contextmanager
def _looking(servers: list[Server]) -> Iterator[None]:
    ended = threading.Event()

    def look(server: Server) -> None:
        while not ended.wait(_LOOK_S):
            server.look()

    threads = [threading.Thread(target=look, args=(server,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _measured(plan: Plan, folder: Path, servers: list[Server]) -> dict[str, Any]:
    store = folder / "run.db"
    run = subprocess.Popen(_command(plan, folder, servers, store), cwd=ROOT, stdout=subprocess.PIPE)
    try:
        start = time.monotonic() + plan.warm_up_s
        _until(start + plan.measured_s)
        busy = [server.busy(start, start + plan.measured_s) for server in servers]
        victim = servers[-2]
        victim.kill()
        _until(time.monotonic() + plan.dead_s)
        victim.start()
        again = time.monotonic() + plan.warm_up_s
        _until(again + plan.measured_s)
        busy_after = [server.busy(again, again + plan.measured_s) for server in servers]
        run.terminate()
        said, _ = run.communicate(timeout=_EXIT_S)
    finally:
        run.kill()
        run.wait()
    summary = orjson.loads(said)
    return {
        "scenario": "lanes", **asdict(plan), "busy": busy, "busy_after_restart": busy_after,
        "killed": victim.capacity, "calls": summary["calls"], "failed": summary["failed"],
        "lost": _lost(store), "problems": [str(problem) for problem in examine(store)],
    }  # fmt: skip


def _command(plan: Plan, folder: Path, servers: list[Server], store: Path) -> list[str]:
    named = [word for server in servers for word in ("--endpoint", server.url, "--model", "builtin")]
    return [
        *(sys.executable, "-m", "evolgraph.cli", "evolve", str(folder / "seeds.json"), "--json", *named),
        *("--policy", "cycle"),
        *("--store", str(store), "--out", str(store.with_suffix(".jsonl")), "--concurrency", str(plan.concurrency)),
    ]


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _lost(store: Path) -> int:
    """Calls that ended without a reply: a killed server's must have been made again."""
    with reading(store) as db:
        (count,) = db.execute("SELECT count(*) FROM calls WHERE kind NOT IN ('ok', 'cut-off')").fetchone()
    return count


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `lanes` as a small table."""
    rows = zip(found["capacities"], found["busy"], found["busy_after_restart"], strict=True)
    lines = [f"{'capacity':>10}{'busy':>8}{'after':>8}"]
    lines += [
        f"{capacity:>10}{busy:>8.1%}{after:>8.1%}" + ("  killed and restarted" if capacity == found["killed"] else "")
        for capacity, busy, after in rows
    ]
    lost = f"{found['lost']} calls without a reply, {found['failed']} samples failed"
    return "\n".join([*lines, f"{found['calls']} calls, {lost}, {len(found['problems'])} problems by trace check"])
