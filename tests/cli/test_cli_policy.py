"""`evolgraph policy` on real runs of the example seeds."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from evolgraph.cli import working
from evolgraph.graph.policies.registry import BUILTIN, load_policy

from ..conftest import SEEDS
from .conftest import run_in


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a uniform run, and one that cycled."""
    folder = tmp_path_factory.mktemp("policies")
    for name in ("uniform", "cycle"):
        words = ("evolve", str(SEEDS), "--store", f"{name}.db", "--out", f"{name}.jsonl", "--policy", name)
        assert run_in(folder)(*words, "--rounds", "2").code == 0
    return folder


def test_every_policy_is_listed_with_what_it_does(tmp_path: Path) -> None:
    found = run_in(tmp_path)("policy", "list", "--json").json["policies"]
    assert [row["name"] for row in found] == [*BUILTIN]
    assert all(row["about"] for row in found)


@pytest.mark.slow
class TestOnRuns:
    """With scikit-learn, Optuna and matplotlib, which take seconds to import."""

    def test_a_small_log_gives_no_verdict_and_says_what_to_log(self, folder: Path) -> None:
        words = ("policy", "evaluate", "uniform.db", "--policy", "uniform", "--policy", "fixed:reasoning=1")
        said = run_in(folder)(*words, "--json")
        assert said.code == 0
        assert (said.json["samples"], said.json["images"]) == (10, 10)
        for row in said.json["policies"]:
            assert row["verdict"] == "refused"
            assert row["estimates"] == {}
            assert "log" in row["reason"]
        assert said.json["policies"][0]["ess"] == pytest.approx(10)

    def test_a_run_that_was_certain_is_refused(self, folder: Path) -> None:
        for words in (("evaluate", "cycle.db"), ("tune", "cycle.db", "-o", "x.toml"), ("plot", "cycle.db", "-o", "x")):
            said = run_in(folder)("policy", *words)
            assert said.code == 2
            assert "p = 1" in said.line
            assert "--policy uniform" in said.line

    def test_a_run_without_propensities_is_refused(self, folder: Path) -> None:
        with (
            closing(sqlite3.connect(folder / "uniform.db")) as db,
            closing(sqlite3.connect(folder / "bare.db")) as bare,
        ):
            db.backup(bare)
            bare.execute("UPDATE decisions SET probabilities = '{}'")
            bare.commit()
        said = run_in(folder)("policy", "evaluate", "bare.db")
        assert said.code == 2
        assert "without the probability" in said.line

    def test_what_was_never_tried_is_not_judged(self, folder: Path) -> None:
        words = ("evolve", str(SEEDS), "--store", "two.db", "--out", "two.jsonl", "--rounds", "1")
        assert run_in(folder)(*words, "--policy", "fixed:perception=1,reasoning=1").code == 0
        said = run_in(folder)("policy", "evaluate", "two.db", "--policy", "uniform", "--json")
        assert said.code == 0
        (row,) = said.json["policies"]
        assert row["verdict"] == "refused"
        assert "never tried interaction" in row["reason"]

    def test_the_page_opens_offline(self, folder: Path) -> None:
        said = run_in(folder)("policy", "plot", "uniform.db", "-o", "page.html", "--json")
        assert said.code == 0, said.err
        page = (folder / "page.html").read_text(encoding="utf-8")
        assert json.loads(said.out) == {"output": "page.html"}
        assert page.count("<svg") >= 3
        assert "src=" not in page
        assert "Shares of directions by round" in page

    def test_how_far_it_is_goes_to_standard_error(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(working, "LINE_EVERY_S", 0.0)
        said = run_in(folder)("policy", "evaluate", "uniform.db", "--json")
        assert said.err.splitlines()[0].startswith("reading, 10 of 10 | ")
        assert said.json["samples"] == 10

    def test_tuning_asks_for_more_samples(self, folder: Path) -> None:
        said = run_in(folder)("policy", "tune", "uniform.db", "-o", "x.toml")
        assert said.code == 2
        assert "has 10 samples, fewer than 100" in said.line


@pytest.mark.slow
@pytest.mark.parametrize("family", ["softmax", "fixed", "linear-thompson"])
def test_a_tuned_file_is_the_policy_that_was_valued(family: str, tmp_path: Path) -> None:
    import numpy as np
    from evolgraph.graph.tuning.environments import Environment
    from evolgraph.graph.tuning.families import FAMILIES
    from evolgraph.graph.tuning.regression import folds
    from evolgraph.graph.tuning.tuning import policy_file, tune

    environment = Environment("uneven")
    uniform = np.full((len(environment.situations), 3), 1 / 3)
    record = environment.record(uniform, 300, np.random.default_rng(0))
    tuned = tune(record, family, 8)
    path = tmp_path / "policy.toml"
    path.write_text(policy_file(tuned, "run.db"))
    policy = load_policy(str(path))
    known = FAMILIES[family](record, folds(record.log.clusters))
    assert record.targets(policy) == pytest.approx(known.targets(tuned.spec, record), abs=1e-6)
    assert tuned.value.low < tuned.value.value < tuned.value.high
    assert environment.value(environment.policy_table(policy)) >= 0.98 * environment.value(uniform)
