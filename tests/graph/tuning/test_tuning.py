"""Tuning and its verdicts: what is told of a policy is what `evaluate` would tell, on small logs and on large ones."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evolgraph.graph.policies.registry import load_policy, made
from evolgraph.graph.policies.uniform import Uniform
from evolgraph.graph.tuning.environments import Environment
from evolgraph.graph.tuning.log import LogError
from evolgraph.graph.tuning.recorded import Recorded

pytestmark = pytest.mark.slow


def logged(name: str, samples: int, reuse: int = 1, seed: int = 0) -> Recorded:
    """A uniform log whose images are those of `reuse` samples each."""
    environment = Environment(name)
    uniform = np.full((len(environment.situations), 3), 1 / 3)
    record = environment.record(uniform, samples, np.random.default_rng(seed))
    return replace(record, log=replace(record.log, clusters=np.arange(samples) // reuse))


def written(record: Recorded, path: Path, family: str = "softmax", trials: int = 10) -> Any:
    from evolgraph.graph.tuning.tuning import policy_file, tune

    tuned = tune(record, family, trials)
    path.write_text(policy_file(tuned, "run.db"))
    return tuned


@pytest.mark.parametrize(("samples", "reuse"), [(120, 1), (120, 2), (300, 2)])
def test_whatever_tune_values_evaluate_judges(samples: int, reuse: int, tmp_path: Path) -> None:
    """The most that these logs seem to promise are policies that they are worth 16 to 32 images for."""
    from evolgraph.graph.tuning.evaluation import evaluate
    from evolgraph.graph.tuning.support import LEAST_ESS

    record, path = logged("staged", samples, reuse), tmp_path / "policy.toml"
    tuned = written(record, path)
    assert tuned.refused
    judged = evaluate(record, {str(path): load_policy(str(path))}).policies[0]
    assert judged.verdict != "refused"
    assert judged.ess >= LEAST_ESS


def test_a_log_that_no_policy_can_be_judged_by_is_refused_for_the_same_reason() -> None:
    from evolgraph.graph.tuning.evaluation import evaluate
    from evolgraph.graph.tuning.tuning import tune

    record = logged("staged", 320, reuse=8)
    reason = evaluate(record, {"uniform": Uniform()}).policies[0].reason
    assert "worth 40 images for this policy, fewer than 50" in reason
    with pytest.raises(LogError, match=r"no policy can be valued: the log is worth [34][0-9] images"):
        tune(record, "softmax", 4)


@pytest.mark.parametrize("family", ["softmax", "fixed", "linear-thompson"])
def test_what_is_eligible_but_never_tried_is_not_promised(family: str) -> None:
    """In half the samples perception might have been chosen, but had no chance: nobody knows what it brings there."""
    from evolgraph.graph.tuning.tuning import tune

    record = logged("uneven", 600)
    half = (record.log.actions != 0).all(axis=1) & (np.arange(600) % 2 == 0)
    vectors = np.where(half[:, None, None], [0, 0.5, 0.5], record.log.logged)
    log = replace(record.log, logged=np.where(record.log.taken[..., None], vectors, 0.0))
    with pytest.raises(LogError, match="never tried perception where this policy chooses it"):
        tune(replace(record, log=log), family, 3)


def test_a_large_log_is_searched_in_part_and_valued_on_the_rest(monkeypatch: Any) -> None:
    from evolgraph.graph.tuning import tuning

    record, environment = logged("staged", 3000, reuse=3), Environment("staged")
    monkeypatch.setattr(tuning, "MOST_SAMPLES", 600)
    told: list[str] = []
    tuned = tuning.tune(record, "softmax", 12, tell=lambda work, *_: told.append(work))
    assert (tuned.samples, tuned.searched) == (3000, 600)
    assert {"trying", "valuing"} <= {*told}
    settings = {name: value for name, value in tuned.spec.items() if name != "policy"}
    truth = environment.value(environment.policy_table(made(tuned.spec["policy"], settings)))
    assert tuned.value.low < truth < tuned.value.high
    assert tuned.value.low > tuned.logged


def test_a_policy_that_chooses_as_the_log_did_differs_by_nothing() -> None:
    from evolgraph.graph.tuning.evaluation import evaluate

    for seed in range(5):  # by chance alone one in twenty would be told to be better or worse
        judged = evaluate(logged("level", 200, seed=seed), {"uniform": Uniform()}).policies[0]
        assert (judged.verdict, judged.reason) == ("undecided", "it chooses as the log did")
        assert str(judged.difference) == "0.0000 [0.0000, 0.0000]"


def test_a_run_flatters_the_policy_that_was_tuned_on_it(tmp_path: Path) -> None:
    from evolgraph.graph.tuning.evaluation import evaluate

    record, path = logged("level", 400), tmp_path / "policy.toml"
    tuned = written(record, path, "fixed")
    policies = {str(path): load_policy(str(path)), "uniform": Uniform()}
    (warning,) = evaluate(record, policies).warnings
    assert warning.startswith(f"{path} was tuned on this run, which flatters it")
    assert evaluate(replace(record, run="another"), policies).warnings == []
    assert path.read_text().splitlines()[1].startswith(f"# Mean summed reward {tuned.value}")


def test_weights_for_what_the_log_does_not_know_are_pointed_out() -> None:
    from evolgraph.graph.tuning.evaluation import evaluate

    spec = "fixed:perception=1,reasoning=1,interacton=1"
    (warning,) = evaluate(logged("level", 200), {spec: load_policy(spec)}).warnings
    assert warning == f"{spec} has weights for interacton, which the log does not know"


def test_features_that_never_change_get_no_weight() -> None:
    from evolgraph.graph.tuning.tuning import tune

    record = logged("uneven", 400)
    flat = record.log.features[record.log.taken]
    constant = {name for name, column in zip(record.log.feature_names, flat.T, strict=True) if np.ptp(column) == 0}
    assert {"objects", "megapixels", "caption"} <= constant
    tuned = tune(record, "softmax", 6)
    assert not any(constant & {*row} for row in tuned.spec["weights"].values())
    assert any(row for row in tuned.spec["weights"].values())


def test_the_regressions_are_ridge_regressions() -> None:
    """Beside scikit-learn's, which is told all rows of the design: fitted Q evaluation of two policies, by folds."""
    from evolgraph.graph.tuning.regression import Regression, folds, standardised
    from sklearn.linear_model import Ridge

    log = logged("staged", 300, reuse=2).log
    targets = np.stack([log.logged, np.where(log.taken[..., None], [0.5, 0.3, 0.2], 0.0)])
    fold, features, reward = folds(log.clusters), standardised(log), log.signals["reward"]
    found, expected = Regression(log, fold).action_values(targets, reward), np.zeros(targets.shape)

    def design(rows: Any, chosen: Any) -> Any:
        return np.hstack([rows, chosen, (chosen[:, :, None] * rows[:, None]).reshape(len(rows), -1)])

    for held in range(5):
        later = np.zeros(targets.shape[:2])
        for number in (2, 1, 0):
            taken, seen = log.taken[:, number], log.taken[:, number] & (fold != held)
            ridge = Ridge(alpha=3.0).fit(
                design(features[seen, number], np.eye(3)[log.actions[seen, number]]),
                (reward[seen, number] + later[:, seen]).T,
            )
            each = [np.tile(np.eye(3)[one], (taken.sum(), 1)) for one in range(3)]
            q = np.stack([ridge.predict(design(features[taken, number], one)).T for one in each], axis=-1)
            later = np.zeros(targets.shape[:2])
            later[:, taken] = (targets[:, taken, number] * q).sum(axis=-1)
            rows = taken & (fold == held)
            expected[:, rows, number] = q[:, rows[taken]]
    assert found == pytest.approx(expected, abs=1e-9)


