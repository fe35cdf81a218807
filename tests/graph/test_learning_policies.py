"""Policies that learn or weigh features: what they propose, what they remember, and how they come back."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evolgraph.graph.policies import encoding
from evolgraph.graph.policies.best import best_probabilities
from evolgraph.graph.policies.coverage import Coverage
from evolgraph.graph.policies.encoding import PREFIXES, encode
from evolgraph.graph.policies.epsilon_greedy import EpsilonGreedy
from evolgraph.graph.policies.linear_thompson import MOST_FEATURES, LinearThompson
from evolgraph.graph.policies.policy import Context, Decision, LearningPolicy, PolicyError
from evolgraph.graph.policies.registry import load_policy
from evolgraph.graph.policies.softmax import Softmax
from evolgraph.graph.policies.thompson import Thompson
from evolgraph.graph.policies.ucb import Ucb
from evolgraph.graph.tuning.environments import Situation

NAMES = ("perception", "reasoning", "interaction")
LEARNING = ("coverage", "epsilon-greedy", "ucb", "thompson", "linear-thompson")


def features(kind: str = "chart", **changes: Any) -> dict[str, Any]:
    return Situation(kind, 2, 3, 1, None, False).features() | changes


def context(kind: str = "chart", eligible: tuple[str, ...] = NAMES, **changes: Any) -> Context:
    return Context("s", 1, eligible, features(kind, **changes), "v1")


def decision(direction: str, kind: str = "chart") -> Decision:
    shares: dict[str, float] = dict.fromkeys(NAMES, 1 / 3)
    return Decision(
        "s", 1, direction, 1 / 3, shares, list(NAMES), features(kind), "v1", 0.5, "thompson", "1", 0
    )  # fmt: skip


def rewards(count: int, seed: int = 0) -> list[tuple[Decision, float]]:
    """Reasoning pays on charts, perception on scenes."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        direction, kind = rng.choice(NAMES), rng.choice(["chart", "scene"])
        pays = (kind, direction) in (("chart", "reasoning"), ("scene", "perception"))
        found.append((decision(direction, kind), rng.choice([0.0, 1 / 9, 3 / 9] if pays else [0.0, 0.0, 1 / 9])))
    return found


def taught(spec: str, told: list[tuple[Decision, float]]) -> Any:
    policy = load_policy(spec)
    for one, reward in told:
        policy.learn(one, reward)
    return policy


@pytest.mark.parametrize("spec", LEARNING)
async def test_what_was_learnt_comes_back_and_adds_up(spec: str) -> None:
    told = rewards(60)
    whole, first, second = taught(spec, told), taught(spec, told[:25]), taught(spec, told[25:])
    assert isinstance(whole, LearningPolicy)
    back = load_policy(spec)
    assert isinstance(back, LearningPolicy)
    back.restore(whole.state())
    first.merge(second)
    late = taught(spec, told[::-1])
    expected = await whole.propose(context("scene"))
    assert await back.propose(context("scene")) == expected
    for other in (first, late):
        assert await other.propose(context("scene")) == pytest.approx(expected, abs=1e-6)
    assert expected != pytest.approx(await load_policy(spec).propose(context("scene")), abs=1e-3)


@pytest.mark.parametrize("spec", [*LEARNING, "softmax"])
async def test_every_direction_keeps_its_floor(spec: str, tmp_path: Path) -> None:
    if spec == "softmax":
        policy: Any = Softmax({"reasoning": {"bias": 50.0}}, floor=0.05)
    else:
        policy = taught(spec, [(decision("reasoning"), 1.0), (decision("perception"), -1.0)] * 200)
    for eligible in (NAMES, ("reasoning", "interaction"), ("interaction",)):
        vector = await policy.propose(context(eligible=eligible))
        assert sum(vector.values()) == pytest.approx(1)
        assert min(vector.values()) >= 0.0499


