"""Whole commands on Ray: a folder of drawn seeds, an embedded server beside it, and the workers' processes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from evolgraph.samples.drawn import draw
from evolgraph.store.folder import shard_path, shards
from evolgraph.store.ownership import lock_of

LIMIT = 12
"""Requests that the server of these tests is to be sent at once."""
PATIENCE_S = 240.0


@dataclass
class Place:
    """A folder with seeds, and a server of which `evolgraph.toml` says that it takes `LIMIT` requests at once."""

    folder: Path
    url: str

    def command(self, *words: str, store: str = "shards") -> list[str]:
        options = ["--store", store, "--out", f"{store}.jsonl", "--json", *words]
        return [sys.executable, "-m", "evolgraph.cli", "evolve", "seeds/seeds.json", *options]

    def start(self, *words: str, store: str = "shards") -> subprocess.Popen[str]:
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command(*words, store=store), cwd=self.folder, **pipes)

    def run(self, *words: str, store: str = "shards", code: int = 0) -> dict[str, Any]:
        return self.end(self.start(*words, store=store), code)

    def end(self, process: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
        said, complaints = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, complaints
        return json.loads(said)

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats?full=1", timeout=10) as response:
            return json.load(response)

    def results(self, store: str = "shards") -> bytes:
        return (self.folder / f"{store}.jsonl").read_bytes()

    def kill_worker(self, number: int, store: str = "shards") -> int:
        """Kills the process of a worker, once it has opened its store; gives its id."""
        lock = lock_of(shard_path(self.folder / store, number))
        pid = until(lambda: json.loads(lock.read_text()).get("pid") if lock.exists() else None)
        os.kill(pid, signal.SIGKILL)
        return pid

    def shards(self, store: str = "shards") -> list[Path]:
        return shards(self.folder / store)


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as that is something."""
    end = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return value


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for _ in draw(60, 5, tmp_path / "seeds"):
        pass
    words = [sys.executable, "-m", "evolgraph.endpoints.builtin", "--exit-with-stdin", "--latency-ms", "150"]
    server = subprocess.Popen([*words, "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin and server.stdout
    with server:
        url = json.loads(server.stdout.readline())["url"]
        endpoint = f'[[endpoint]]\nurl = "{url}"\nmodel = "builtin"\nmax_in_flight = {LIMIT}\n'
        (tmp_path / "evolgraph.toml").write_text(f"rounds = 2\nconcurrency = 16\n{endpoint}")
        yield Place(tmp_path, url)
        server.stdin.close()
