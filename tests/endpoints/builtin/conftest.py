"""The embedded server in this process, and requests as the agents write them."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from evolgraph.endpoints.builtin.server import Options, serve
from PIL import Image

SEED = {
    "id": "q0",
    "objects": ["cup"],
    "skills": ["Referencing"],
    "form": "open",
    "question": "What colour is the cup?",
    "steps": [],
    "answer": "The cup is red.",
}
FACTS = {
    "images": [{"width": 200, "height": 100}],
    "caption": "A red cup stands left of a blue plate.",
    "topic": ["food"],
    "boxes": [
        {"label": "cup", "bbox": [0.1, 0.2, 0.3, 0.8], "image": 0},
        {"label": "plate", "bbox": [0.6, 0.3, 0.9, 0.7], "image": 0},
    ],
}


def drawn_uri(form: str = "PNG") -> str:
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[20:80, 20:60] = (220, 20, 20)
    pixels[30:70, 120:180] = (20, 40, 220)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def fenced(name: str, value: Any) -> str:
    return f"```json {name}\n{json.dumps(value)}\n```"


def chat(task: str = "perception", *, image: str | None = None, **changes: Any) -> dict[str, Any]:
    """A request as the agents write it."""
    block = "pairs" if task == "judge" else "questions"
    rows = [{"id": "q0", "direction": "reasoning", "parent": SEED, "evolved": SEED}] if task == "judge" else [SEED]
    content = [
        {"type": "image_url", "image_url": {"url": image or drawn_uri()}},
        {"type": "text", "text": "# Facts\n\n" + fenced("facts", FACTS)},
        {"type": "text", "text": f"# Task: {task}\n\n" + fenced(block, rows)},
    ]
    body = {
        "model": "builtin",
        "messages": [
            {"role": "system", "content": "You help to build training data."},
            {"role": "user", "content": content},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": task, "schema": {}, "strict": True}},
        "temperature": 0.7,
        "max_tokens": 4096,
        "seed": 7,
    }
    return body | changes


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url, self.root = session, url, url.removesuffix("/v1")

    async def post(self, body: Any) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"{self.url}/chat/completions", data=sent) as reply:
            return reply.status, await reply.json()

    async def until_in_flight(self, count: int) -> None:
        while json.loads((await self.get("/stats"))[1])["in_flight"] != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.root + path) as reply:
            return reply.status, await reply.text()


@asynccontextmanager
async def serving(options: Options = Options()) -> AsyncIterator[Client]:  # noqa: B008
    urls: asyncio.Queue[str] = asyncio.Queue()
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(options, urls.put_nowait, stopped))
        async with aiohttp.ClientSession() as session:
            yield Client(session, await urls.get())
        stopped.set()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client
