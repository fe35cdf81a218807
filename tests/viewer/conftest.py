"""A store as a run would leave it, whose every text is hostile where it may be, and the pages that show it."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from evolgraph.store.ledger import Ledger
from evolgraph.store.store import Store
from evolgraph.viewer.asked import Prices
from evolgraph.viewer.server import Viewer
from PIL import Image as Picture

from ..page import Page

RUN = "run1"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "![x](http://203.0.113.9/x.png)",
    "{{7*7}} {% raw %} ${7*7}",
    "\u202egnp.exe\u202c \u200f<b>",
    "</title></textarea></style>'\" onmouseover=alert(1) x=",
    "http://203.0.113.9/",
]
TEXT = " ".join(HOSTILE)
SECOND = 1_000_000_000
Rows = dict[str, list[dict[str, Any]]]


def picture(folder: Path, name: str = "table.png") -> dict[str, Any]:
    """An image file with a comment in it, as a sample names it."""
    path = folder / name
    Picture.effect_noise((64, 48), 60).convert("RGB").save(path, comment=b"secret comment")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"path": name, "sha256": digest, "width": 64, "height": 48}


def content(sample: str, image: dict[str, Any], text: str) -> dict[str, Any]:
    boxes = [
        {"label": f"cup {text}", "bbox": [0.1, 0.2, 0.3, 0.6], "confidence": 1.0, "image": 0, "origin": "given"},
        {"label": "plate", "bbox": [0.65, 0.5, 0.95, 0.8], "confidence": 1.0, "image": 0, "origin": "proposed"},
    ]
    return {"id": sample, "images": [image], "caption": f"A table. {text}", "boxes": boxes, "topic": [text]}


def qa(number: int, question: str, answer: str = "Blue.", step: str = "") -> dict[str, Any]:
    steps = [{"manipulation": "Grounding_1(cup)->bbx_1", "description": step}] if step else []
    return {"id": f"q{number}", "question": question, "answer": answer, "steps": steps, "form": "open", "skills": [],
            "objects": []}  # fmt: skip


def begun(sample: str, position: int, image: dict[str, Any], text: str = "") -> Rows:
    seed = qa(1, f"What colour is the cup? {text}")
    row = {"run": RUN, "id": sample, "position": position, "digest": "d", "images": [image]}
    first = {"run": RUN, "sample": sample, "round": 0, "qa": "q1", "outcome": "seed", "content": seed}
    return {"samples": [row | {"sample": content(sample, image, text)}], "generations": [first]}


def round_rows(sample: str, number: int, direction: str, *, accepted: bool, text: str = "") -> Rows:
    key = {"run": RUN, "sample": sample, "round": number}
    decision = {
        "direction": direction, "propensity": 0.25, "probabilities": {direction: 0.25, "reasoning": 0.75},
        "eligible": [direction, "reasoning"], "features": {"round": number}, "feature_set": "v1", "uniform": 0.1,
        "policy": f"uniform{text}", "policy_version": "1", "decided_ns": number * SECOND,
    }  # fmt: skip
    verdict = {
        "qa": "q1", "direction": direction, "stage": "judge", "accepted": accepted,
        "code": "accepted" if accepted else f"not-correct{text}", "reason": f"As it is. {text}", "grounded": accepted,
        "correct": accepted, "answerable": True, "needs_image": True, "improved": True, "score_before": 3,
        "score_after": 5,
    }  # fmt: skip
    step = f"The cup is at [0.100, 0.200, 0.300, 0.600], the wall at [0.5, 0.5, 0.6, 0.6]. {text}"
    evolved = qa(1, f"What colour is the cup left of the plate? {text}", f"Red. {text}", step)
    generation = {"qa": "q1", "outcome": "accepted" if accepted else "rejected", "direction": direction,
                  "parent_round": 0, "complexity": 5.0, "content": evolved}  # fmt: skip
    span = {"id": f"{number}/{direction}", "name": direction, "kind": "agent", "started_ns": number * SECOND,
            "ended_ns": (number + 1) * SECOND, "status": "ok", "attributes": {"candidates": 1}}  # fmt: skip
    return {
        "decisions": [key | decision],
        "verdicts": [key | verdict],
        "generations": [key | generation],
        "spans": [key | span],
        "rewards": [key | {"reward": 0.2, "tokens": 100, "rewarded_ns": number * SECOND}],
    }


def ended(sample: str, status: str, rounds: int, text: str = "") -> Rows:
    """How `sample` ended, with the version of its question unless a round has written it."""
    key = {"run": RUN, "sample": sample}
    version = {"round": rounds, "qa": "q1", "outcome": "accepted", "content": qa(1, f"What colour is it? {text}")}
    heads = [{"qa": "q1", "complexity": 5.0, "round": rounds}]
    end = {"status": status, "rounds": rounds, "reason": f"so: {text}", "complexity_before": 3.0,
           "complexity_after": 5.0, "heads": heads, "settled_ns": 9 * SECOND}  # fmt: skip
    return {"generations": [key | version], "settled": [key | end]}


def call(sample: str, number: int, agent: str, foreign: str = "", **given: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 100, "cached_tokens": 40, "completion_tokens": 20, "image_tokens": None,
             "reasoning_tokens": None}  # fmt: skip
    parts = [
        {"type": "image", "sha256": "0" * 64, "path": f"a.png{foreign}"},
        {"type": "text", "text": f"Look. {foreign}"},
    ]
    return {
        "key": f"{sample}-{number}-{agent}", "sample": sample, "round": number, "agent": agent, "step": 0, "take": 0,
        "model": f"m{foreign}", "kind": "ok", "text": f"The reply. {foreign}", "finish_reason": "stop", "usage": usage,
        "response_id": "x", "endpoint": f"http://127.0.0.1:1{foreign}", "attempts": 1, "maybe_billed": 0,
        "http_status": 200, "error": None, "started_ns": number * SECOND, "ended_ns": number * SECOND + 250_000_000,
        "messages": [{"role": "system", "parts": [{"type": "text", "text": f"You evolve. {foreign}"}]},
                     {"role": "user", "parts": parts}],
    } | given  # fmt: skip


async def fill(path: Path, text: str = "", *, finished: bool = True) -> None:
    """A run of three samples: one rejected once, one failed, one pending; `text` wherever foreign text may stand."""
    image = picture(path.parent)
    fingerprint = {"policy": f"uniform{text}", "directions": ["perception", "reasoning"], "models": [f"m{text}"]}
    session = {"id": 1, "run": RUN, "started_ns": SECOND, "ended_ns": 9 * SECOND if finished else None}
    run = {"id": RUN, "created_ns": SECOND, "fingerprint": fingerprint, "seed": 7}
    outcome = {"outcome": "stopped", "images": str(path.parent)}
    async with Store.open(path) as store:
        await store.writer.insert({"runs": [run], "sessions": [session | outcome]})
        ledger = Ledger(store, RUN)
        for position, name in enumerate((f"first{text}", f"second{text}", "third")):
            await store.writer.insert(begun(name, position, image, text))
            await ledger.record(call(name, 1, "perception", text))
        await store.writer.insert(round_rows(f"first{text}", 1, f"perception{text}", accepted=False, text=text))
        await ledger.record(call(f"first{text}", 2, "judge", text))
        await store.writer.insert(round_rows(f"first{text}", 2, "reasoning", accepted=True, text=text))
        await store.writer.insert(ended(f"first{text}", "exhausted", 2, text))
        failed = {"kind": f"timeout{text}", "text": None, "error": f"no answer {text}", "http_status": None}
        await ledger.record(call(f"second{text}", 1, "judge", text, **failed))
        await store.writer.insert(ended(f"second{text}", "failed", 0, text))
        await store.writer.insert({"quarantine": [{"run": RUN, "place": f"seeds.json:4{text}", "reason": text}]})


class Site:
    """The pages of a store under way, and what a browser gets of them."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, method: str = "GET", **options: Any) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self._session.request(method, self.url + path, allow_redirects=False, **options) as answer:
            return answer, await answer.read()

    async def page(self, name: str, **query: Any) -> Page:
        answer, body = await self.get(f"runs/{RUN}/{name}", params=query)
        assert answer.status == 200, body
        return Page(body.decode())

    async def json(self, name: str, **query: Any) -> Any:
        answer, body = await self.get(f"runs/{RUN}/{name}.json", params=query)
        assert answer.status == 200, body
        return orjson.loads(body)


async def serving(store: Path, prices: Prices | None = None) -> AsyncIterator[Site]:
    viewer = Viewer(store, store.parent, prices)
    runner, url = await viewer.start(0)
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(url, session)
    finally:
        await runner.cleanup()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a store and its image, to be copied: with plain text and with hostile text."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("plain", "hostile")}
    for name, folder in folders.items():
        asyncio.run(fill(folder / "run.db", TEXT if name == "hostile" else ""))
    return folders


@pytest.fixture
async def site(tmp_path: Path, filled: dict[str, Path]) -> AsyncIterator[Site]:
    """The pages of a plain run."""
    shutil.copytree(filled["plain"], tmp_path, dirs_exist_ok=True)
    async for one in serving(tmp_path / "run.db", Prices(1.0, 2.0)):
        yield one


@pytest.fixture
async def hostile(tmp_path: Path, filled: dict[str, Path]) -> AsyncIterator[Site]:
    """The pages of a run whose every text is hostile."""
    shutil.copytree(filled["hostile"], tmp_path, dirs_exist_ok=True)
    async for one in serving(tmp_path / "run.db"):
        yield one
