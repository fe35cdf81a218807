"""What a policy earns that learns while it routes, beside uniform: simulated processes, sample by sample."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
from evolgraph.graph.policies.registry import load_policy
from evolgraph.graph.tuning.environments import NAMES, Environment


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: `seeds` runs of `samples` samples of each policy in each environment."""

    policy: str = "linear-thompson"
    seeds: int = 20
    samples: int = 500


def online(plan: Plan) -> dict[str, Any]:
    """By environment the mean summed reward of a sample, over the whole run, from nothing learnt to all of it."""
    found = {name: asyncio.run(_measured(Environment(name), plan)) for name in NAMES}
    return {"policy": plan.policy, "seeds": plan.seeds, "samples": plan.samples, "environments": found}


async def _measured(environment: Environment, plan: Plan) -> dict[str, Any]:
    earned = {}
    for name in (plan.policy, "uniform"):
        runs = [
            await environment.online(load_policy(name), plan.samples, np.random.default_rng([seed, len(name)]))
            for seed in range(plan.seeds)
        ]
        earned[name] = np.array(runs)
    mine, theirs = (earned[name].mean(axis=1) for name in (plan.policy, "uniform"))
    error = float(np.sqrt(mine.var(ddof=1) / len(mine) + theirs.var(ddof=1) / len(theirs)))
    gain = float(mine.mean() - theirs.mean())
    return {
        "learning": float(mine.mean()),
        "uniform": float(theirs.mean()),
        "gain": gain,
        "gain_low": gain - 1.96 * error,
        "gain_high": gain + 1.96 * error,
        "last_hundred": float(earned[plan.policy][:, -100:].mean()),
        "oracle": environment.oracle()[0],
    }


def shown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [f"{found['policy']}, {found['seeds']} runs of {found['samples']} samples"]
    for name, row in found["environments"].items():
        interval = f"[{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]"
        lines.append(
            f"{name:8} {row['learning']:.4f}, uniform {row['uniform']:.4f}: {row['gain']:+.4f} {interval};"
            f" its last 100 samples {row['last_hundred']:.4f}, the best policy {row['oracle']:.4f}"
        )
    return "\n".join(lines)
