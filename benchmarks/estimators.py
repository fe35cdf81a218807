"""How good the estimates of other policies are: many uniform logs of simulated processes whose truths are known."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from evolgraph.graph.tuning.environments import NAMES, Environment
from evolgraph.graph.tuning.estimators import ESTIMATORS, Estimation, interval, resampled
from evolgraph.graph.tuning.log import Floats

RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: `repetitions` uniform logs of `samples` samples in each environment."""

    repetitions: int = 500
    samples: int = 1000
    seed: int = 0


def policies(environment: Environment) -> dict[str, Floats]:
    """The four target policies, as tables by situation."""
    count = len(environment.situations)
    _, best = environment.oracle()
    chance = np.random.default_rng(5).dirichlet(np.ones(3), count)
    return {
        "fixed 0.5/0.25/0.25": np.tile([0.5, 0.25, 0.25], (count, 1)),
        "fixed 0.2/0.7/0.1": np.tile([0.2, 0.7, 0.1], (count, 1)),
        "the best, 40% uniform": 0.6 * best + 0.4 / 3,
        "by chance, 30% uniform": 0.7 * chance + 0.3 / 3,
    }


def estimators(plan: Plan) -> dict[str, Any]:
    """Coverage of the doubly robust 95% interval, and the mean absolute error of every estimator."""
    found = {name: _measured(Environment(name), plan) for name in NAMES}
    rows = [row for environment in found.values() for row in environment.values()]
    errors = {name: float(np.mean([row["error"][name] for row in rows])) for name in ESTIMATORS}
    return {
        "repetitions": plan.repetitions,
        "samples": plan.samples,
        "environments": found,
        "coverage": float(np.mean([row["coverage"] for row in rows])),
        "coverage_least": min(row["coverage"] for row in rows),
        "coverage_most": max(row["coverage"] for row in rows),
        "error": errors,
    }


def _measured(environment: Environment, plan: Plan) -> dict[str, Any]:
    rng = np.random.default_rng([plan.seed, NAMES.index(environment.name)])
    named = policies(environment)
    tables = np.array([*named.values()])
    truths = [environment.value(table) for table in tables]
    uniform = np.full(tables.shape[1:], 1 / 3)
    covered = np.zeros(len(truths))
    errors = {name: np.zeros(len(truths)) for name in ESTIMATORS}
    for _ in range(plan.repetitions):
        states, log = environment.simulate(uniform, plan.samples, rng)
        estimation = Estimation(log, environment.along(tables, states))
        drawn = resampled(log.clusters, RESAMPLES, rng)
        for number, truth in enumerate(truths):
            low, high = interval(estimation.terms("dr", number).values(drawn, log.clusters))
            covered[number] += low <= truth <= high
            for name in ESTIMATORS:
                errors[name][number] += abs(estimation.terms(name, number).value() - truth)
    return {
        policy: {
            "truth": truths[number],
            "coverage": covered[number] / plan.repetitions,
            "error": {name: errors[name][number] / plan.repetitions for name in ESTIMATORS},
        }
        for number, policy in enumerate(named)
    }


def shown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    heads = " ".join(f"{name:>8}" for name in ESTIMATORS)
    lines = [f"{'environment, policy':40} {'truth':>7} {'coverage':>8}   mean absolute error: {heads}"]
    for environment, rows in found["environments"].items():
        for policy, row in rows.items():
            errors = " ".join(f"{row['error'][name]:8.5f}" for name in ESTIMATORS)
            lines.append(f"{environment + ', ' + policy:40} {row['truth']:7.4f} {row['coverage']:8.1%}{'':24}{errors}")
    errors = " ".join(f"{found['error'][name]:8.5f}" for name in ESTIMATORS)
    lines.append(f"{'mean':40} {'':7} {found['coverage']:8.1%}{'':24}{errors}")
    return "\n".join(lines)
