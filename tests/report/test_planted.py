"""`evolgraph compare --planted`: of defects planted on purpose, how many each run turned down."""

import contextlib
import json
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..cli.conftest import SCRIPT, Run, run_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two runs over the same drawn seeds, one of them without a judge, and what was planted in both."""
    home = tmp_path_factory.mktemp("planted")
    command = [SCRIPT, "serve", "--port", "0", "--plant", "all:0.6"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        url = json.loads(server.stdout.readline())["url"]
        run = run_in(home)
        assert run("seeds", "draw", 12, "--seed", 5, "-o", "drawn").code == 0
        words = ("evolve", "drawn/seeds.json", "--rounds", 1, "--endpoint", url, "--model", "builtin")
        for store, more in (("all.db", ()), ("less.db", ("--ablate", "judge"))):
            said = run(*words, "--store", store, *more)
            assert said.code == 0, said.err
        with urllib.request.urlopen(url.removesuffix("/v1") + "/planted") as answer:
            (home / "planted.json").write_bytes(answer.read())
        server.terminate()
    yield home


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    return run_in(home)


def rejected(home: Path, store: str) -> tuple[float, float]:
    """The shares of the spoiled and of the sound pairs that were turned down, without the code under test."""
    planted = {(one["reply"], one["qa"]) for one in json.loads((home / "planted.json").read_text())["planted"]}
    counts = {True: [0, 0], False: [0, 0]}
    with contextlib.closing(sqlite3.connect(home / store)) as db:
        rows = db.execute(
            "SELECT v.accepted, v.qa, c.response_id FROM verdicts v JOIN calls c ON c.sample = v.sample"
            " AND c.agent = v.direction"
        )
        for accepted, qa, reply in rows:
            count = counts[(reply, qa) in planted]
            count[0] += 1
            count[1] += not accepted
    return counts[True][1] / counts[True][0], counts[False][1] / counts[False][0]


def test_recall_is_told_for_both_with_an_interval(run: Run, home: Path) -> None:
    said = run("compare", "all.db", "less.db", "--planted", "planted.json", "--json")
    assert said.code == 0, said.err
    measures = said.json["measures"]
    recall, lost = measures["planted_recall"], measures["sound_lost"]
    for side, store in (("a", "all.db"), ("b", "less.db")):
        assert (recall[side]["value"], lost[side]["value"]) == pytest.approx(rejected(home, store))
    assert recall["a"]["value"] > recall["b"]["value"] > 0
    assert recall["difference"]["low"] < recall["difference"]["value"] < recall["difference"]["high"]
    shown = run("compare", "all.db", "less.db", "--planted", "planted.json", "--planted", "planted.json")
    assert "planted recall" in shown.out
    assert "planted" not in run("compare", "all.db", "less.db").out


def test_a_list_that_is_none_is_refused(run: Run, home: Path) -> None:
    (home / "bad.json").write_text('{"planted": [{}]}')
    assert "not what an embedded model tells" in run("compare", "all.db", "less.db", "--planted", "bad.json").line
    assert "cannot be read" in run("compare", "all.db", "less.db", "--planted", "none.json").line
    three = ["--planted", "planted.json"] * 3
    assert "once for each store" in run("compare", "all.db", "less.db", *three).line
