"""How good tuned policies are, and whether what is promised of them holds: simulated processes with known truths."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from evolgraph.graph.policies.registry import made
from evolgraph.graph.tuning.environments import NAMES, Environment
from evolgraph.graph.tuning.tuning import tune

_SHARES: Final = ("recovered", "recovered_least")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: in each environment `seeds` uniform logs of `samples` samples, tuned on."""

    seeds: int = 10
    first: int = 0
    samples: int = 1000
    trials: int = 25
    family: str = "softmax"
    environments: Sequence[str] = NAMES
    processes: int = 2


def tuning(plan: Plan) -> dict[str, Any]:
    """By environment: what share of (oracle - uniform) tuned policies recover, and how often the interval held."""
    work = [(name, seed) for name in plan.environments for seed in range(plan.first, plan.first + plan.seeds)]
    with ProcessPoolExecutor(plan.processes, get_context("spawn")) as pool:
        rows = list(pool.map(_once, [plan] * len(work), *zip(*work, strict=True)))
    told = {"seeds": plan.seeds, "first": plan.first, "samples": plan.samples, "trials": plan.trials}
    found = {
        name: _figures(Environment(name), rows[place * plan.seeds : (place + 1) * plan.seeds])
        for place, name in enumerate(plan.environments)
    }
    return told | {"family": plan.family, "environments": found}


def _figures(environment: Environment, rows: list[dict[str, float]]) -> dict[str, Any]:
    base, (best, _) = environment.value(_uniform(environment)), environment.oracle()
    truths, lows, highs, values = (np.array([row[name] for row in rows]) for name in ("truth", "low", "high", "value"))
    room = best - base
    shares = (truths - base) / room if room > 1e-9 else None
    return {
        "uniform": base,
        "oracle": best,
        "tuned": float(truths.mean()),
        "over_uniform": float(truths.mean() / base - 1),
        "over_uniform_least": float(truths.min() / base - 1),
        "recovered": float(shares.mean()) if shares is not None else None,
        "recovered_least": float(shares.min()) if shares is not None else None,
        "promised": float(values.mean()),
        "promised_low": float(lows.mean()),
        "covered": float(((lows <= truths) & (truths <= highs)).mean()),
        "kept": float((truths >= lows).mean()),
        "rows": rows,
    }


def _uniform(environment: Environment) -> Any:
    return np.full((len(environment.situations), 3), 1 / 3)


def _once(plan: Plan, name: str, seed: int) -> dict[str, float]:
    environment = Environment(name)
    rng = np.random.default_rng([NAMES.index(name), seed])
    tuned = tune(environment.record(_uniform(environment), plan.samples, rng), plan.family, plan.trials, seed)
    settings = {name: value for name, value in tuned.spec.items() if name != "policy"}
    truth = environment.value(environment.policy_table(made(tuned.spec["policy"], settings)))
    told = {"seed": seed, "truth": truth, "value": tuned.value.value, "low": tuned.value.low, "high": tuned.value.high}
    return told | dict(tuned.settings)


def shown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    heads = ("uniform", "oracle", "tuned", "gain", "least", "recovered", "least", "promised", "covered", "kept")
    lines = [f"{'environment':12}" + "".join(f"{head:>10}" for head in heads)]
    for name, row in found["environments"].items():
        values = "".join(f"{row[one]:10.4f}" for one in ("uniform", "oracle", "tuned"))
        gains = "".join(f"{row[one]:+10.1%}" for one in ("over_uniform", "over_uniform_least"))
        shares = "".join(f"{row[one]:10.1%}" if row[one] is not None else f"{'-':>10}" for one in _SHARES)
        promised = f"{row['promised']:10.4f}{row['covered']:10.0%}{row['kept']:10.0%}"
        lines.append(f"{name:12}{values}{gains}{shares}{promised}")
    return "\n".join(lines)
