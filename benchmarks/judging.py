"""The judging scenario: how many planted defects a run rejects, by kind, and how many sound pairs it loses."""

import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from evolgraph.samples.drawn import draw
from evolgraph.store.connections import reading

from .processes import ROOT, embedded


@dataclass(frozen=True, slots=True)
class Trial:
    """What is evolved and spoiled; `options` are further words for `evolgraph evolve`."""

    samples: int = 500
    rounds: int = 1
    plants: tuple[str, ...] = ("all:0.45",)
    seed: int = 0
    options: tuple[str, ...] = ()


def judging(trial: Trial) -> dict[str, Any]:
    """Measures `trial`; gives one object of figures."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-judging-") as name:
        folder = Path(name)
        for _ in draw(trial.samples, trial.seed, folder):
            pass
        store = folder / "run.db"
        with embedded(*[word for plant in trial.plants for word in ("--plant", plant)]) as url:
            subprocess.run(_command(trial, folder, url, store), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            with urllib.request.urlopen(url.removesuffix("/v1") + "/planted") as response:
                planted = {(row["reply"], row["qa"]): row["kind"] for row in orjson.loads(response.read())["planted"]}
        return {"scenario": "judging", **asdict(trial), **_figures(store, planted)}


def _command(trial: Trial, folder: Path, url: str, store: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "evolgraph.cli", "evolve", str(folder / "seeds.json"), "--json", "--store", str(store)),
        *("--endpoint", url, "--model", "builtin", "--rounds", str(trial.rounds), "--target", "10"),
        *("--out", str(store.with_suffix(".jsonl")), "--seed", str(trial.seed), *trial.options),
    ]


def _figures(store: Path, planted: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Verdicts by what was planted: the kind, or "sound"."""
    with reading(store) as db:
        replies = {
            (sample, number): reply
            for sample, number, reply in db.execute(
                "SELECT sample, round, response_id FROM calls WHERE kind = 'ok' AND agent NOT IN ('judge', 'evidence')"
            )
        }
        verdicts = db.execute("SELECT sample, round, qa, accepted, stage, code, reason FROM verdicts").fetchall()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    missed: dict[str, list[str]] = defaultdict(list)
    for sample, number, qa, accepted, stage, code, reason in verdicts:
        kind = planted.get((replies.get((sample, number), ""), qa), "sound")
        counts[kind]["pairs"] += 1
        counts[kind][f"{stage}: {code}" if not accepted else "accepted"] += 1
        if bool(accepted) == (kind != "sound"):
            missed[kind].append(f"{sample} round {number} {qa}: {code}: {reason}")
    spoiled = [kind for kind in sorted(counts) if kind != "sound"]
    pairs = sum(count["pairs"] for count in counts.values())
    found = sum(counts[kind]["pairs"] - counts[kind]["accepted"] for kind in spoiled)
    total = sum(counts[kind]["pairs"] for kind in spoiled)
    sound = counts["sound"]
    return {
        "pairs": pairs,
        "planted": total,
        "planted_share": round(total / pairs, 4),
        "recall": round(found / total, 4) if total else None,
        "sound_rejected": round(1 - sound["accepted"] / sound["pairs"], 4) if sound["pairs"] else None,
        "kinds": {
            kind: {"pairs": count["pairs"], "rejected": round(1 - count["accepted"] / count["pairs"], 4)}
            | {"by": dict(count.most_common()[1:])}
            for kind, count in sorted(counts.items())
        },
        "missed": {kind: rows[:5] for kind, rows in sorted(missed.items())},
    }


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `judging` as a small table."""
    lines: Sequence[str] = [
        f"{found['samples']} samples, {found['pairs']} pairs, {found['planted_share']:.1%} of them spoiled",
        f"{'planted':18}{'pairs':>7}{'rejected':>10}  by",
        *(
            f"{kind:18}{row['pairs']:>7}{row['rejected']:>10.1%}  "
            + ", ".join(f"{code} {count}" for code, count in row["by"].items() if code not in ("pairs", "accepted"))
            for kind, row in found["kinds"].items()
        ),
        f"of all spoiled pairs {found['recall']:.1%} rejected, of the sound ones {found['sound_rejected']:.1%}",
    ]
    return "\n".join(lines)
