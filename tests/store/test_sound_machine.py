"""Add samples, step, stop, kill, resume and read a run in any order: the store stays sound and nothing is lost.

A real run over a real store asks a scripted model on a loopback port. A kill is a copy of the store's files at that
moment, as a dead process leaves them, its log cut anywhere; the run goes on with the copy.
"""

import asyncio
import hashlib
import json
import random
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from evolgraph.agents.judge import FLAGS
from evolgraph.endpoints.chat import CallKey
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.wire import request_seed
from evolgraph.graph import Settings, evolve
from evolgraph.samples.sample import Image, Sample
from evolgraph.store import traces
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.lineage import settled_records
from evolgraph.store.runs import newest_run
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from PIL import Image as Picture

from ..conftest import make_sample

MOST = 6
FRAME = 24 + 4096
"""Bytes of a page in the log."""
SETTINGS = Settings(rounds=4, target=8.5, patience=3, seed=3, concurrency=3)


def completion(content: str | None, seed: int, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 50 + seed % 50, "completion_tokens": 1 + seed % 20}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": f"c{seed}", "choices": [choice], "usage": usage}


def evolved(row: dict[str, Any], agent: str, seed: int) -> dict[str, Any]:
    form = "depth_order" if row["form"] != "depth_order" else "relative_distance"
    return {
        "id": row["id"],
        "objects": ["cup", "plate"],
        "skills": ["Grounding"],
        "form": form if agent == "interaction" else row["form"],
        "question": f"Which piece of {row['id']} is number {seed} about, seen by {agent}?",
        "steps": [{"manipulation": None, "description": "Look at the table."}],
        "answer": f"Piece {seed % 97} of {row['id']}.",
    }


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """What the model says follows from the request alone; now and then it is nonsense."""
    seed, agent = body["seed"], body["response_format"]["json_schema"]["name"]
    kind = seed % 13
    if kind == 0:
        return completion("No JSON today.", seed)
    if kind == 1:
        return completion('{"evolved": [', seed, "length")
    text = body["messages"][1]["content"][-1]["text"]
    blocks = {name: json.loads(data) for name, data in re.findall(r"^```json (\w+)\n(.*?)\n```$", text, re.M | re.S)}
    if agent != "judge":
        rows = [evolved(row, agent, seed) for row in blocks["questions"][kind == 2 :]]
        return completion(json.dumps({"evolved": rows}), seed)
    verdicts = []
    for number, pair in enumerate(blocks["pairs"]):
        chance = random.Random(f"{seed} {number}")
        before = chance.randint(2, 6)
        scores = {"score_before": before, "score_after": before + chance.randint(0, 3)}
        flags = {flag: chance.random() > 0.1 for flag in FLAGS}
        verdicts.append({"id": pair["id"], **flags, **scores, "reason": "As it should be."})
    return completion(json.dumps({"verdicts": verdicts}), seed)


