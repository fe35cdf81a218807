"""A policy tuned on a uniform run, then really run on fresh drawn samples beside uniform and the paper's shares."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Settings, evolve
from evolgraph.graph.tuning.estimators import interval, resampled
from evolgraph.graph.tuning.recorded import recorded
from evolgraph.graph.tuning.tuning import policy_file, tune
from evolgraph.samples.drawn import draw
from evolgraph.samples.sample import Sample

from .processes import embedded

PAPER: Final = "fixed:perception=0.5,reasoning=0.25,interaction=0.25"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is logged and how much is run on fresh samples; three rounds each, none ends before."""

    logged: int = 400
    fresh: int = 400
    trials: int = 60
    seed: int = 0


def routing(plan: Plan) -> dict[str, Any]:
    """The mean summed reward of each policy on the same fresh samples, with 95% intervals over images."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-routing-") as name, embedded() as url:
        folder = Path(name)
        log = list(draw(plan.logged, plan.seed + 1, folder / "log"))
        fresh = list(draw(plan.fresh, plan.seed + 2, folder / "fresh"))
        asyncio.run(_run(folder / "log.db", log, folder / "log", url, "uniform", plan.seed))
        record = recorded(folder / "log.db")
        tuned = tune(record, "softmax", plan.trials, plan.seed)
        (folder / "tuned.toml").write_text(policy_file(tuned, "log.db"), encoding="utf-8")
        rewards = {}
        for policy, spec in {"tuned": str(folder / "tuned.toml"), "uniform": "uniform", "paper": PAPER}.items():
            store = folder / f"{policy}.db"
            asyncio.run(_run(store, fresh, folder / "fresh", url, spec, plan.seed))
            rewards[policy] = recorded(store).log.signals["reward"].sum(axis=1)
        return _figures(rewards) | {
            "estimated": (tuned.value.value, tuned.value.low, tuned.value.high),
            "logged": tuned.logged,
            "settings": dict(tuned.settings),
            "policy": (folder / "tuned.toml").read_text(encoding="utf-8"),
        }


async def _run(  # noqa: PLR0917
    store: Path, samples: list[Sample], images: Path, url: str, policy: str, seed: int
) -> None:
    settings = Settings(policy=policy, rounds=3, target=10.0, patience=0, seed=seed)
    at = [Endpoint(url=url, model="builtin")]
    async with evolve(samples, store=store, images=images, endpoints=at, settings=settings) as run:
        async for _ in run:
            pass


def _figures(rewards: dict[str, Any]) -> dict[str, Any]:
    count = len(rewards["tuned"])
    drawn = resampled(np.arange(count), 1000, np.random.default_rng(0)) / count
    values = {name: (float(found.mean()), *interval(drawn @ found)) for name, found in rewards.items()}
    apart = values["tuned"][1] - max(values[name][2] for name in ("uniform", "paper"))
    ratios = {f"over_{name}": values["tuned"][0] / values[name][0] - 1 for name in ("uniform", "paper")}
    return {"fresh": count, "values": values, "intervals_apart_by": apart, **ratios}


def shown(found: dict[str, Any]) -> str:
    """The figures as lines."""
    lines = [f"{name:8} {value:.4f}  [{low:.4f}, {high:.4f}]" for name, (value, low, high) in found["values"].items()]
    lines.append(f"tuned over uniform {found['over_uniform']:+.1%}, over the paper's shares {found['over_paper']:+.1%}")
    lines.append(f"its lower end less the others' upper ends: {found['intervals_apart_by']:+.4f}")
    value, low, high = found["estimated"]
    lines.append(f"estimated from the log: {value:.4f}  [{low:.4f}, {high:.4f}]")
    return "\n".join(lines)
