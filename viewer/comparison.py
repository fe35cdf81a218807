"""Two runs over the same seeds, sample by sample: what differs, by how much, and how sure that is."""

import math
import sqlite3
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import EvolgraphError
from ..store.connections import reading
from ..store.lineage import Lineage, settled_lineages
from ..store.spoiled import read_planted, spoiled
from ..store.traces import RunLine
from .asked import Prices
from .figures import newest
from .resampling import Floats, Statistic, clustered, estimated
from .tally import lines

MEASURES: Final = {
    "acceptance": ("accepted", "ruled"),
    "complexity_gain": ("gain", "judged"),
    "complexity_after": ("complexity", "judged"),
    "skills": ("skills", "questions"),
    "steps": ("steps", "questions"),
    "tokens_per_accepted": ("tokens", "accepted"),
    "calls_per_accepted": ("calls", "accepted"),
    "calls_per_sample": ("calls", "samples"),
}
"""What is compared: each is one sum over samples divided by another."""
OF_PRICES: Final = {"cost_per_1000_accepted": ("cost_of_1000", "accepted")}
"""What is compared besides, where prices are known."""
OF_PLANTED: Final = {
    "planted_recall": ("spoiled_rejected", "spoiled"),
    "sound_lost": ("sound_rejected", "sound"),
}
"""What is compared besides, where it is known which pairs were spoiled on purpose."""
_COUNTED = ("accepted", "ruled", "judged", "questions", "calls", "samples")
_PLANTED = ("spoiled", "spoiled_rejected", "sound", "sound_rejected")
_SUMS: Final = (*_COUNTED, *_PLANTED, "gain", "complexity", "skills", "steps", "tokens", "cost_of_1000")


class ComparisonError(EvolgraphError):
    """Two stores that cannot be compared."""

    kind = "compare"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs: its settled samples by id, each with its seed's digest, its image and its sums."""

    run: RunLine
    samples: Mapping[str, tuple[str, str, list[float]]] = field(default_factory=dict)


def comparison(
    first: Path, second: Path, planted: Sequence[Path] = (), prices: Sequence[Prices] = ()
) -> dict[str, Any]:
    """The second run's measures less those of the first, over samples that are settled in both, as plain JSON.

    Samples are paired by id; one whose seed is not the same in both is left out. Intervals are 95%, from bootstrap
    draws of images. `planted` are lists of defects by an embedded model, and `prices` those of tokens: one of both
    runs, or one of each. Raises ComparisonError when there is nothing to pair, StoreError when a store or a list
    cannot be read.
    """
    lists = [read_planted(path) for path in planted] or [{}]
    of = prices or [Prices()]
    a, b = _side(first, lists[0], of[0]), _side(second, lists[-1], of[-1])
    both = [name for name in a.samples if name in b.samples]
    same = [name for name in both if a.samples[name][0] == b.samples[name][0]]
    if not same:
        raise ComparisonError(
            "no sample of the same seed is settled in both runs",
            where=f"{first}, {second}",
            remedy="evolve the same seeds into both",
        )
    sums = clustered((a.samples[name][1], a.samples[name][2] + b.samples[name][2]) for name in same)
    measures = MEASURES | (OF_PRICES if prices else {}) | (OF_PLANTED if planted else {})
    return {
        "run_a": a.run.id,
        "run_b": b.run.id,
        "samples": len(same),
        "images": len(sums),
        "only_a": len(a.samples) - len(both),
        "only_b": len(b.samples) - len(both),
        "seeds_differ": len(both) - len(same),
        "settings": _differing(a.run.fingerprint, b.run.fingerprint),
        "measures": {name: _measured(sums, *parts) for name, parts in measures.items()},
    }


def _side(store: Path, planted: Mapping[tuple[str, str], str], prices: Prices) -> Side:
    with reading(store) as db:
        run = newest(db)
        if run is None:
            raise ComparisonError("the store holds no run", where=str(store), remedy="evolve some seeds first")
        digests = dict(db.execute("SELECT id, digest FROM samples WHERE run = ?", (run.id,)))
        paid, bad = _paid(db, run.id, prices), spoiled(db, run.id, planted)
        samples = {
            sample["id"]: (
                digests[sample["id"]],
                sample["images"][0]["sha256"],
                _sums(lineage, paid[sample["id"]], bad),
            )
            for sample, _, lineage in settled_lineages(db, run.id)
            if sample["id"] in paid
        }
    return Side(run, samples)


def _paid(db: sqlite3.Connection, run: str, prices: Prices) -> dict[str, dict[str, float]]:
    """Sums of the calls by sample. Tokens and money are NaN when a reply that was received did not tell its tokens."""
    rows = db.execute(
        "SELECT s.id, count(c.key), total(c.prompt_tokens), total(c.completion_tokens),"
        " total(c.http_status = 200 AND (c.prompt_tokens IS NULL OR c.completion_tokens IS NULL))"
        " FROM samples s LEFT JOIN calls c ON c.run = s.run AND c.sample = s.id WHERE s.run = ? GROUP BY s.id",
        (run,),
    )
    return {
        sample: {
            "calls": calls,
            "tokens": math.nan if unknown else sent + received,
            "cost_of_1000": math.nan if unknown else 1000 * (prices.cost(sent, received) or 0.0),
        }
        for sample, calls, sent, received, unknown in rows
    }


def _sums(lineage: Lineage, paid: Mapping[str, float], bad: Container[tuple[str, int, str]]) -> list[float]:
    """A sample's part in every sum, in the order of _SUMS."""
    found: dict[str, float] = {**dict.fromkeys(_SUMS, 0.0), **paid, "samples": 1.0}
    for line in lines(lineage):
        content, complexity = line.head(len(lineage.decisions))
        before = line.seed_complexity
        found["questions"] += 1
        found["skills"] += len(content["skills"])
        found["steps"] += len(content["steps"])
        if before is not None and complexity is not None:
            found["judged"] += 1
            found["gain"] += complexity - before
            found["complexity"] += complexity
        for verdict in line.verdicts:
            found["accepted"] += verdict.end == "accepted"
            found["ruled"] += verdict.end != "lost"
            kind = "spoiled" if (verdict.sample, verdict.round, verdict.qa) in bad else "sound"
            found[kind] += verdict.end != "lost"
            found[f"{kind}_rejected"] += verdict.end == "rejected"
    return [float(found[name]) for name in _SUMS]


def _measured(sums: Floats, above: str, below: str) -> dict[str, Any]:
    """One measure in both runs and the difference, with the interval of each."""
    over, under, width = _SUMS.index(above), _SUMS.index(below), len(_SUMS)

    def ratio(offset: int) -> Statistic:
        return lambda totals: np.asarray(totals[..., offset + over] / totals[..., offset + under])

    def difference(totals: Floats) -> Floats:
        return np.asarray(ratio(width)(totals) - ratio(0)(totals))

    made = {"a": ratio(0), "b": ratio(width), "difference": difference}
    return {name: asdict(estimated(sums, statistic)) for name, statistic in made.items()}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The settings that differ, with both values."""
    return {name: [a.get(name), b.get(name)] for name in sorted({*a, *b}) if a.get(name) != b.get(name)}
