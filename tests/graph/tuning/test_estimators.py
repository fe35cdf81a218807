"""Estimates of other policies: they are the closed forms, and broken logs are refused."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from evolgraph.graph.tuning.environments import NAMES, ROUNDS, Environment
from evolgraph.graph.tuning.log import Log, LogError, check
from numpy.typing import NDArray

UNIFORM = [1 / 3] * 3


def log_of(actions: Any, rewards: Any, logged: Any = None) -> Log:
    """A log over three directions; `logged` is uniform where it is not given."""
    taken = np.array(actions) >= 0
    vectors = np.broadcast_to(UNIFORM if logged is None else logged, (*taken.shape, 3))
    brought = np.array(rewards, dtype=float)
    return Log(
        directions=("perception", "reasoning", "interaction"),
        clusters=np.arange(len(taken)),
        actions=np.array(actions),
        logged=np.where(taken[..., None], vectors, 0.0),
        eligible=np.repeat(taken[..., None], 3, axis=-1),
        signals={"reward": brought},
        features=np.zeros((*taken.shape, 1)),
        feature_names=("nothing",),
    )


def uniform_of(environment: Environment) -> NDArray[np.float64]:
    return np.full((len(environment.situations), 3), 1 / 3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"logged": np.nan}, "without the probability that they were drawn with"),
        ({"logged": 0.0}, "without the probability that they were drawn with"),
        ({"logged": 0.4}, "do not sum to 1"),
    ],
)
def test_a_log_without_propensities_is_refused(change: dict[str, float], complaint: str) -> None:
    log = log_of([[0, 1], [1, 2]], [[0.1, 0.2], [0.3, 0.1]])
    with pytest.raises(LogError, match=complaint):
        check(replace(log, logged=np.full(log.logged.shape, change["logged"])))


def test_a_log_that_was_certain_everywhere_is_refused() -> None:
    log = log_of([[0, 0]] * 9, [[0.1, 0.2]] * 9, [1.0, 0.0, 0.0])
    with pytest.raises(LogError, match=r"certainty in every round \(p = 1\).*--policy uniform"):
        check(log)


def test_a_log_whose_probabilities_are_not_those_of_its_draws_is_refused() -> None:
    log = log_of([[number % 2] for number in range(300)], [[0.1]] * 300)
    with pytest.raises(LogError, match="chose perception 150 times, but its probabilities say 100"):
        check(log)


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(LogError, match="no round of a settled sample"):
        check(log_of([[-1]], [[0.0]]))


@pytest.mark.parametrize("name", NAMES)
def test_the_exact_values_are_those_of_fresh_samples(name: str) -> None:
    environment = Environment(name)
    rng = np.random.default_rng(3)
    value, best = environment.oracle()
    assert environment.value(best) == pytest.approx(value)
    for policy in (uniform_of(environment), best):
        found = environment.simulate(policy, 20_000, rng)[1].signals["reward"].sum(axis=1)
        assert found.mean() == pytest.approx(environment.value(policy), abs=4 * found.std() / 20_000**0.5)
        assert environment.value(policy) <= value + 1e-9


def test_the_exact_value_of_a_policy_is_that_of_all_its_ways() -> None:
    """Brute force: every sequence of directions with its probability, each with its own exact value."""
    environment = Environment("staged")
    shares = np.array([0.2, 0.5, 0.3])
    rounds = np.array([now.round - 1 for now in environment.situations])
    total = 0.0
    for way in product(range(3), repeat=ROUNDS):
        sequence = np.eye(3)[np.array(way)[rounds]]
        total += float(np.prod(shares[list(way)])) * environment.value(sequence)
    assert environment.value(np.tile(shares, (len(rounds), 1))) == pytest.approx(total)


@pytest.mark.slow
class TestEstimators:
    """With scikit-learn, which takes a second to import."""

    def test_two_rounds_by_hand(self) -> None:
        from evolgraph.graph.tuning.estimators import Estimation

        log = log_of([[0, 1], [1, -1], [0, 0], [2, 1]], [[0.3, 0.1], [0.2, 0.0], [0.0, 0.4], [0.1, 0.1]])
        target = np.where(log.taken[..., None], [0.5, 0.3, 0.2], 0.0)
        estimation = Estimation(log, target[None])
        w = np.array([[1.5, 1.5 * 0.9], [0.9, 0.9], [1.5, 2.25], [0.6, 0.6 * 0.9]])
        assert estimation.weights[0] == pytest.approx(w)
        r = log.signals["reward"]
        assert estimation.terms("is", 0).value() == pytest.approx((w * r).sum(axis=1).mean())
        assert estimation.terms("snis", 0).value() == pytest.approx(((w * r).sum(axis=0) / w.sum(axis=0)).sum())

    def test_on_its_own_log_every_weight_is_one(self) -> None:
        from evolgraph.graph.tuning.estimators import Estimation, on_policy

        environment = Environment("uneven")
        _, log = environment.simulate(uniform_of(environment), 400, np.random.default_rng(0))
        estimation = Estimation(log, log.logged[None])
        for name in ("is", "snis", "clipped"):
            assert estimation.terms(name, 0).value() == pytest.approx(on_policy(log).value())
        assert estimation.terms("dr", 0).value() == pytest.approx(on_policy(log).value(), abs=0.01)

    @pytest.mark.parametrize("name", NAMES)
    def test_estimates_are_near_the_truth_on_a_large_log(self, name: str) -> None:
        from evolgraph.graph.tuning.estimators import Estimation

        environment = Environment(name)
        table = np.tile([0.2, 0.5, 0.3], (len(environment.situations), 1))
        states, log = environment.simulate(uniform_of(environment), 20_000, np.random.default_rng(1))
        estimation = Estimation(log, environment.along(table[None], states))
        for one in ("dr", "is", "snis", "clipped"):
            assert estimation.terms(one, 0).value() == pytest.approx(environment.value(table), abs=0.01)

    def test_a_model_that_is_wrong_is_put_right(self) -> None:
        """Doubly robust: with nothing to go by the direct method is off, and the weights mend it."""
        from evolgraph.graph.tuning.estimators import Estimation

        environment = Environment("uneven")
        _, best = environment.oracle()
        table = 0.6 * best + 0.4 / 3
        states, log = environment.simulate(uniform_of(environment), 20_000, np.random.default_rng(2))
        blind = replace(log, features=np.zeros_like(log.features))
        estimation = Estimation(blind, environment.along(table[None], states))
        truth = environment.value(table)
        assert abs(estimation.terms("dm", 0).value() - truth) > 0.05
        assert estimation.terms("dr", 0).value() == pytest.approx(truth, abs=0.015)
