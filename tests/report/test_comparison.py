"""Two runs over the same seeds, compared sample by sample."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from evolgraph.viewer.resampling import clustered, estimated

from ..cli.conftest import Run
from .conftest import Evolved


@pytest.mark.slow
def test_an_ablation_is_two_command_lines(full: Evolved, without_reasoning: Evolved, evolgraph: Run) -> None:
    said = evolgraph("compare", full.store, without_reasoning.store, "--json")
    assert said.code == 0, said.err
    found = said.json
    assert (found["samples"], found["only_a"], found["only_b"], found["seeds_differ"]) == (5, 0, 0, 0)
    assert found["settings"] == {"ablate": [[], ["reasoning"]]}
    for side, run in (("a", full.summary), ("b", without_reasoning.summary)):
        values = {name: measure[side]["value"] for name, measure in found["measures"].items()}
        assert values["acceptance"] == pytest.approx(run.accepted / (run.accepted + run.rejected))
        assert values["calls_per_sample"] == run.calls / 5
        assert run.prompt_tokens is not None and run.completion_tokens is not None
        assert values["tokens_per_accepted"] == pytest.approx(
            (run.prompt_tokens + run.completion_tokens) / run.accepted
        )
    for measure in found["measures"].values():
        change = measure["difference"]
        assert change["value"] == pytest.approx(measure["b"]["value"] - measure["a"]["value"])
        assert change["low"] <= change["value"] <= change["high"]
    shown = evolgraph("compare", full.store, without_reasoning.store)
    assert "ablate: none in A, reasoning in B" in shown.out
    assert "tokens per accepted" in shown.out


def test_a_run_does_not_differ_from_itself(full: Evolved, evolgraph: Run) -> None:
    found = evolgraph("compare", full.store, full.store, "--json").json
    assert found["settings"] == {}
    changes = [measure["difference"] for measure in found["measures"].values()]
    assert all((change["low"], change["value"], change["high"]) == (0, 0, 0) for change in changes)


def test_prices_tell_what_accepted_questions_cost(full: Evolved, evolgraph: Run) -> None:
    def cost(*prices: object) -> dict:
        return evolgraph("compare", full.store, full.store, *prices, "--json").json["measures"]

    assert "cost_per_1000_accepted" not in cost()
    summary = full.summary
    assert summary.prompt_tokens and summary.completion_tokens
    whole = (2.0 * summary.prompt_tokens + 8.0 * summary.completion_tokens) / 1e6
    per_1000 = pytest.approx(1000 * whole / summary.accepted)
    found = cost("--price-in", 2, "--price-out", 8)["cost_per_1000_accepted"]
    assert (found["a"]["value"], found["difference"]["value"]) == (per_1000, 0)
    both = ("--price-in", 2, "--price-out", 8, "--price-in", 1, "--price-out", 4)
    found = cost(*both)["cost_per_1000_accepted"]
    assert found["b"]["value"] == pytest.approx(found["a"]["value"] / 2)
    assert "cost per 1000 accepted" in evolgraph("compare", full.store, full.store, *both).out
    refused = evolgraph("compare", full.store, full.store, "--price-in", 1)
    assert refused.code == 2 and "--price-in and --price-out equally often" in refused.err


def test_only_samples_of_the_same_seed_are_paired(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(full.store, tmp_path / "x.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        db.executescript(
            "UPDATE samples SET digest = 'another' WHERE position = 0;"
            " DELETE FROM settled WHERE sample = (SELECT id FROM samples WHERE position = 1)"
        )
    found = evolgraph("compare", full.store, "x.db", "--json").json
    assert (found["samples"], found["only_a"], found["seeds_differ"]) == (3, 1, 1)
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        db.executescript("DELETE FROM settled")
    assert "no sample of the same seed" in evolgraph("compare", full.store, "x.db").line


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for trial in range(25):
        shared = rng.normal(size=80)  # what questions about one image have in common
        rows = [(image, (shared[image] + rng.normal(), 1.0)) for image in range(80) for _ in range(3)]
        mean = estimated(clustered(rows), lambda sums: sums[..., 0] / sums[..., 1], seed=trial)
        assert mean.low is not None and mean.high is not None
        held += mean.low <= 0 <= mean.high
    assert 20 <= held <= 25
    assert estimated(clustered([]), lambda sums: sums[..., 0]).value is None
