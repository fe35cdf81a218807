"""The examples of plugins, really installed: a fourth direction and a policy work in every command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT
from .installing import built, evolgraph, installed

pytestmark = pytest.mark.slow
DIRECTIONS = ["perception", "reasoning", "interaction", "comparison"]
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with evolgraph, its extra for tuning, and both examples."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in ("my_agent", "my_policy"):
        shutil.copytree(ROOT / "examples" / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "build"))
    return installed(folder, f"evolgraph[tuning] @ {built(folder).as_uri()}", folder / "my_agent", folder / "my_policy")


@pytest.fixture(scope="module")
def run(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command that must go well, in a folder with a run that the example's policy routed in four directions.

    Gives the JSON that it prints, or the text of the file that it writes.
    """
    folder = tmp_path_factory.mktemp("run")

    def run(*words: str, read: str = "") -> Any:
        done = evolgraph(environment, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        return (
            json.loads(done.stdout) if "--json" in words else (folder / (read or words[-1])).read_text(encoding="utf-8")
        )

    run("seeds", "draw", "80", "--seed", "4", "-o", "drawn", "--json")
    words = ("evolve", "drawn/seeds.json", "--store", "run.db", "--out", "out.jsonl", "--policy", "restless:again=0.9")
    told = run(*words, "--rounds", "2", "--target", "10", "--checkpoints", "all", "--json")
    assert (told["samples"], told["failed"], told["pending"]) == (80, 0, 0)
    assert all(told["directions"][name] >= 20 for name in DIRECTIONS)
    assert run("trace", "check", "run.db", "--json")["sound"]
    return run


def test_the_policy_is_listed_and_its_decisions_are_logged(run: Run) -> None:
    listed = run("policy", "list", "--json")["policies"]
    assert "Rarely takes the direction" in next(row["about"] for row in listed if row["name"] == "restless")
    query = """SELECT round, count(*), min(propensity), max(policy || ' ' || policy_version)
               FROM decisions GROUP BY round ORDER BY round"""
    first, second = run("trace", "sql", "run.db", query, "--json")["rows"]
    assert first == [1, 80, 0.25, "restless 1:again=0.9"]
    assert second[1] == 80
    assert second[2] < 0.25


def test_the_direction_asks_with_its_own_text_and_is_judged(run: Run) -> None:
    query = "SELECT sample FROM decisions WHERE direction = 'comparison' AND round = 2 ORDER BY sample"
    ((sample,), *_) = run("trace", "sql", "run.db", query, "--json")["rows"]
    shown = run("trace", "show", "run.db", sample, "--messages", "--json")
    assert "one new question that compares what it asks about" in json.dumps(shown)
    counted = "SELECT stage, accepted, count(*) FROM verdicts WHERE direction = 'comparison' GROUP BY 1, 2"
    counts = {(stage, accepted): n for stage, accepted, n in run("trace", "sql", "run.db", counted, "--json")["rows"]}
    assert counts["judge", 1] > 20
    features = "SELECT features FROM decisions WHERE round = 2"
    told = [json.loads(text) for (text,) in run("trace", "sql", "run.db", features, "--json")["rows"]]
    assert any(one["last_direction"] == "comparison" and one["last_accepted"] > 0 for one in told)


def test_the_report_the_viewer_the_drawing_and_the_exports_know_the_direction(run: Run) -> None:
    cells = run("report", "run.db", "--json")["acceptance"]
    assert [one["direction"] for one in cells if one["round"] == 0] == ["", *DIRECTIONS]
    assert "comparison" in run("report", "run.db", "-o", "report.html")
    assert "<i></i>comparison</span>" in run("view", "run.db", "--export", "site", read="site/policy.html")
    out = run(
        "export", "run.db", "--format", "mmevol", "--rounds", "all", "--direction", "comparison", "-o", "one.json"
    )
    assert len(json.loads(out)) >= 10
    assert "judge -.-> comparison" in run("graph", "-o", "graph.md")


def test_policies_over_four_directions_are_evaluated(run: Run) -> None:
    equal = "fixed:perception=1,reasoning=1,interaction=1,comparison=1"
    words = ("--policy", equal, "--policy", "fixed:comparison=1")
    one, refused = run("policy", "evaluate", "run.db", *words, "--json")["policies"]
    assert one["verdict"] in {"better", "worse", "undecided"}
    assert one["overlap"] > 0.9
    assert refused["verdict"] == "refused"
    assert "comparison" in run("policy", "plot", "run.db", "--policy", "uniform", "-o", "policies.html")


def test_a_fork_takes_the_direction_and_an_ablation_leaves_it_out(run: Run) -> None:
    query = "SELECT sample FROM decisions WHERE direction != 'comparison' AND round = 1 ORDER BY sample LIMIT 1"
    ((sample,),) = run("trace", "sql", "run.db", query, "--json")["rows"]
    forked = run(
        "trace", "fork", "run.db", sample, "--round", "1", "--direction", "comparison", "--images", "drawn", "--json"
    )
    decided = "SELECT direction FROM decisions JOIN runs ON runs.id = run WHERE parent IS NOT NULL AND round = 1"
    assert run("trace", "sql", "run.db", decided, "--json")["rows"] == [["comparison"]], forked
    words = ("evolve", "drawn/seeds.json", "--store", "less.db", "--out", "less.jsonl", "--limit", "6", "--json")
    told = run(*words, "--ablate", "comparison", "--rounds", "1")
    assert told["failed"] == 0
    assert "comparison" not in told["directions"]
