"""A scripted model on a loopback port, six samples to ask it about, and what a store says of its replies.

What the model says follows from the request alone, so that every run of the same samples ends in the same way.
"""

import asyncio
import hashlib
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from evolgraph.agents.judge import FLAGS
from evolgraph.endpoints.chat import CallKey
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.wire import request_seed
from evolgraph.graph import Settings
from evolgraph.samples.sample import Image, Sample
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from evolgraph.store.lineage import settled_records
from evolgraph.store.runs import newest_run
from PIL import Image as Picture

from .conftest import make_sample

MOST = 6
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
    """Answers at once, but holds one request back when it is told to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.hold_at: int | None = None
        self.held = asyncio.Event()
        self._released = asyncio.Event()

    def begin(self, hold_at: int | None) -> None:
        self.asked.clear()
        self.bodies.clear()
        self.held.clear()
        self._released = asyncio.Event()
        self.hold_at = hold_at

    def release(self) -> None:
        """Answers what was held back."""
        self._released.set()

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["seed"])
        self.bodies.append(body)
        if len(self.asked) == self.hold_at:
            self.held.set()
            await self._released.wait()
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


def query(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with reading(store) as db:
        return db.execute(sql).fetchall()


def is_readable(store: Path) -> bool:
    """Whether there is a store with its tables: a kill may come before."""
    try:
        with reading(store):
            return True
    except StoreError as error:
        assert error.kind in ("open", "not-a-store")
        return False


def committed(store: Path) -> set[int]:
    """The seeds of the requests whose replies `store` holds."""
    if not is_readable(store):
        return set()
    rows = query(store, "SELECT sample, round, agent, take, step FROM calls WHERE http_status = 200")
    return {request_seed(SETTINGS.seed, CallKey(*row[:4]), row[4]) for row in rows}


def records(store: Path) -> list[dict[str, Any]]:
    with reading(store) as db:
        run = newest_run(db)
        return list(settled_records(db, run.id)) if run else []


@asynccontextmanager
async def toy() -> AsyncIterator[Model]:
    model = Model()
    await model.serve()
    try:
        yield model
    finally:
        await model.runner.cleanup()
