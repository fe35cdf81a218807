"""How good tuned policies are, and whether what is promised of them holds: simulated processes with known truths."""

from dataclasses import dataclass
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
    samples: int = 1000
    trials: int = 25
    family: str = "softmax"


def tuning(plan: Plan) -> dict[str, Any]:
    """By environment: what share of (oracle - uniform) tuned policies recover, and how often the interval held."""
    return {"seeds": plan.seeds, "samples": plan.samples, "trials": plan.trials, "family": plan.family} | {
        "environments": {name: _measured(Environment(name), plan) for name in NAMES}
    }


def _measured(environment: Environment, plan: Plan) -> dict[str, Any]:
    uniform = np.full((len(environment.situations), 3), 1 / 3)
    base, (best, _) = environment.value(uniform), environment.oracle()
    rows = [_once(environment, uniform, plan, seed) for seed in range(plan.seeds)]
    truths, lows, highs, values = (np.array([row[name] for row in rows]) for name in ("truth", "low", "high", "value"))
    room = best - base
    shares = (truths - base) / room if room > 1e-9 else None
    return {
        "uniform": base,
        "oracle": best,
        "tuned": float(truths.mean()),
        "over_uniform": float(truths.mean() / base - 1),
        "recovered": float(shares.mean()) if shares is not None else None,
        "recovered_least": float(shares.min()) if shares is not None else None,
        "promised": float(values.mean()),
        "promised_low": float(lows.mean()),
        "covered": float(((lows <= truths) & (truths <= highs)).mean()),
        "kept": float((truths >= lows).mean()),
        "rows": rows,
    }


def _once(environment: Environment, uniform: Any, plan: Plan, seed: int) -> dict[str, float]:
    record = environment.record(uniform, plan.samples, np.random.default_rng([NAMES.index(environment.name), seed]))
    tuned = tune(record, plan.family, plan.trials, seed)
    settings = {name: value for name, value in tuned.spec.items() if name != "policy"}
    truth = environment.value(environment.policy_table(made(tuned.spec["policy"], settings)))
    return {"truth": truth, "value": tuned.value.value, "low": tuned.value.low, "high": tuned.value.high}


def shown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    heads = ("uniform", "oracle", "tuned", "recovered", "least", "promised", "covered", "kept")
    lines = [f"{'environment':12}" + "".join(f"{head:>10}" for head in heads)]
    for name, row in found["environments"].items():
        shares = [f"{row[one]:10.1%}" if row[one] is not None else f"{'-':>10}" for one in _SHARES]
        values = "".join(f"{row[one]:10.4f}" for one in ("uniform", "oracle", "tuned"))
        lines.append(
            f"{name:12}{values}{''.join(shares)}{row['promised']:10.4f}{row['covered']:10.0%}{row['kept']:10.0%}"
        )
    return "\n".join(lines)
