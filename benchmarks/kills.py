"""The kill scenario: an evolution is killed at random moments until it is done, again and again.

What the server saw is compared with what the stores hold after every kill: a committed reply must never be asked for
again, and the results must be those of a run that nobody disturbed.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.samples.drawn import draw
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError

from .processes import ROOT, embedded, server_stats
from .sent import Committed

_AT_START: Final = 0.15
"""The share of kills that fall into a start, before its first request."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is killed. Several runs are made when one is done before the last kill."""

    kills: int = 20
    samples: int = 200
    rounds: int = 3
    latency_ms: float = 20.0
    seed: int = 0


@dataclass(slots=True)
class Tally:
    """What was found, over all runs. `in_flight` and `repeats` hold a number for each kill."""

    runs: int = 0
    kills: int = 0
    lost: int = 0
    settled_twice: int = 0
    settled_again: int = 0
    repeated_committed: int = 0
    different_exports: int = 0
    requests: int = 0
    maybe_billed: int = 0
    undisturbed_s: float = 0.0
    repeated_s: float = 0.0
    in_flight: list[int] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def kills(plan: Plan) -> dict[str, Any]:
    """Kills as `plan` says; gives one flat object of figures."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="evolgraph-kills-") as name:
        folder = Path(name)
        for _ in draw(plan.samples, plan.seed, folder):
            pass
        with embedded("--latency-ms", str(plan.latency_ms)) as url:
            started = time.monotonic()
            expected = _undisturbed(plan, folder / "undisturbed.db", url)
            tally.undisturbed_s = time.monotonic() - started
            # The model remembers its replies now: how long the work takes from here on tells when to kill.
            started = time.monotonic()
            _undisturbed(plan, folder / "again.db", url)
            tally.repeated_s = time.monotonic() - started
            while tally.kills < plan.kills:
                _Killed(plan, folder, url, tally).run(expected)
    return _figures(plan, tally)


def _figures(plan: Plan, tally: Tally) -> dict[str, Any]:
    lists = {"in_flight": tally.in_flight, "repeats": tally.repeats}
    found = {name: value for name, value in asdict(tally).items() if name not in lists}
    found |= {"problems": len(tally.problems), "first_problems": tally.problems[:5]}
    wrong = ("lost", "settled_twice", "settled_again", "repeated_committed", "different_exports", "problems")
    sums = {f"{name}_{how.__name__}": how(given) for name, given in lists.items() for how in (sum, max)}
    sound = not any(found[name] for name in wrong)
    return {"scenario": "kills", **asdict(plan), **found, **sums, "sound": sound, **lists}


def _command(plan: Plan, folder: Path, url: str, store: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "evolgraph.cli", "evolve", str(folder / "seeds.json"), "--json"),
        *("--store", str(store), "--out", str(store.with_suffix(".jsonl")), "--endpoint", url, "--model", "builtin"),
        *("--rounds", str(plan.rounds), "--seed", str(plan.seed)),
    ]


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _bodies(url: str) -> Counter[str]:
    """How often each body arrived, once all that was in flight is over."""
    while (stats := server_stats(url))["in_flight"]:
        time.sleep(0.02)
    return Counter({row["body"]: row["seen"] for row in stats["bodies"]})


def _undisturbed(plan: Plan, store: Path, url: str) -> bytes:
    _ended(_start(_command(plan, store.parent, url, store)))
    return store.with_suffix(".jsonl").read_bytes()


def _ended(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"a run ended with {process.returncode}: {said.decode(errors='replace')[-2000:]}")


class _Killed:
    """One run that is killed until it is done, or until there were enough kills."""

    def __init__(self, plan: Plan, folder: Path, url: str, tally: Tally) -> None:
        self.plan, self.url, self.tally = plan, url, tally
        self.rng = random.Random(f"{plan.seed} {tally.runs}")
        self.store = folder / f"killed-{tally.runs}.db"
        self.command = _command(plan, folder, url, self.store)
        self.committed = Committed(self.store, folder, Endpoint(url=url, model="builtin"))
        # So that the work left lasts for the kills that are left, or a good many of them.
        self.longest = 1.6 * tally.repeated_s / min(plan.kills, 25)
        self.seen = _bodies(url)
        self.before = self.seen.total()
        self.known = set[str]()
        self.held: set[str] = set()
        self.ends: dict[str, int] = {}

    def run(self, expected: bytes) -> None:
        """Kills, starts again, and compares the end with `expected`."""
        self.tally.runs += 1
        first = self.tally.kills
        while self.tally.kills < self.plan.kills and not self._is_done_before_the_kill():
            self.tally.kills += 1
            self._look(first)
        _ended(_start(self.command))
        self._look(first, killed=False)
        self.tally.requests += self.seen.total() - self.before
        with reading(self.store) as db:
            self.tally.maybe_billed += int(db.execute("SELECT total(maybe_billed) FROM calls").fetchone()[0])
        self.tally.different_exports += self.store.with_suffix(".jsonl").read_bytes() != expected
        self.tally.lost += self.plan.samples - len(self.ends)

    def _is_done_before_the_kill(self) -> bool:
        process = _start(self.command)
        if self.rng.random() < _AT_START:
            delay = self.rng.uniform(0, 1.5)
        else:
            before = self.seen.total()
            while server_stats(self.url)["requests"] == before and process.poll() is None:
                time.sleep(0.02)
            delay = self.rng.uniform(0, self.longest)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return process.returncode != -signal.SIGKILL

    def _look(self, first: int, *, killed: bool = True) -> None:
        """Compares what the server saw since the last look with what the store held then and holds now."""
        seen = _bodies(self.url)
        new = seen - self.seen
        self.tally.repeated_committed += sum(new[body] for body in self.held)
        if len(self.tally.repeats) > first:
            self.tally.repeats[-1] += sum(count - (body not in self.known) for body, count in new.items())
        self.held, self.seen = self._held(), seen
        self.known |= new.keys()
        if killed:
            self.tally.in_flight.append(sum(count for body, count in new.items() if body not in self.held))
            self.tally.repeats.append(0)
        self._settled()

    def _held(self) -> set[str]:
        try:
            return asyncio.run(self.committed.bodies())
        except StoreError as error:
            if error.kind != "open":  # killed before there was a store
                raise
            return set()

    def _settled(self) -> None:
        try:
            self.tally.problems += [f"kill {self.tally.kills}: {problem}" for problem in examine(self.store)]
            with reading(self.store) as db:
                rows = db.execute("SELECT sample, count(*), max(settled_ns) FROM settled GROUP BY sample").fetchall()
        except StoreError as error:
            if error.kind != "open":
                raise
            return
        self.tally.settled_twice += sum(count > 1 for _, count, _ in rows)
        now = {sample: when for sample, _, when in rows}
        self.tally.settled_again += sum(now.get(sample) != when for sample, when in self.ends.items())
        self.ends = now


_ROWS: Final = (
    ("kills, in runs", "{kills} in {runs}, of {samples} samples"),
    ("lost, settled twice or again", "{lost}, {settled_twice}, {settled_again}"),
    ("requests", "{requests}"),
    ("in flight at the kills", "{in_flight_sum} (at most {in_flight_max})"),
    ("repeated after the kills", "{repeats_sum} (at most {repeats_max})"),
    ("repeats of committed replies", "{repeated_committed}"),
    ("on record as maybe billed", "{maybe_billed}"),
    ("runs with other results", "{different_exports}"),
    ("problems by trace check", "{problems}"),
)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `kills` as a small table."""
    return "\n".join(f"{title:30}{form.format(**found)}" for title, form in _ROWS)
