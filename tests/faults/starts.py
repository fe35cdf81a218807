"""Starts of evolutions in processes of their own, ordered from a test."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..conftest import ROOT
from ..toy import Model, seeds, toy

KILLED = -9
Forks = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Ended:
    """How a start ended: its exit code (negative: the signal that killed it), and the error it named."""

    code: int
    kind: str = ""
    error: str = ""


@dataclass(frozen=True)
class Starts:
    """Carries out one start after the other at the scripted model, over the samples in `folder`."""

    forks: Forks
    model: Model
    folder: Path

    async def start(self, store: Path, **order: Any) -> Ended:
        """One start with `store`; `order` says more (see `forked.Order`)."""
        self.model.begin(None)
        given = {"store": str(store), "folder": str(self.folder), "url": self.model.endpoint.url, **order}
        async with asyncio.timeout(60):
            return await asyncio.to_thread(self._ended, json.dumps(given).encode() + b"\n")

    def _ended(self, order: bytes) -> Ended:
        stdin, stdout = self.forks.stdin, self.forks.stdout
        assert stdin and stdout
        stdin.write(order)
        stdin.flush()
        said: dict[str, Any] = {}
        while "ended" not in said:
            said |= json.loads(stdout.readline())
        return Ended(said["ended"], said.get("kind", ""), said.get("error", ""))


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def forking() -> Iterator[Forks]:
    """The process that forks, for the length of the block."""
    command = [sys.executable, "-m", "tests.faults.forked"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.communicate(timeout=60)


@asynccontextmanager
async def starts(forks: Forks, folder: Path) -> AsyncIterator[Starts]:
    """Starts by `forks` over samples that are made in `folder`."""
    seeds(folder)
    async with toy() as model:
        yield Starts(forks, model, folder)
