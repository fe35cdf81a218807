"""What looking costs: how long the grid takes over many samples, and what a viewer does to the run's commits."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from evolgraph.store.connections import reading
from evolgraph.store.store import Store
from evolgraph.viewer.asked import Asked
from evolgraph.viewer.overview import overview
from evolgraph.viewer.samples import samples

RUN: Final = "benchmark"
_DIRECTIONS: Final = ("perception", "reasoning", "interaction")
_BATCH: Final = 2000
_POLL_S: Final = 0.2
_QUERIES: Final = {
    "first page": {},
    "last page": {"page": "last"},
    "rejected": {"verdict": "rejected"},
    "falling gain": {"sort": "-gain"},
    "reasoning in round 2, by tokens": {"direction": "reasoning", "round": "2", "sort": "-tokens"},
    "text": {"text": "window 77"},
    "everything": {"verdict": "rejected", "code": "not-correct", "score_from": "5", "text": "car", "sort": "-calls"},
}


def viewing(count: int, commits: int) -> dict[str, Any]:
    """Milliseconds of each grid query over `count` samples, and of commits with and without a viewer attached."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "run.db"
        asyncio.run(_fill(store, count))
        grid = _grid(store, count)
        written = asyncio.run(_commits(store, commits, count))
    alone, watched = written["alone"]["p99_ms"], written["watched"]["p99_ms"]
    return {
        "samples": count,
        "grid_ms": grid,
        "grid_worst_ms": max(one["median"] for name, one in grid.items() if name != "overview"),
        "commits": commits,
        **written,
        "p99_ratio": round(watched / alone, 2),
    }


async def _fill(path: Path, count: int) -> None:
    async with Store.open(path) as store:
        run = {"id": RUN, "created_ns": 1, "fingerprint": {"policy": "uniform"}, "seed": 0}
        await store.writer.insert({"runs": [run], "sessions": [{"id": 1, "run": RUN, "started_ns": 1}]})
        for first in range(0, count, _BATCH):
            batch = [_rows(number) for number in range(first, min(first + _BATCH, count))]
            for table in ("samples", "decisions", "verdicts", "rewards", "calls", "settled"):
                await store.writer.insert({table: [row for rows in batch for row in rows[table]]})


def _rows(number: int) -> dict[str, list[dict[str, Any]]]:
    """A settled sample of three rounds with two questions."""
    sample = f"sample-{number:06}"
    key = {"run": RUN, "sample": sample}
    images = [{"path": f"{number % 1000}.jpg", "sha256": f"{number % 1000:064}", "width": 640, "height": 480}]
    caption = f"A car before a window {number}. " * 4
    content = {"id": sample, "images": images, "caption": caption, "boxes": [], "topic": []}
    seed = {"run": RUN, "id": sample, "position": number, "digest": "d", "images": images, "sample": content}
    rounds = [(one, _DIRECTIONS[(number + one * one) % 3]) for one in (1, 2, 3)]
    odds = dict.fromkeys(_DIRECTIONS, 1 / 3)
    decisions = [
        key | {"round": one, "direction": direction, "propensity": 1 / 3, "probabilities": odds, "eligible": [],
               "features": {}, "feature_set": "v1", "uniform": 0.5, "policy": "uniform", "policy_version": "1",
               "decided_ns": number}
        for one, direction in rounds
    ]  # fmt: skip
    verdicts = [
        key | {"round": one, "qa": qa, "direction": direction, "stage": "judge", "accepted": (number + one) % 5 > 0,
               "code": "accepted" if (number + one) % 5 else "not-correct", "reason": "It holds. " * 8,
               "score_after": 5}
        for one, direction in rounds for qa in ("q1", "q2")
    ]  # fmt: skip
    rewards = [key | {"round": one, "reward": 0.1, "tokens": 100, "rewarded_ns": number} for one, _ in rounds]
    calls = [_call(sample, number, one, agent) for one, direction in rounds for agent in (direction, "judge")]
    end = {"status": "exhausted", "rounds": 3, "reason": "", "complexity_before": 2.0, "heads": [],
           "complexity_after": 4 + number % 50 / 10, "settled_ns": number}  # fmt: skip
    return {"samples": [seed], "decisions": decisions, "verdicts": verdicts, "rewards": rewards, "calls": calls,
            "settled": [key | end]}  # fmt: skip


