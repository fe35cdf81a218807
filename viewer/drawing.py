"""The geometry of charts: numbers to the attributes of SVG elements. Colours and type are the style sheet's."""

from collections.abc import Sequence
from typing import Any


def bars(
    values: Sequence[float], width: float, height: float, gap: float = 1.0, top: float = 0
) -> list[dict[str, float]]:
    """Upright bars of `values` side by side in a field of `width` and `height`.

    `top`, or else the greatest of them, fills the height.
    """
    top = top or max(values, default=0) or 1
    step = width / max(len(values), 1)
    return [
        {
            "x": round(index * step, 2),
            "y": round(height - height * value / top, 2),
            "width": round(max(step - gap, 0.5), 2),
            "height": round(height * value / top, 2),
        }
        for index, value in enumerate(values)
    ]


def line(values: Sequence[float | None], width: float, height: float, low: float, high: float) -> str:
    """The `d` of a path through `values` from `low` at the bottom to `high` at the top; None leaves a gap."""
    span = (high - low) or 1
    step = width / max(len(values) - 1, 1)
    parts, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{index * step:.1f} {height - height * (value - low) / span:.1f}")
        pen = "L"
    return " ".join(parts)


def stacked(rows: Sequence[Sequence[float]], width: float, height: float) -> list[str]:
    """Paths of areas on top of each other, one for each row; the shares at every point fill the height."""
    if not rows:
        return []
    totals = [sum(column) or 1 for column in zip(*rows, strict=True)]
    step = width / max(len(totals) - 1, 1)
    below = [0.0] * len(totals)
    paths = []
    for row in rows:
        above = [low + value / total for low, value, total in zip(below, row, totals, strict=True)]
        top = [f"{index * step:.1f} {height - height * share:.1f}" for index, share in enumerate(above)]
        bottom = [f"{index * step:.1f} {height - height * share:.1f}" for index, share in enumerate(below)]
        paths.append(f"M{' L'.join(top)} L{' L'.join(reversed(bottom))} Z")
        below = above
    return paths


def spread(spans: Sequence[Any], width: float) -> list[dict[str, float]]:
    """Where spans lie on a common time line of `width`, as x and width."""
    first = min((span.started_ns for span in spans), default=0)
    last = max((span.ended_ns for span in spans), default=0)
    scale = width / max(last - first, 1)
    return [
        {
            "x": round((span.started_ns - first) * scale, 2),
            "width": round(max((span.ended_ns - span.started_ns) * scale, 1.5), 2),
        }
        for span in spans
    ]
