"""`python -m benchmarks.bare`: the least that makes the same calls: aiohttp, ready bodies, no graph, nothing kept.

Prints one JSON object. A body is joined from ready bytes around the image; of a reply the envelope and the content are
parsed with orjson.
"""

import asyncio
import base64
import sys
from collections.abc import Iterator
from itertools import cycle, islice, product
from pathlib import Path
from typing import Final

import aiohttp
import orjson
import uvloop

from .usage import Used, freeze, options

GAP: Final = b'"@IMAGE@"'
"""Stands in a body where the image belongs."""
Parts = tuple[bytes, bytes, bytes]


def ready(seeds: Path, bodies: list[bytes]) -> list[Parts]:
    """Every body with every image of the folder beside `seeds`: what stands before, the image, what stands after."""
    images = [
        b'"data:image/jpeg;base64,' + base64.b64encode(path.read_bytes()) + b'"'
        for path in sorted(seeds.parent.glob("images/*.jpg"))
    ]
    halves = [body.partition(GAP) for body in bodies]
    return [(before, image, after) for image, (before, _, after) in product(images, halves)]


async def call_all(url: str, parts: list[Parts], calls: int, workers: int) -> int:
    """Makes `calls` calls, `workers` at a time; gives how many were answered well."""
    waiting = islice(cycle(parts), calls)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0)
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
        asyncio.TaskGroup() as tasks,
    ):
        running = [tasks.create_task(_work(session, f"{url}/chat/completions", waiting)) for _ in range(workers)]
    return sum(task.result() for task in running)


async def _work(session: aiohttp.ClientSession, url: str, waiting: Iterator[Parts]) -> int:
    good = 0
    headers = {"Content-Type": "application/json"}
    for parts in waiting:
        async with session.post(url, data=b"".join(parts), headers=headers) as response:
            reply = orjson.loads(await response.read())
        good += isinstance(orjson.loads(reply["choices"][0]["message"]["content"]), dict)
    return good


async def measure(url: str, seeds: Path, bodies: list[bytes], calls: int, workers: int) -> dict[str, float]:
    """Makes all calls; gives the figures."""
    parts = ready(seeds, bodies)
    freeze()
    used = Used()
    answered = await call_all(url, parts, calls, workers)
    return {"calls": answered} | used.figures()


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options("benchmarks.bare", __doc__)
    parser.add_argument("--bodies", type=Path, required=True, help="one body a line")
    parser.add_argument("--calls", type=int, required=True)
    given = parser.parse_args()
    bodies = given.bodies.read_bytes().splitlines()
    found = uvloop.run(measure(given.url, given.seeds, bodies, given.calls, given.concurrency))
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    sys.exit(main())
