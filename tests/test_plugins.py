"""The examples of plugins, really installed: a fourth direction and a policy work in every command."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, SEEDS
from .installing import built, evolgraph, installed

pytestmark = pytest.mark.slow
DIRECTIONS = ["perception", "reasoning", "interaction", "comparison"]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with evolgraph, its extra for tuning, and both examples."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in ("my_agent", "my_policy"):
        shutil.copytree(ROOT / "examples" / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "build"))
    return installed(folder, f"evolgraph[tuning] @ {built(folder).as_uri()}", folder / "my_agent", folder / "my_policy")


@pytest.fixture(scope="module")
def run(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command that must go well in a folder with a run that the example's policy routed."""
    folder = tmp_path_factory.mktemp("run")

    def run(*words: str | Path) -> str:
        done = evolgraph(environment, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("seeds", "draw", "60", "--seed", "4", "-o", "drawn")
    words = ("evolve", "drawn/seeds.json", "--store", "run.db", "--out", "out.jsonl", "--policy", "restless:again=0.5")
    told = json.loads(run(*words, "--rounds", "3", "--target", "10", "--json"))
    assert (told["samples"], told["failed"], told["pending"]) == (60, 0, 0)
    assert list(told["directions"]) and told["directions"]["comparison"] >= 20
    return run


def rows(run: Run, sql: str) -> list[dict[str, Any]]:
    return json.loads(run("trace", "sql", "run.db", sql, "--json"))["rows"]
