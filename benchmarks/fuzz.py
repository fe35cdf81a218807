"""Mutated seed files, tables and images are read in a child of limited memory and time: no traceback, no hang."""

import select
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from .processes import ROOT, command


@dataclass(frozen=True, slots=True)
class Fuzz:
    """How long, from which number on, and what one input may take."""

    seconds: float = 600.0
    seed: int = 0
    limit_s: float = 10.0
    memory_mb: int = 4000


@dataclass(slots=True)
class _Tally:
    inputs: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    tracebacks: list[str] = field(default_factory=list)
    died: list[int] = field(default_factory=list)
    hung: list[int] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: int = -1

    def add(self, number: int, found: dict[str, Any]) -> None:
        self.inputs[found["kind"]] += 1
        if trace := found.get("traceback"):
            self.tracebacks.append(f"input {number}: {trace}")
            return
        self.told.update(set(found["told"]))
        if found["seconds"] > self.slowest_s:
            self.slowest_s, self.slowest = found["seconds"], number


def fuzz(plan: Fuzz) -> dict[str, Any]:
    """Reads mutated inputs for `plan.seconds`; what was told of them, and what went wrong."""
    tally, number = _Tally(), plan.seed * 10_000_000
    started = time.monotonic()
    while (left := plan.seconds - (time.monotonic() - started)) > 0:
        number = _child(plan, tally, number, time.monotonic() + left)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "inputs": tally.inputs.total(),
        "by_kind": dict(tally.inputs),
        "sound": tally.told.pop("sound", 0),
        "kinds_of_errors": len(tally.told),
        "commonest": dict(tally.told.most_common(25)),
        "slowest_s": round(tally.slowest_s, 3),
        "slowest_input": tally.slowest,
        "tracebacks": tally.tracebacks[:10],
        "died": tally.died,
        "hung": tally.hung,
        "clean": not (tally.tracebacks or tally.died or tally.hung),
    }


def _child(plan: Fuzz, tally: _Tally, number: int, until: float) -> int:
    """Gives numbers to one child until the time is over or it is lost; the next number."""
    words = command("benchmarks.mutating", memory_mb=plan.memory_mb)
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        # Its start is not an input's time.
        allowed = 60.0
        while time.monotonic() < until:
            child.stdin.write(f"{number}\n".encode())
            child.stdin.flush()
            ready, _, _ = select.select([child.stdout], [], [], allowed)
            line = child.stdout.readline() if ready else b""
            if not line:
                (tally.died if ready else tally.hung).append(number)
                child.kill()
                return number + 1
            tally.add(number, orjson.loads(line))
            number, allowed = number + 1, plan.limit_s
        child.stdin.close()
    return number


def shown(found: dict[str, Any]) -> str:
    """`found` for a person."""
    kinds = "\n".join(f"  {count:7}  {told}" for told, count in found["commonest"].items())
    return (
        f"{found['inputs']} inputs in {found['seconds']} s ({found['by_kind']}), {found['sound']} sound; "
        f"{found['kinds_of_errors']} kinds of errors, slowest {found['slowest_s']} s (input {found['slowest_input']})\n"
        f"{kinds}\n{len(found['tracebacks'])} tracebacks, {len(found['died'])} died, {len(found['hung'])} hung"
        + "".join(f"\n{trace}" for trace in found["tracebacks"][:3])
    )
