"""The page of the policy: where samples were sent as the run went on, and what it brought."""

from typing import Any, Final

from ..store.rows import snapshot
from . import drawing
from .asked import Asked
from .overview import run_line

_STRETCHES: Final = 40
_LEAST: Final = 20
"""Rounds in a stretch: fewer make lines that jump."""
WIDTH, HEIGHT = 640, 180


def policy(asked: Asked) -> dict[str, Any]:
    """What the policy page shows: shares and mean rewards by direction over the run, in up to 40 equal stretches."""
    with snapshot(asked.db):
        rows = asked.slowly("routing", lambda: _rows(asked))
        line = run_line(asked)
    found = {name for _, name, *_ in rows}
    known = [name for name in line["fingerprint"].get("directions", []) if name in found]
    names = [*known, *sorted(found - set(known))]
    last = max((stretch for stretch, *_ in rows), default=-1)
    table = {(stretch, name): rest for stretch, name, *rest in rows}
    empty = (0, 0.0, 0, 0.0)
    series = []
    for name in names:
        cells = [table.get((stretch, name), empty) for stretch in range(last + 1)]
        means = [total / known if known else None for _, total, known, _ in cells]
        count, known = sum(cell[0] for cell in cells), sum(cell[2] for cell in cells)
        series.append(
            {
                "direction": name,
                "count": count,
                "counts": [cell[0] for cell in cells],
                "rewards": means,
                "mean_reward": sum(cell[1] for cell in cells) / known if known else None,
                "mean_propensity": sum(cell[3] for cell in cells) / count if count else None,
            }
        )
    decided = sum(one["count"] for one in series)
    for one in series:
        one["share"] = one["count"] / decided
    return {"run": line, "decisions": decided, "directions": series, **_drawn(series)}


def _drawn(series: list[dict[str, Any]]) -> dict[str, Any]:
    values = [value for one in series for value in one["rewards"] if value is not None]
    low, high = min([0.0, *values]), 1.15 * max([0.0, *values]) or 1.0
    single = 1 + (len(series[0]["counts"]) == 1 if series else 0)  # one stretch is drawn as a level line
    paths = drawing.stacked([one["counts"] * single for one in series], WIDTH, HEIGHT)
    for one, area in zip(series, paths, strict=True):
        one["area"] = area
        one["path"] = drawing.line(one["rewards"] * single, WIDTH, HEIGHT, low, high)
    zero = HEIGHT - HEIGHT * (0 - low) / ((high - low) or 1)
    return {"low": low, "high": high, "zero": round(zero, 1)}


def _rows(asked: Asked) -> list[tuple[int, str, int, float, int, float]]:
    """By stretch and direction: decisions, the sum of the known rewards, how many are known, sum of propensities."""
    (count, first, last) = asked.db.execute(
        "SELECT count(*), min(seq), max(seq) FROM rewards WHERE run = ?", (asked.run,)
    ).fetchone()
    if not count:
        return []
    step = max((last - first) // _STRETCHES + 1, _LEAST)
    return asked.db.execute(
        "SELECT (r.seq - ?) / ?, d.direction, count(*), total(r.reward), count(r.reward), total(d.propensity)"
        " FROM rewards r JOIN decisions d ON d.run = r.run AND d.sample = r.sample AND d.round = r.round"
        " WHERE r.run = ? GROUP BY 1, 2",
        (first, step, asked.run),
    ).fetchall()
