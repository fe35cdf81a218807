"""How far the judge agrees with people: kappa with an interval, precision and recall of every reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ..store.connections import reading
from .figures import newest
from .labelling import REASONS, LabelError, Ruled, ruled
from .resampling import Floats, clustered, estimated

Key = tuple[str, int, str]
_BOTH, _JUDGE, _PEOPLE, _NEITHER = range(4)
"""Places in a table of two by two: both accept (or tick), only one of them, neither."""


def calibration(store: Path, labels: Path) -> dict[str, Any]:
    """How the rulings of the newest run in `store` agree with the people's `labels`, as plain JSON.

    Pairs were drawn evenly from strata (direction, accepted or not); each counts for as many pairs of the run as it
    stands for, so that the figures are those of the run. Intervals are 95%, from bootstrap draws of images. Raises
    LabelError for labels that cannot be read or belong to another run, StoreError when the store cannot be read.
    """
    with reading(store) as db:
        run = newest(db)
        if run is None:
            raise LabelError("the store holds no run", where=str(store), remedy="evolve some seeds first")
        given = _read(labels, run.id)
        population: Counter[tuple[str, bool]] = Counter()
        found: list[Ruled] = []
        for pair in ruled(db, run.id):
            population[pair.stratum] += 1
            if pair.key in given:
                found.append(pair)
    if len(found) < len(given):
        known = {pair.key for pair in found}
        sample, number, qa = next(key for key in given if key not in known)
        raise LabelError(
            f"the run has no pair {qa} of {sample} in round {number}", where=str(labels), remedy="name the run's store"
        )
    drawn = Counter(pair.stratum for pair in found)
    weights = [population[pair.stratum] / drawn[pair.stratum] for pair in found]
    judged = [index for index, pair in enumerate(found) if pair.verdict.stage == "judge"]
    return {
        "run": run.id,
        "labelled": len(found),
        "of_pairs": population.total(),
        "people_accept": sum(weight for pair, weight in zip(found, weights, strict=True) if given[pair.key][0])
        / sum(weights),
        "loop": _agreement(found, weights, given),
        "judge": _agreement([found[index] for index in judged], [weights[index] for index in judged], given),
        "reasons": {flag: _reason(flag, found, weights, given) for flag in REASONS},
    }


def _read(path: Path, run: str) -> dict[Key, tuple[bool, tuple[str, ...]]]:
    """The labels by pair; of several on one pair the last counts."""
    found: dict[Key, tuple[bool, tuple[str, ...]]] = {}
    try:
        rows = path.read_bytes().splitlines()
    except OSError as error:
        raise LabelError(f"cannot be read: {error.strerror}", where=str(path), remedy="name a labels.jsonl") from error
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        where = f"{path}:{number}"
        try:
            label = orjson.loads(row)
            key = (label["sample"], label["round"], label["qa"])
            accept, reasons, of = label["accept"], tuple(label["reasons"]), label["run"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            remedy = "save the sheet's labels again"
            raise LabelError("not a label that a sheet saves", where=where, remedy=remedy) from error
        if of != run:
            raise LabelError(f"a label for run {of}, but the store holds {run}", where=where, remedy="name its store")
        if unknown := set(reasons) - set(REASONS):
            raise LabelError(
                f"no reason is called {min(unknown)!r}", where=where, remedy=f"known: {', '.join(REASONS)}"
            )
        found[key] = (bool(accept), reasons)
    if not found:
        raise LabelError("no label", where=str(path), remedy="label pairs on a sheet of `evolgraph judge sample`")
    return found


def _table(judge: bool, people: bool, weight: float) -> list[float]:
    row = [0.0] * 4
    row[_BOTH if judge and people else _JUDGE if judge else _PEOPLE if people else _NEITHER] = weight
    return row


def _kappa(totals: Floats) -> Floats:
    """Cohen's kappa: agreement beyond what two who say yes as often would reach by chance."""
    share = totals / totals.sum(axis=-1, keepdims=True)
    observed = share[..., _BOTH] + share[..., _NEITHER]
    judge, people = share[..., _BOTH] + share[..., _JUDGE], share[..., _BOTH] + share[..., _PEOPLE]
    chance = judge * people + (1 - judge) * (1 - people)
    return np.asarray((observed - chance) / (1 - chance))


def _agreed(totals: Floats) -> Floats:
    return np.asarray((totals[..., _BOTH] + totals[..., _NEITHER]) / totals.sum(axis=-1))


def _precision(totals: Floats) -> Floats:
    return np.asarray(totals[..., _BOTH] / (totals[..., _BOTH] + totals[..., _JUDGE]))


def _recall(totals: Floats) -> Floats:
    return np.asarray(totals[..., _BOTH] / (totals[..., _BOTH] + totals[..., _PEOPLE]))


def _agreement(found: Sequence[Ruled], weights: Sequence[float], given: dict[Key, Any]) -> dict[str, Any]:
    """On accepting: agreement, kappa, and of what was accepted how much people accept (precision) and the reverse."""
    rows = [
        (pair.sample["images"][0]["sha256"], _table(pair.verdict.accepted, given[pair.key][0], weight))
        for pair, weight in zip(found, weights, strict=True)
    ]
    sums = clustered(rows)
    counts = Counter((pair.verdict.accepted, given[pair.key][0]) for pair in found)
    measures = {"agreement": _agreed, "kappa": _kappa, "precision": _precision, "recall": _recall}
    return {
        "pairs": len(found),
        "both_accept": counts[True, True],
        "only_run_accepts": counts[True, False],
        "only_people_accept": counts[False, True],
        "both_reject": counts[False, False],
    } | {name: asdict(estimated(sums, statistic)) for name, statistic in measures.items()}


def _reason(flag: str, found: Sequence[Ruled], weights: Sequence[float], given: dict[Key, Any]) -> dict[str, Any]:
    """Of the pairs that the judge saw: how often its word against them is the people's too, and the reverse."""
    rows = []
    counts: Counter[tuple[bool, bool]] = Counter()
    for pair, weight in zip(found, weights, strict=True):
        said = getattr(pair.verdict, flag)
        if said is None:
            continue
        against = not said or (flag == "improved" and pair.verdict.code == "no-gain")
        people = flag in given[pair.key][1]
        counts[against, people] += 1
        rows.append((pair.sample["images"][0]["sha256"], _table(against, people, weight)))
    sums = clustered(rows)
    return {
        "judge": counts[True, True] + counts[True, False],
        "people": counts[True, True] + counts[False, True],
        "both": counts[True, True],
        "precision": asdict(estimated(sums, _precision)),
        "recall": asdict(estimated(sums, _recall)),
    }
