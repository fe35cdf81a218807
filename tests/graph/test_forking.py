"""Time travel: forks of a sample, which leave their parent as it was."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.errors import EvolgraphError
from evolgraph.graph import Settings, evolve
from evolgraph.graph.forking import Turn, fork
from evolgraph.samples.contained import ImageError
from evolgraph.store.check import examine
from evolgraph.store.connections import reading

from ..cli.conftest import run_in
from ..conftest import SEEDS

SETTINGS = Settings(rounds=2, limit=1, policy="fixed:perception=1", checkpoints="all")
TABLES = ("samples", "generations", "decisions", "verdicts", "rewards", "spans", "calls", "settled", "checkpoints")


async def evolved(store: Path, endpoint: Endpoint) -> tuple[str, int]:
    """Evolves the first seed in `store`, or goes on with it; gives the run and how many calls were received."""
    async with evolve(SEEDS, store=store, endpoints=[endpoint], settings=SETTINGS) as run:
        async for _ in run:
            pass
        summary = await run.summary()
    return summary.run, summary.calls


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """The embedded model, for everything here."""
    words = (sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        yield Endpoint(url=json.loads(child.stdout.readline())["url"], model="builtin")
        child.stdin.close()


@pytest.fixture(scope="module")
def parent(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("parent") / "run.db"
    asyncio.run(evolved(store, endpoint))
    return store


@pytest.fixture
def store(parent: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(parent, tmp_path / "run.db"))


def rows(store: Path, run: str) -> dict[str, list[tuple[Any, ...]]]:
    with reading(store) as db:
        whose = {table: "thread LIKE ? || '/%'" if table == "checkpoints" else "run = ?" for table in TABLES}
        return {
            table: db.execute(f"SELECT * FROM {table} WHERE {of}", (run,)).fetchall() for table, of in whose.items()
        }


def way(store: Path, run: str) -> list[tuple[str, float]]:
    with reading(store) as db:
        ordered = "SELECT direction, propensity FROM decisions WHERE run = ? ORDER BY round"
        return db.execute(ordered, (run,)).fetchall()


def test_a_fork_goes_another_way_and_its_parent_stays_as_it_was(store: Path, endpoint: Endpoint) -> None:
    with reading(store) as db:
        (run, sample), *_ = db.execute("SELECT run, id FROM samples").fetchall()
    before = rows(store, run)
    made = asyncio.run(fork(store, Turn(sample, 2, "interaction"), images=SEEDS.parent, endpoints=[endpoint]))
    assert (made.parent, made.outcome.status, made.outcome.rounds) == (run, "exhausted", 2)
    assert way(store, made.run) == [("perception", 1.0), ("interaction", 1.0)]
    assert rows(store, run) == before
    mine = rows(store, made.run)
    shared = [row[1:] for row in before["verdicts"] if row[2] == 1]
    assert [row[1:] for row in mine["verdicts"] if row[2] == 1] == shared
    assert mine["verdicts"] != before["verdicts"]
    with reading(store) as db:
        (kept,) = db.execute("SELECT parent FROM runs WHERE id = ?", (made.run,)).fetchall()
    assert kept == (run,)
    assert [str(problem) for problem in examine(store)] == []

    # A fork of the fork, by the command; then the run itself goes on as if there was none.
    words = ("--run", made.run, "--policy", "fixed:reasoning=1", "--images", SEEDS.parent)
    words = (*words, "--endpoint", endpoint.url, "--model", "builtin")
    said = run_in(store.parent)("trace", "fork", store, sample, "--round", "2", *words, "--json")
    assert (said.code, said.json["parent"], said.json["outcome"]["id"]) == (0, made.run, sample)
    assert way(store, said.json["run"]) == [("perception", 1.0), ("reasoning", 1.0)]
    assert [str(problem) for problem in examine(store)] == []
    assert run_in(store.parent)("trace", "list", store, "--json").json["run"] == run
    assert asyncio.run(evolved(store, endpoint)) == (run, 0)
    with pytest.raises(EvolgraphError, match="fork the run that it came from"):
        asyncio.run(fork(store, Turn(sample, 1), run=made.run, images=SEEDS.parent))


def test_a_fork_asks_the_model_that_its_policy_is(store: Path, endpoint: Endpoint) -> None:
    with reading(store) as db:
        ((sample,),) = db.execute("SELECT id FROM samples").fetchall()
    made = asyncio.run(fork(store, Turn(sample, 1, policy="model"), images=SEEDS.parent, endpoints=[endpoint]))
    with reading(store) as db:
        asked = db.execute("SELECT round FROM calls WHERE run = ? AND agent = 'route' ORDER BY round", (made.run,))
        assert asked.fetchall() == [(1,), (2,)]
    assert [str(problem) for problem in examine(store)] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sample": "nobody"}, "nobody: no such sample in this run"),
        ({"number": 3}, r"round 3 never ended \(it had rounds 1 to 2\)"),
        ({"direction": "sideways"}, "no direction is called 'sideways'"),
        ({"policy": "fixd"}, "did you mean fixed"),
        ({"run": "r"}, "no run is called 'r'"),
    ],
)
def test_a_fork_that_cannot_be_is_refused(store: Path, changes: dict[str, Any], told: str) -> None:
    with reading(store) as db:
        (sample,) = db.execute("SELECT id FROM samples").fetchone()
    asked = {"sample": sample, "number": 2, "direction": None, "policy": None, "run": None} | changes
    turn = Turn(asked["sample"], asked["number"], asked["direction"], asked["policy"])
    with pytest.raises(EvolgraphError, match=told):
        asyncio.run(fork(store, turn, run=asked["run"], images=SEEDS.parent))


def test_a_state_that_was_not_kept_and_images_that_are_gone_are_told(store: Path) -> None:
    with closing(sqlite3.connect(store)) as db, db:
        (sample,) = db.execute("SELECT id FROM samples").fetchone()
    with pytest.raises(ImageError, match="--images"):
        asyncio.run(fork(store, Turn(sample, 1)))
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("DELETE FROM checkpoints WHERE id < (SELECT max(id) FROM checkpoints)")
    with pytest.raises(EvolgraphError, match="--checkpoints all"):
        asyncio.run(fork(store, Turn(sample, 1), images=SEEDS.parent))
    with reading(store) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)