class Model:
    """Answers at once, but holds one request back for ever when it is told to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.hold_at: int | None = None
        self.held = asyncio.Event()

    def begin(self, hold_at: int | None) -> None:
        self.asked.clear()
        self.held.clear()
        self.hold_at = hold_at

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["seed"])
        if len(self.asked) == self.hold_at:
            self.held.set()
            await asyncio.Event().wait()
        return web.json_response(reply(body))

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "toy"}]})

    async def serve(self) -> None:
        app = web.Application(handler_args={"handler_cancellation": True})
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/v1/models", self.models)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.endpoint = Endpoint(url=f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1", model="toy")


def seeds(folder: Path) -> list[Sample]:
    Picture.new("RGB", (64, 48), "white").save(folder / "table.png")
    digest = hashlib.sha256((folder / "table.png").read_bytes()).hexdigest()
    image = Image(path="table.png", sha256=digest, width=64, height=48)
    return [make_sample(f"sample-{number}", 1 + number % 3, images=(image,)) for number in range(MOST)]


def files_of(store: Path) -> tuple[Path, Path]:
    return store, store.with_name(store.name + "-wal")


def killed(store: Path, to: Path, lost: float) -> Path:
    """The store as a kill leaves it, without the last `lost` frames of its log: they were not written yet."""
    while True:
        stamp = store.stat().st_mtime_ns
        for source, target in zip(files_of(store), files_of(to), strict=True):
            shutil.copy(source, target)
        if stamp == store.stat().st_mtime_ns:  # not copied across a checkpoint
            break
    log = files_of(to)[1]
    with log.open("r+b") as file:
        file.truncate(max(0, log.stat().st_size - int(lost * FRAME)))
    return to


class AnyOrder(RuleBasedStateMachine):
    """`number` samples are in the seeds; `store` is the file that the next start takes."""

    expected: dict[str, dict[str, Any]] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="evolgraph-"))
        self.samples = seeds(self.folder)
        self.loop = asyncio.Runner()
        self.model = self.loop.run(started())
        if AnyOrder.expected is None:
            self.store, self.number = self.folder / "undisturbed.db", MOST
            self.loop.run(self.run())
            AnyOrder.expected = {record["id"]: record for record in self.records()}
            assert len(AnyOrder.expected) == MOST
        self.store, self.number, self.kills = self.folder / "run.db", 3, 0

    def teardown(self) -> None:
        try:
            self.loop.run(self.run())
            self.goes_on_soundly()
            assert [record["id"] for record in self.records()] == [sample.id for sample in self.samples[: self.number]]
            assert self.query("SELECT count(*), count(DISTINCT sample) FROM settled") == [(self.number, self.number)]
            self.loop.run(self.run())
            assert not self.model.asked, "everything is settled"
        finally:
            self.loop.run(self.model.runner.cleanup())
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(more=st.integers(1, 3))
    def add(self, more: int) -> None:
        self.number = min(self.number + more, MOST)

    @rule(calls=st.integers(1, 12), ticks=st.integers(0, 4))
    def step(self, calls: int, ticks: int) -> None:
        """Runs until a call is under way, then leaves."""
        self.loop.run(self.run(calls, ticks))

    @rule(calls=st.integers(1, 12))
    def stop(self, calls: int) -> None:
        """Runs until a call is under way, then is asked to stop, for which that call has a moment."""
        self.loop.run(self.run(calls, stopping=True))

    @rule(calls=st.integers(1, 12), ticks=st.integers(0, 20), lost=st.floats(0, 40) | st.integers(0, 500))
    def kill(self, calls: int, ticks: int, lost: float) -> None:
        self.kills += 1
        self.loop.run(self.run(calls, ticks, copy=self.folder / f"run-{self.kills}.db", lost=lost))

    @rule()
    def read(self) -> None:
        """Whatever was written can be read, and what is settled is what an undisturbed run settles."""
        if not self.is_readable():
            return
        with reading(self.store) as db:
            run = newest_run(db)
            assert len(traces.runs(db)) == bool(run)
            for line in traces.samples(db, run.id) if run else ():
                found = traces.trace(db, run.id, line.id) if run else None
                assert found
                assert found.id == line.id
                assert (found.settled is None) == (line.status == "pending")
        assert self.expected
        for record in self.records():
            assert record == self.expected[record["id"]]

    @invariant()
    def goes_on_soundly(self) -> None:
        if self.is_readable():
            assert list(map(str, examine(self.store))) == []

    async def run(
        self, calls: int | None = None, ticks: int = 0, *, stopping: bool = False, copy: Path | None = None,
        lost: float = 0,
    ) -> None:  # fmt: skip
        """One start: to the end, or until the model holds back its request number `calls`."""
        committed = self.committed()
        self.model.begin(calls)
        given = self.samples[: self.number]
        run = evolve(given, store=self.store, images=self.folder, endpoints=[self.model.endpoint], settings=SETTINGS)
        async with run, asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(taken(run))
            held = tasks.create_task(self.model.held.wait())
            await asyncio.wait([taking, held], return_when=asyncio.FIRST_COMPLETED)
            for _ in range(ticks):
                await asyncio.sleep(0)
            if copy:
                killed(self.store, copy, lost)
            if stopping and not taking.done():
                run.stop("told to", grace=0.02)
                await taking
            taking.cancel()
            held.cancel()
        assert not committed & {*self.model.asked}, "a committed reply was asked for again"
        repeats = [seed for seed, times in Counter(self.model.asked).items() if times > 1]
        assert not repeats, "one start asks nothing twice"
        self.store = copy or self.store

    def committed(self) -> set[int]:
        """The seeds of the requests whose replies the store holds."""
        if not self.is_readable():
            return set()
        rows = self.query("SELECT sample, round, agent, take, step FROM calls WHERE http_status = 200")
        return {request_seed(SETTINGS.seed, CallKey(*row[:4]), row[4]) for row in rows}

    def is_readable(self) -> bool:
        """Whether there is a store with its tables: a kill may come before."""
        try:
            with reading(self.store):
                return True
        except StoreError as error:
            assert error.kind in ("open", "not-a-store")
            return False

    def records(self) -> list[dict[str, Any]]:
        with reading(self.store) as db:
            run = newest_run(db)
            return list(settled_records(db, run.id)) if run else []

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with reading(self.store) as db:
            return db.execute(sql).fetchall()


async def started() -> Model:
    model = Model()
    await model.serve()
    return model


async def taken(run: Any) -> None:
    async for _ in run:
        pass


def explored(examples: int, steps: int, *, derandomize: bool = False) -> None:
    AnyOrder.expected = None
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=checks,
            derandomize=derandomize,
        ),
    )


def test_any_order_keeps_the_store_sound() -> None:
    explored(8, 6, derandomize=True)


@pytest.mark.faults
def test_any_long_order_keeps_the_store_sound() -> None:
    explored(500, 12)
