"""The mix scenario: a share of all requests meets some fault, of every kind the embedded server can play.

Every sample must be settled, and each failed one must say what its last call came to.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from evolgraph.endpoints.builtin.faults import KINDS
from evolgraph.samples.drawn import draw
from evolgraph.store.check import examine
from evolgraph.store.connections import reading

from .processes import ROOT, embedded, server_stats

STATUSES: Final = ("429", "429=0.1", "429=junk", "500", "503")
# The last call of each failed sample, and what the sample says.
_ENDS: Final = """
    SELECT e.sample, substr(e.reason, 1, instr(e.reason || ':', ':') - 1),
           (SELECT kind FROM calls c WHERE c.run = e.run AND c.sample = e.sample ORDER BY ended_ns DESC LIMIT 1)
    FROM v_settled e WHERE e.status = 'failed'"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many samples, and the share of requests that meet a fault; `timeout_s` is how long a call may hang."""

    samples: int = 1000
    rounds: int = 3
    share: float = 0.2
    timeout_s: float = 3.0
    seed: int = 0


def mix(plan: Plan) -> dict[str, Any]:
    """Measures as `plan` says; gives one flat object of figures."""
    kinds = (*STATUSES, *KINDS)
    faults = [word for kind in kinds for word in ("--fault", f"{kind}:{plan.share / len(kinds):.6f}")]
    with tempfile.TemporaryDirectory(prefix="evolgraph-mix-") as name, embedded(*faults) as url:
        folder = Path(name)
        for _ in draw(plan.samples, plan.seed, folder):
            pass
        (folder / "evolgraph.toml").write_text(
            f'[[endpoint]]\nurl = "{url}"\nmodel = "builtin"\ntimeout_s = {plan.timeout_s}\n'
        )
        done = subprocess.run(_command(plan, folder), cwd=ROOT, stdout=subprocess.PIPE, check=False)
        summary = orjson.loads(done.stdout)
        return _figures(plan, folder / "run.db", summary, server_stats(url))


def _command(plan: Plan, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "evolgraph.cli", "evolve", str(folder / "seeds.json"), "--json"),
        *("--store", str(folder / "run.db"), "--out", str(folder / "out.jsonl")),
        *("--config", str(folder / "evolgraph.toml"), "--rounds", str(plan.rounds), "--seed", str(plan.seed)),
    ]


def _figures(plan: Plan, store: Path, summary: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    with reading(store) as db:
        ends = db.execute(_ENDS).fetchall()
        kinds = dict(db.execute("SELECT kind, count(*) FROM calls GROUP BY kind ORDER BY 2 DESC"))
    names = ("samples", "reached", "exhausted", "stalled", "failed", "pending", "accepted", "rejected", "maybe_billed")
    wrong = [f"{sample}: says {said}, its last call was {kind}" for sample, said, kind in ends if said != kind]
    problems = [str(problem) for problem in examine(store)]
    sound = not wrong and not problems and summary["pending"] == 0
    return {
        "scenario": "mix", **asdict(plan), **{name: summary[name] for name in names}, "seconds": summary["seconds"],
        "requests": seen["requests"], "faults": seen["faults"], "calls": kinds, "wrong_reasons": wrong,
        "problems": problems, "sound": sound,
    }  # fmt: skip


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `mix` in a few lines."""
    counts = ", ".join(f"{found[name]} {name}" for name in ("reached", "exhausted", "stalled", "failed", "pending"))
    met = sum(found["faults"].values())
    return "\n".join(
        [
            f"{found['samples']} samples: {counts}",
            f"{found['requests']} requests, {met} met a fault of {len(found['faults'])} kinds",
            f"calls: {', '.join(f'{count} {kind}' for kind, count in found['calls'].items())}",
            f"wrong reasons: {len(found['wrong_reasons'])}, problems by trace check: {len(found['problems'])}",
        ]
    )