def test_many_images_are_drawn_in_groups_that_tell_the_same_interval() -> None:
    from evolgraph.graph.tuning.estimators import Terms, interval, resampled, units

    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(9000), 2)
    values = np.repeat(rng.exponential(size=9000), 2)[:, None]
    drawn = units(clusters)
    assert len(np.unique(drawn)) == 4000
    assert (drawn[::2] == drawn[1::2]).all(), "samples of an image stay together"
    terms = Terms(values, np.ones_like(values))
    low, high = interval(terms.values(resampled(drawn, 1000, rng), drawn))
    error = 1.96 * values[::2].std() / 9000**0.5
    assert (high - low) / 2 == pytest.approx(error, rel=0.1)
    assert (units(np.arange(4000)) == np.arange(4000)).all()


_TUNED = """
import numpy as np
from evolgraph.graph.tuning.environments import Environment
from evolgraph.graph.tuning.tuning import policy_file, tune
environment = Environment("staged")
uniform = np.full((len(environment.situations), 3), 1 / 3)
record = environment.record(uniform, 200, np.random.default_rng(0))
for family in ("softmax", "fixed", "linear-thompson"):
    print(policy_file(tune(record, family, 3, seed=5), "run.db"))
"""


def test_a_seed_gives_the_same_file_in_every_process() -> None:
    found = [
        subprocess.run(
            [sys.executable, "-c", _TUNED], capture_output=True, check=True, timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] != b""