def test_a_sum_of_rewards_does_not_depend_on_their_order() -> None:
    told = rewards(200)
    assert taught("thompson", told).state() == taught("thompson", told[::-1]).state()


async def test_greedy_takes_the_untried_first_and_then_the_best() -> None:
    policy = EpsilonGreedy(epsilon=0.3)
    policy.learn(decision("reasoning"), 0.2)
    assert await policy.propose(context()) == pytest.approx({"perception": 0.45, "reasoning": 0.1, "interaction": 0.45})
    for name, reward in (("perception", 0.1), ("interaction", 0.3)):
        policy.learn(decision(name), reward)
    assert await policy.propose(context()) == pytest.approx({"perception": 0.1, "reasoning": 0.1, "interaction": 0.8})


async def test_ucb_takes_the_highest_upper_bound() -> None:
    policy = Ucb(width=0.1, floor=0.0)
    for name, reward, times in (("perception", 0.2, 100), ("reasoning", 0.15, 2), ("interaction", 0.1, 100)):
        for _ in range(times):
            policy.learn(decision(name), reward)
    # 0.2 + 0.033, 0.15 + 0.231, 0.1 + 0.033
    assert (await policy.propose(context()))["reasoning"] == 1


async def test_coverage_sends_a_kind_where_it_brought_least() -> None:
    policy = Coverage(pull=1, floor=0)
    for _ in range(3):
        policy.learn(decision("reasoning", "chart"), 0.1)
    policy.learn(decision("perception", "chart"), 0.0)
    assert await policy.propose(context("chart")) == pytest.approx(
        {"perception": 4 / 9, "reasoning": 1 / 9, "interaction": 4 / 9}
    )
    assert await policy.propose(context("scene")) == pytest.approx(dict.fromkeys(NAMES, 1 / 3))


async def test_thompsons_probabilities_are_those_of_its_draws() -> None:
    policy = taught("thompson:floor=0", rewards(40))
    beliefs = [policy.belief(name) for name in NAMES]
    draws = np.random.default_rng(0).normal(*np.array(beliefs).T, size=(200_000, 3))
    shares = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    assert [*(await policy.propose(context())).values()] == pytest.approx(shares.tolist(), abs=0.005)


def test_the_probability_of_being_best_is_the_closed_form_for_two() -> None:
    # P(X > Y) of normals is the distribution function at (m1 - m2) / sqrt(s1^2 + s2^2); 0.5 / 0.5 gives 1.
    found = best_probabilities(
        np.array([[1.0, 0.5], [0.0, 0.0], [5.0, 0.0]]), np.array([[0.3, 0.4], [1, 1e-4], [1, 1]])
    )
    assert found[:, 0] == pytest.approx([0.8413447, 0.5, 0.9997965], abs=1e-4)


async def test_linear_thompson_learns_what_suits_which_sample() -> None:
    policy = taught("linear-thompson", rewards(600))
    assert (await policy.propose(context("chart")))["reasoning"] > 0.8
    assert (await policy.propose(context("scene")))["perception"] > 0.8


def test_linear_thompson_is_the_bayesian_regression() -> None:
    policy = LinearThompson(noise=0.2, prior=0.5)
    told = rewards(30)
    for one, reward in told:
        policy.learn(one, reward)
    names = [*policy.state()["features"]]
    rows = [(encode(one.features), reward) for one, reward in told if one.direction == "reasoning"]
    x = np.array([[row.get(name, 0.0) for name in names] for row, _ in rows])
    y = np.array([reward for _, reward in rows])
    weights = np.linalg.solve(x.T @ x + np.eye(len(names)) * 0.2**2 / 0.5**2, x.T @ y)
    mean, _ = policy.beliefs("reasoning", x[0])
    assert mean == pytest.approx(weights @ x[0])


