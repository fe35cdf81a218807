"""What `evolgraph policy` takes on a large log: seconds, and the memory of the process at its peak, on one core.

The log is written by the store's own writer, not by a run: samples of the process `staged` (graph/tuning/environments),
routed by `uniform`, with the features that a log of real questions has.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from evolgraph.graph.tuning.environments import DIRECTIONS, TARGET, Environment
from evolgraph.samples.vocabulary import FORMS
from evolgraph.store.store import Store

_RUN: Final = "logged"
_BATCH: Final = 2000
_SUBJECTS: Final = 8
"""Each kind of image is of so many, to give the log the most features that are used (60)."""
_POLICY: Final = "fixed:perception=2,reasoning=1,interaction=1"


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the log is (`reuse` samples share an image), and how many trials `tune` has."""

    samples: int = 163_000
    reuse: int = 2
    trials: int = 100
    seed: int = 0


def logs(plan: Plan, kept: Path | None = None) -> dict[str, Any]:
    """Seconds and peak MB of each command, and what it said; the store is made at `kept` unless it is there."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-logs-") as name:
        folder = Path(name)
        store = kept or folder / "run.db"
        if not store.exists():
            asyncio.run(fill(store, plan))
        tuned = str(folder / "tuned.toml")
        commands = {
            "evaluate fixed": ("evaluate", store, "--policy", _POLICY),
            "tune softmax": ("tune", store, "--trials", plan.trials, "-o", tuned),
            "evaluate tuned": ("evaluate", store, "--policy", tuned),
            "plot tuned": ("plot", store, "--policy", tuned, "-o", folder / "policies.html"),
        }
        found = {name: _measured([str(word) for word in words]) for name, words in commands.items()}
    return {"samples": plan.samples, "trials": plan.trials, "commands": found}


def _measured(words: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "evolgraph.cli", "policy", *words]
    started = time.perf_counter()
    with _on_one_core(), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "code": process.returncode,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_mb": round(used.ru_maxrss / 1024, 1),
        "said": said,
    }


@contextmanager
def _on_one_core() -> Iterator[None]:
    """What is started in the block has one core only. Linux only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


async def fill(path: Path, plan: Plan) -> None:
    """Writes the log to a new store at `path`."""
    environment = Environment("staged")
    rng = np.random.default_rng(plan.seed)
    uniform = np.full((len(environment.situations), len(DIRECTIONS)), 1 / len(DIRECTIONS))
    async with Store.open(path) as store:
        run = {"id": _RUN, "created_ns": 1, "fingerprint": {"policy": "uniform 1"}, "seed": plan.seed}
        await store.writer.insert({"runs": [run], "sessions": [{"id": 1, "run": _RUN, "started_ns": 1}]})
        for first in range(0, plan.samples, _BATCH):
            states, log = environment.simulate(uniform, min(_BATCH, plan.samples - first), rng)
            ways = zip(states.tolist(), log.actions.tolist(), log.signals["gain"].tolist(), strict=True)
            batch = [
                _rows(environment, first + at, plan.reuse, [*zip(*way, strict=True)], rng)
                for at, way in enumerate(ways)
            ]
            for table in ("samples", "decisions", "verdicts", "rewards", "settled"):
                await store.writer.insert({table: [row for rows in batch for row in rows[table]]})


Way = Sequence[tuple[int, int, float]]
"""By round: the situation, the direction, the gain; the situation is -1 after the end."""


def _rows(
    environment: Environment, number: int, reuse: int, way: Way, rng: np.random.Generator
) -> dict[str, list[dict[str, Any]]]:
    sample, image = f"sample-{number:06}", number // reuse
    key = {"run": _RUN, "sample": sample}
    images = [{"path": f"{image}.jpg", "sha256": f"{image:064x}", "width": 640, "height": 480}]
    content = {"id": sample, "images": images, "caption": "", "boxes": [], "topic": []}
    found: dict[str, list[dict[str, Any]]] = {"decisions": [], "verdicts": [], "rewards": []}
    looks = _looks(rng)
    score = 3
    for round_, (state, action, gain) in enumerate(way, 1):
        if state < 0:
            break
        seen = environment.situations[state].features() | next(looks)
        seen["kind"] = f"{seen['kind']} {number // reuse % _SUBJECTS}"
        place = key | {"round": round_}
        found["decisions"].append(place | _decision(DIRECTIONS[action], seen))
        found["verdicts"].append(place | _verdict(DIRECTIONS[action], score, round(gain)))
        found["rewards"].append(place | {"reward": gain / 9, "tokens": int(rng.integers(800, 1500)), "rewarded_ns": 1})
        score += round(gain)
    rounds = len(found["decisions"])
    status = "reached" if score >= TARGET else "exhausted"
    end = {"status": status, "rounds": rounds, "reason": "", "complexity_before": 3.0, "heads": [],
           "complexity_after": float(score), "settled_ns": number}  # fmt: skip
    seed = {"run": _RUN, "id": sample, "position": number, "digest": "d", "images": images, "sample": content}
    return found | {"samples": [seed], "settled": [key | end]}


def _looks(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """What questions look like, round by round: the features that the process does not depend on."""
    pixels, objects = round(float(rng.uniform(0.1, 2)), 3), float(rng.integers(1, 4))
    steps = 0.0
    while True:
        forms = sorted({FORMS[int(one)] for one in rng.integers(0, len(FORMS), 2)})
        yield {"megapixels": pixels, "objects": objects, "skills": float(rng.integers(1, 4)), "steps": steps,
               "forms": forms, "questions": 2}  # fmt: skip
        objects, steps = objects + float(rng.integers(0, 2)), steps + float(rng.integers(0, 3)) / 2


def _decision(direction: str, features: Mapping[str, Any]) -> dict[str, Any]:
    chance = 1 / len(DIRECTIONS)
    return {"direction": direction, "propensity": chance, "probabilities": dict.fromkeys(DIRECTIONS, chance),
            "eligible": [*DIRECTIONS], "features": dict(features), "feature_set": "v1", "uniform": 0.5,
            "policy": "uniform", "policy_version": "1", "decided_ns": 1}  # fmt: skip


def _verdict(direction: str, score: int, gain: int) -> dict[str, Any]:
    return {"qa": "q1", "direction": direction, "stage": "judge", "accepted": gain > 0,
            "code": "accepted" if gain else "not-improved", "reason": "It holds.", "score_before": score,
            "score_after": score + gain}  # fmt: skip


def shown(found: Mapping[str, Any]) -> str:
    """The figures as a table."""
    lines = [
        f"{found['samples']:,} samples, {found['trials']} trials",
        f"{'':16}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}",
    ]
    for name, row in found["commands"].items():
        lines.append(f"{name:16}{row['seconds']:9.1f}{row['cpu_s']:9.1f}{row['peak_rss_mb']:9.1f}")
    return "\n".join(lines)
