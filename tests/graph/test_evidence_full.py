"""Runs whose evidence is a model's too, and that a panel judges, against the embedded model over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from evolgraph.endpoints.builtin.faults import parse_fault
from evolgraph.endpoints.builtin.server import Options, serve
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.errors import EndpointError
from evolgraph.graph import Settings, Summary, evolve
from evolgraph.graph.identity import RunError
from evolgraph.samples.drawn import draw
from evolgraph.samples.sample import Sample
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.lineage import settled_records

FULL = Settings(rounds=1, seed=3, policy="fixed:reasoning=1", evidence="full")


@asynccontextmanager
async def serving(*faults: str) -> AsyncIterator[str]:
    urls: asyncio.Queue[str] = asyncio.Queue()
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(Options(faults=tuple(map(parse_fault, faults))), urls.put_nowait, stopped))
        try:
            yield await urls.get()
        finally:
            stopped.set()


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    folder = tmp_path_factory.mktemp("drawn")
    return folder, list(draw(2, 7, folder))


def at(url: str, **changes: Any) -> Endpoint:
    return Endpoint(**({"url": url, "model": "builtin", "timeout_s": 60} | changes))


async def evolved(
    seeds: tuple[Path, list[Sample]], store: Path, endpoints: Sequence[Endpoint], settings: Settings
) -> Summary:
    folder, samples = seeds
    async with evolve(samples, store=store, images=folder, endpoints=endpoints, settings=settings) as run:
        async for _ in run:
            pass
        summary = await run.summary()
    assert list(map(str, examine(store))) == []
    return summary


def query(store: Path, text: str) -> list[Any]:
    with reading(store) as db:
        return db.execute(text).fetchall()


def results(store: Path) -> list[Any]:
    with reading(store) as db:
        (run,) = db.execute("SELECT id FROM runs").fetchone()
        return [(one["id"], one["status"], one["qas"]) for one in settled_records(db, run)]


async def test_a_run_that_stops_amid_its_evidence_goes_on_without_paying_twice(
    seeds: tuple[Path, list[Sample]], tmp_path: Path
) -> None:
    async with serving() as url:
        clean = await evolved(seeds, tmp_path / "clean.db", [at(url)], FULL)
        shown = query(tmp_path / "clean.db", "SELECT messages FROM calls WHERE agent = 'evidence'")
        assert any('"of":' in text for (text,) in shown), "these seeds have steps that look at a part"
        assert not any("base64" in text for (text,) in shown)
        paid, replayed, pending = 0, 0, 2
        while pending:
            settings = FULL.model_copy(update={"budget_calls": 4, "concurrency": 1})
            summary = await evolved(seeds, tmp_path / "cut.db", [at(url)], settings)
            paid, replayed, pending = paid + summary.calls, replayed + summary.replayed, summary.pending
    assert paid == clean.calls and replayed
    steps = "SELECT sample, agent, step, text FROM calls WHERE kind = 'ok' ORDER BY 1, 2, 3"
    assert query(tmp_path / "cut.db", steps) == query(tmp_path / "clean.db", steps)
    assert results(tmp_path / "cut.db") == results(tmp_path / "clean.db")


async def test_an_evidence_endpoint_that_fails_for_ever_leaves_steps_unknown_and_samples_whole(
    seeds: tuple[Path, list[Sample]], tmp_path: Path
) -> None:
    async with serving() as sound, serving("500:1") as broken:
        served = [at(sound), at(broken, roles=("evidence",))]
        summary = await evolved(seeds, tmp_path / "run.db", served, FULL)
    assert not summary.failed and not summary.pending and summary.accepted
    found = [
        row
        for (text,) in query(tmp_path / "run.db", "SELECT attributes FROM spans WHERE name = 'evidence'")
        for rows in orjson.loads(text)["evidence"].values()
        for row in rows
        if row.get("by") == "model"
    ]
    assert found and all(row["agrees"] is None and row["error"] == "server" for row in found)
    assert all(row["found"].startswith("unknown: server: HTTP 500") for row in found)


@pytest.mark.slow
async def test_a_panel_asks_every_judge_and_one_judge_asks_as_ever(
    seeds: tuple[Path, list[Sample]], tmp_path: Path
) -> None:
    judged = "SELECT step, count(*) FROM calls WHERE agent = 'judge' GROUP BY step"
    votes = "SELECT json_extract(attributes, '$.panel') FROM spans WHERE name = 'judge' AND kind = 'judge'"
    alone = FULL.model_copy(update={"evidence": "code"})
    async with serving() as url:
        await evolved(seeds, tmp_path / "one.db", [at(url)], alone)
        panel = [at(url), at(url, temperature=0.5, roles=("judge",))]
        await evolved(seeds, tmp_path / "three.db", panel, alone.model_copy(update={"panel": 3}))
        with pytest.raises(EndpointError):
            await evolved(seeds, tmp_path / "none.db", panel, alone)
        many = [*panel, at(url, temperature=0.1, roles=("judge",))]
        with pytest.raises(RunError, match="3 models judge, on a panel of 2"):
            await evolved(seeds, tmp_path / "none.db", many, alone.model_copy(update={"panel": 2}))
    assert query(tmp_path / "one.db", judged) == [(0, 2)] and query(tmp_path / "one.db", votes) == [(None,)] * 2
    assert query(tmp_path / "three.db", judged) == [(0, 2), (2, 2), (4, 2)]
    cast = [ballot for (text,) in query(tmp_path / "three.db", votes) for ballot in orjson.loads(text).values()]
    assert cast and all(len(ballot["correct"]) == 3 and ballot["disagree"] == [] for ballot in cast)
    assert results(tmp_path / "three.db") == results(tmp_path / "one.db"), "judges that agree change nothing"
    (models,) = query(tmp_path / "three.db", "SELECT json_extract(fingerprint, '$.models') FROM runs")[0]
    assert "judge-2: builtin {'temperature': 0.5" in models


@pytest.mark.slow
async def test_a_store_goes_on_only_with_the_evidence_and_the_panel_that_it_began_with(
    seeds: tuple[Path, list[Sample]], tmp_path: Path
) -> None:
    async with serving() as url:
        await evolved(seeds, tmp_path / "run.db", [at(url)], FULL)
        for change, told in (({"evidence": "code"}, "evidence was full, is code"), ({"panel": 3}, "panel was 1, is 3")):
            with pytest.raises(RunError, match=told):
                await evolved(seeds, tmp_path / "run.db", [at(url)], FULL.model_copy(update=change))