def _call(sample: str, number: int, round_: int, agent: str) -> dict[str, Any]:
    return {
        "run": RUN, "sample": sample, "key": f"{sample}/{round_}/{agent}", "round": round_, "agent": agent, "step": 0,
        "take": 0, "model": "m", "kind": "ok" if number % 100 else "timeout", "text": "x" * 600,
        "prompt_tokens": 1500 + number % 300, "completion_tokens": 300, "endpoint": "http://127.0.0.1:8000/v1",
        "attempts": 1, "http_status": 200, "started_ns": number * 10**7, "ended_ns": number * 10**7 + 10**9,
        "messages": [["user", []]],
    }  # fmt: skip


def _grid(store: Path, count: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, query in _QUERIES.items():
        asked = {key: str(count // 50) if value == "last" else value for key, value in query.items()}
        found[name] = _timed(store, samples, asked)
    found["overview"] = _timed(store, overview, {})
    return found


def _timed(store: Path, build: Callable[[Asked], Any], query: dict[str, str]) -> dict[str, float]:
    """Milliseconds to open the store, ask and encode; each time as if nobody had asked before."""
    times = []
    for _ in range(7):
        started = time.perf_counter()
        with reading(store) as db:
            orjson.dumps(build(Asked(db, RUN, query)))
        times.append((time.perf_counter() - started) * 1000)
    return {"median": round(statistics.median(times), 1), "max": round(max(times), 1)}


async def _commits(path: Path, commits: int, count: int) -> dict[str, Any]:
    """Commits of a sample each, in turns without and with a viewer whose pages are asked for all the time."""
    times: dict[str, list[float]] = {"alone": [], "watched": []}
    async with Store.open(path) as store:
        number = count
        for turn in range(8):
            name = ("alone", "watched")[turn % 2]
            async with _watched(path) if name == "watched" else _nobody():
                for _ in range(commits // 8):
                    rows = _rows(number)
                    started = time.perf_counter()
                    await store.writer.insert(rows)
                    times[name].append((time.perf_counter() - started) * 1000)
                    await asyncio.sleep(0.002)
                    number += 1
    return {
        name: {
            "median_ms": round(statistics.median(each), 2),
            "p99_ms": round(statistics.quantiles(each, n=100)[98], 2),
        }
        for name, each in times.items()
    }


@asynccontextmanager
async def _nobody() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _watched(path: Path) -> AsyncIterator[None]:
    """A viewer in a process of its own, and a browser's worth of requests to it."""
    code = "import sys; from evolgraph.cli.main import main; main()"
    words = [sys.executable, "-c", code, "view", str(path), "--port", "0", "--no-browser"]
    child = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert child.stdout
    url = (await child.stdout.readline()).decode().strip()
    asking = asyncio.create_task(_ask(url))
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        child.terminate()
        await child.wait()


async def _ask(url: str) -> None:
    """What two open pages ask for while a run goes on."""
    async with aiohttp.ClientSession() as session:
        while True:
            for page in ("pulse.json", "overview", "samples?sort=-gain"):
                async with session.get(f"{url}runs/{RUN}/{page}") as answer:
                    await answer.read()
            await asyncio.sleep(_POLL_S)


def shown(found: dict[str, Any]) -> str:
    """The figures as lines."""
    lines = [f"{found['samples']:,} samples"]
    lines += [f"{one['median']:>8.1f} ms  {name}" for name, one in found["grid_ms"].items()]
    lines.append(f"commit p99: {found['alone']['p99_ms']} ms alone, {found['watched']['p99_ms']} ms watched")
    return "\n".join(lines)