async def test_linear_thompson_stays_cheap_with_ever_new_kinds() -> None:
    policy = LinearThompson()
    for number in range(200):
        policy.learn(decision("reasoning", f"kind {number}"), 0.1)
    assert len(policy.state()["features"]) == MOST_FEATURES
    assert sum((await policy.propose(context("kind 199"))).values()) == pytest.approx(1)


async def test_softmax_weighs_named_features() -> None:
    policy = Softmax({"reasoning": {"kind=chart": np.log(2), "complexity": 5}, "perception": {"form=ocr": 9}}, floor=0)
    unjudged = await policy.propose(context("chart"))
    assert unjudged == pytest.approx({"perception": 0.25, "reasoning": 0.5, "interaction": 0.25})
    assert await policy.propose(context("scene")) == pytest.approx(dict.fromkeys(NAMES, 1 / 3))


def test_the_encoding_names_what_happened_before() -> None:
    found = encode(features(last_direction="reasoning", last_accepted=0.5, complexity=4.0, forms=["open", "ocr"]))
    assert (found["last=reasoning"], found["accepted:reasoning"], found["complexity"]) == (1, 0.5, 0.4)
    assert {"kind=chart", "form=open", "form=ocr"} <= set(found)
    assert encode(features())["unjudged"] == 1


def test_weights_may_be_for_every_number_that_rounds_have() -> None:
    seen = encode(features(last_direction="reasoning", last_accepted=0.5, forms=["open"]))
    assert Softmax({"reasoning": dict.fromkeys(seen, 1.0)}).weights["reasoning"].keys() == seen.keys()
    assert {name for name in seen if not name.startswith(PREFIXES)} == {*encoding.NAMES}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('policy = "softmax"\n[weights.reasoning]\nbias = "much"', "softmax: cannot be built"),
        ('policy = "softmax"\n[weights.reasoning]\nbias = inf', "weights must be finite"),
        ('policy = "softmax"\nfeature_set = "v2"\n[weights.reasoning]\nbias = 1', "feature set v2, known is v1"),
        ('policy = "linear-thompson"\nnoise = 0', "noise and prior must be above 0"),
        ('policy = "linear-thompson"\n[state]\nfeatures = ["bias"]', "linear-thompson: cannot be built"),
        ('policy = "thompson"\nfloor = 0.9', "floor is 0.9, not between 0 and 0.5"),
        ('policy = "linear-thompson"\nprior = inf', "noise and prior must be above 0 and finite"),
        ('policy = "softmax"\n[weights.reasoning]\ncomplexty = 1', "'complexty' (did you mean complexity?)"),
        ('policy = "ucb"\nwidth = -1', "width is -1"),
        ('policy = "ucb"\nwidth = inf', "width is inf"),
        ('policy = "coverage"\npull = nan', "pull is nan"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(content)
    with pytest.raises(PolicyError) as caught:
        load_policy(str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["ucb:width=0.1,floor=0.02", "thompson:floor=0.02", "epsilon-greedy:epsilon=0.1"])
def test_numbers_behind_a_name_are_settings(spec: str) -> None:
    assert load_policy(spec).version == f"1:{spec.partition(':')[2]}"


def test_versions_tell_states_and_weights_apart(tmp_path: Path) -> None:
    def version(weights: Mapping[str, float]) -> str:
        return Softmax({"reasoning": weights}).version

    assert version({"bias": 1, "round": 2}) == version({"round": 2, "bias": 1}) != version({"bias": 1})
    many = {f"form={number}": 1.0 for number in range(40)}
    assert len(version(many)) < 50, "it stands in every decision's row"
    assert version(many) == version(dict(reversed(many.items()))) != version(many | {"form=7": 1.1})
    known = taught("linear-thompson", rewards(5)).state()
    assert LinearThompson(state=known).version != LinearThompson().version
    assert isinstance(LinearThompson(state=known), LearningPolicy)
    assert not isinstance(load_policy("uniform"), LearningPolicy)
    assert isinstance(Thompson(), LearningPolicy)
