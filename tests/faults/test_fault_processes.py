"""The real `evolgraph evolve` as a process (FAULTS F27, F29, F37): stopped, started twice, killed, and listened to."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from evolgraph.endpoints.builtin.faults import parse_fault
from evolgraph.endpoints.builtin.server import Options
from evolgraph.store.check import examine
from evolgraph.store.connections import reading

from ..cli.conftest import clean_environment
from ..conftest import SEEDS
from .conftest import KEY_ENV, SENTINEL, serving, stats

pytestmark = pytest.mark.faults
LINE = "import sys; from evolgraph.cli.main import main; main()"
TALKATIVE = f"import logging; logging.basicConfig(level='DEBUG'); {LINE}"
PLUGIN = """
from evolgraph.graph.policies.uniform import Uniform
class Broken(Uniform):
    name = "broken"
    async def propose(self, context):
        if context.round == 2:
            raise LookupError("nobody foresaw this")
        return await super().propose(context)
"""


class Running:
    """`evolgraph evolve` in `folder`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, url: str) -> None:
        self.process, self.folder, self.url = process, folder, url

    async def until_in_flight(self, count: int = 1) -> None:
        async with asyncio.timeout(60):
            while (await stats(self.url))["in_flight"] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def end(self, seconds: float = 60) -> tuple[int, str, str]:
        async with asyncio.timeout(seconds):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def evolving(
    folder: Path, url: str, *words: str, python: Sequence[str] = (), code: str = LINE, **environment: str
) -> AsyncIterator[Running]:
    options = ("--store", "run.db", "--out", "out.jsonl", "--endpoint", url, "--model", "builtin", "--key-env", KEY_ENV)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *python, "-c", code, "evolve", str(SEEDS), *options, "--rounds", "2", "--json", *words),
        cwd=folder, env=clean_environment(**{KEY_ENV: SENTINEL, **environment}),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Running(process, folder, url)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def faults(*named: str, **more: Any) -> Options:
    return Options(faults=tuple(map(parse_fault, named)), **more)


def is_flushed(folder: Path) -> bool:
    """Whether the log was folded in and the store is sound, with the session's end in it."""
    if (folder / "run.db-wal").exists():
        return False
    with reading(folder / "run.db") as db:
        (last,) = db.execute("SELECT ended_ns FROM sessions ORDER BY id DESC LIMIT 1").fetchone()
    return bool(last) and not list(examine(folder / "run.db"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("server", ["slow", "hang"])
async def test_a_stop_ends_in_time_without_a_warning(tmp_path: Path, number: signal.Signals, server: str) -> None:
    """F27."""
    options = faults("hang:1") if server == "hang" else faults(latency_ms=400)
    async with serving(options) as url, evolving(tmp_path, url, python=["-W", "error"]) as run:
        await run.until_in_flight(4)
        told = time.monotonic()
        run.process.send_signal(number)
        code, out, err = await run.end()
        assert time.monotonic() - told <= 10
    assert code == 130, err
    assert err.splitlines()[-1] == "interrupted: start the same command again to go on"
    assert "Warning" not in err and "Traceback" not in err and "ignored" not in err, err
    assert json.loads(out)["pending"] == 10
    assert is_flushed(tmp_path)
    async with serving(faults()) as url, evolving(tmp_path, url) as run:
        code, out, err = await run.end()
        assert (code, json.loads(out)["pending"]) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_stops_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """F27."""
    async with serving(faults("hang:1")) as url, evolving(tmp_path, url, python=["-W", "error"]) as run:
        await run.until_in_flight(4)
        run.process.send_signal(number)
        await asyncio.sleep(0.5)
        told = time.monotonic()
        run.process.send_signal(number)
        code, _, err = await run.end()
        assert time.monotonic() - told <= 2
    assert code == 130
    assert err.splitlines()[-1] == "evolgraph: interrupted"
    assert "Warning" not in err and "Traceback" not in err and "ignored" not in err, err
    assert is_flushed(tmp_path)


async def test_a_second_start_is_refused_and_a_dead_owners_store_is_free(tmp_path: Path) -> None:
    """F29, F37: what a killed run leaves is gone on with, and holds no key."""
    async with serving(faults("hang:1")) as url, evolving(tmp_path, url) as first:
        await first.until_in_flight()
        async with evolving(tmp_path, url) as second:
            code, out, err = await second.end()
        (line,) = err.splitlines()
        assert (code, out) == (2, "")
        assert f"the store is in use by process {first.process.pid} on {os.uname().nodename}" in line
        first.process.kill()
        await first.end()
    assert holding(tmp_path) == []
    async with serving(faults()) as url, evolving(tmp_path, url) as third:
        code, out, err = await third.end()
        assert (code, json.loads(out)["pending"]) == (0, 0), err
    assert is_flushed(tmp_path)


def holding(folder: Path, *said: str) -> list[str]:
    """The files in `folder`, and what was `said`, that hold the key, or a piece of it."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts = {f"output {number}": text.encode() for number, text in enumerate(said)}
    return [name for name, content in (files | texts).items() if SENTINEL.encode() in content]


def pages_holding(store: Path) -> list[str]:
    """The tables with a value that holds the key."""
    found = []
    with reading(store) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            if any(SENTINEL in str(value) for row in db.execute(f"SELECT * FROM {table}") for value in row):
                found.append(table)
    return found


DEBUG = {"python": ["-X", "dev"], "code": TALKATIVE, "PYTHONASYNCIODEBUG": "1"}
SECRETS = {
    "401": (("401:0.5",), (), {}, 2),
    "401, debug": (("401:0.5",), (), DEBUG, 2),
    "debug": (("500:0.1", "html:0.1", "reset-late:0.1"), (), DEBUG, None),
    "a broken plugin": ((), ("--policy", "broken"), {"PYTHONPATH": "plugins"}, 1),
    "a broken plugin, debug": ((), ("--policy", "broken"), {**DEBUG, "PYTHONPATH": "plugins"}, 1),
}


@pytest.mark.parametrize("name", SECRETS)
async def test_the_key_is_found_nowhere(tmp_path: Path, name: str) -> None:
    """F37: files, tables, output and logs, after a 401, a crash and with all debugging on."""
    named, words, more, code = SECRETS[name]
    plugins = tmp_path / "plugins" / "broken-1.dist-info"
    plugins.mkdir(parents=True)
    (plugins / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (plugins / "entry_points.txt").write_text("[evolgraph.policies]\nbroken = broken_policy:Broken\n")
    (plugins.parent / "broken_policy.py").write_text(PLUGIN)
    async with serving(faults(*named, fault_limit=1)) as url, evolving(tmp_path, url, *words, **more) as run:
        ended, out, err = await run.end()
    assert code in (None, ended), err
    if "plugin" in name:
        assert "nobody foresaw this" in err
    if "debug" in more.get("code", ""):
        assert "DEBUG" in err
    assert holding(tmp_path, out, err) == []
    assert pages_holding(tmp_path / "run.db") == []
