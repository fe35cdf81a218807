"""The two runs of docs/report.md, evolved once for all tests that read them."""

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from evolgraph.graph.outcome import Outcome, Summary
from evolgraph.samples.sample import QA

from ..cli.conftest import Run, run_in
from ..conftest import ROOT, SEEDS

SAMPLES = 5


@dataclass(frozen=True)
class Evolved:
    """A store, and what its run said of itself."""

    store: Path
    summary: Summary
    outcomes: dict[str, Outcome]


def commands(name: str) -> list[list[str]]:
    """The words of the commands that a page of docs/ shows."""
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    return [shlex.split(line.removeprefix("uv run evolgraph ")) for line in blocks.splitlines()]


def evolved(folder: Path, store: str) -> Evolved:
    """Runs the page's `evolve` into `store` over a few of the examples."""
    shutil.copytree(SEEDS.parent, folder, dirs_exist_ok=True)
    seeds = json.loads(SEEDS.read_text(encoding="utf-8"))[:SAMPLES]
    (folder / "my_seeds.json").write_text(json.dumps(seeds))
    (words,) = [words for words in commands("report.md") if words[0] == "evolve" and store in words]
    said = run_in(folder)(*words, "--json")
    assert said.code == 0, said.err
    rows = [json.loads(row) for row in (folder / "my_seeds.evolved.jsonl").read_text(encoding="utf-8").splitlines()]
    outcomes = {row["id"]: outcome(**row) for row in rows}
    return Evolved(folder / store, Summary(**said.json), outcomes)


def outcome(*, id: str, status: str, rounds: int, qas: list[dict], **row) -> Outcome:
    means = row["complexity_before"], row["complexity_after"]
    return Outcome(id, status, "", rounds, *means, tuple(QA.model_validate(qa) for qa in qas))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Evolved:
    """Two rounds over five samples of the examples."""
    return evolved(tmp_path_factory.mktemp("full"), "all.db")


@pytest.fixture(scope="session")
def without_reasoning(tmp_path_factory: pytest.TempPathFactory) -> Evolved:
    """The same, but nothing is sent to the reasoning agent."""
    return evolved(tmp_path_factory.mktemp("less"), "less.db")


@pytest.fixture
def evolgraph(tmp_path: Path) -> Run:
    return run_in(tmp_path)
