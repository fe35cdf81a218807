"""The ablations scenario: every part of elimination left out in turn, on the same seeds with planted defects."""

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
from evolgraph.samples.drawn import draw

from .judging import Trial, command, figures, planted_at
from .processes import ROOT, embedded

VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "all parts": (),
    "without the screen": ("--ablate", "screen"),
    "without evidence": ("--ablate", "evidence"),
    "without screen and evidence": ("--ablate", "screen", "--ablate", "evidence"),
    "without the judge": ("--ablate", "judge"),
    "without elimination": ("--ablate", "elimination"),
    "without feedback": ("--ablate", "feedback"),
    "duplicates allowed": ("--ablate", "duplicates"),
    "parent always first": ("--ablate", "order"),
    "judge without the image": ("--judge", "text"),
    "with the blind check": ("--blind",),
    "survivors only": ("--survivors",),
    "without perception": ("--ablate", "perception"),
    "without reasoning": ("--ablate", "reasoning"),
    "without interaction": ("--ablate", "interaction"),
    "paper": ("--preset", "paper"),
}
"""What is added to the command line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is evolved and spoiled, in every variant or in those that are named."""

    samples: int = 200
    rounds: int = 2
    plants: tuple[str, ...] = ("all:0.45",)
    seed: int = 0
    variants: tuple[str, ...] = tuple(VARIANTS)


def ablations(plan: Plan) -> dict[str, Any]:
    """Measures `plan`; gives one object with a row for every variant."""
    trial = Trial(plan.samples, plan.rounds, plan.plants, plan.seed)
    rows = {}
    with tempfile.TemporaryDirectory(prefix="evolgraph-ablations-") as name:
        folder = Path(name)
        for _ in draw(plan.samples, plan.seed, folder):
            pass
        with embedded(*[word for plant in plan.plants for word in ("--plant", plant)]) as url:
            for number, variant in enumerate(plan.variants):
                rows[variant] = _row(replace(trial, options=VARIANTS[variant]), folder, url, folder / f"{number}.db")
    return {"scenario": "ablations", **asdict(plan), "rows": rows}


def _row(trial: Trial, folder: Path, url: str, store: Path) -> dict[str, Any]:
    done = subprocess.run(command(trial, folder, url, store), cwd=ROOT, check=True, stdout=subprocess.PIPE)
    summary, found = orjson.loads(done.stdout), figures(store, planted_at(url))
    accepted = found["accepted"]
    return {name: found[name] for name in ("pairs", "planted", "recall", "sound_rejected", "accepted")} | {
        "spoiled_of_accepted": round(found["accepted_spoiled"] / accepted, 4) if accepted else None,
        "calls": summary["calls"],
        "calls_per_accepted": round(summary["calls"] / accepted, 3) if accepted else None,
        "complexity_after": summary["complexity_after"],
    }


def shown(found: Mapping[str, Any]) -> str:
    """The rows as a table in Markdown."""
    columns = ("pairs", "recall", "sound lost", "accepted", "spoiled of them", "calls per accepted", "complexity")
    lines = [
        f"{found['samples']} drawn samples, {found['rounds']} rounds, planted {', '.join(found['plants'])}",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for variant, row in found["rows"].items():
        shares = [_share(row[name]) for name in ("recall", "sound_rejected")]
        cells = [f"{row['pairs']:,}", *shares, f"{row['accepted']:,}", _share(row["spoiled_of_accepted"])]
        each, after = row["calls_per_accepted"], row["complexity_after"]
        cells += ["-" if each is None else f"{each:.2f}", "-" if after is None else f"{after:.2f}"]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
