"""The report of a run: one HTML file that opens offline and needs no script."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup, escape

from ..errors import EvolgraphError
from ..samples.images import ImageRoot
from ..store.connections import reading
from . import pages
from .asked import Prices
from .charts import Plot, Ranks, room
from .examples import Chosen, Example, embedded
from .figures import directions, figures, newest
from .published import CAVEATS, MMEVOL

_LISTED: Final = 16
"""Objects and reasons that are shown; the figures hold more."""
_NUMBER: Final = re.compile(r"\d*\.?\d+")
_FRACTION: Final = r"\s*(?:0?\.\d+|[01](?:\.0+)?)\s*"
_BOX: Final = re.compile(rf"\[{_FRACTION}(?:,{_FRACTION}){{3}}\]")


_NONE: Final = "\N{EN DASH}"
"""Stands for a figure that there is not."""
_NEW: Final = 24
"""New objects that are named."""


class ReportError(EvolgraphError):
    """There is nothing to report on."""

    kind = "report"


def report(
    store: Path, images: ImageRoot, prices: Prices | None = None, examples: int = 6
) -> tuple[dict[str, Any], str]:
    """The figures of the newest run in `store` as plain JSON, and its report as HTML.

    `images` are where its images lie; `examples` questions are shown before and after. Raises ReportError when the
    store holds no run, StoreError when it cannot be read.
    """
    with reading(store) as db:
        run = newest(db)
        if run is None:
            raise ReportError("the store holds no run", where=str(store), remedy="evolve some seeds first")
        (most,) = db.execute("SELECT coalesce(max(round), 0) FROM decisions WHERE run = ?", (run.id,)).fetchone()
        chosen = Chosen(most, examples)
        told = figures(db, run, prices or Prices(), chosen)
    shown = [_example(one, images) for one in chosen.examples()]
    return told, rendered(told, shown)


def _example(example: Example, root: ImageRoot) -> dict[str, Any]:
    row, image = example.row(), example.sample["images"][0]
    return row | {"src": embedded(root, image), "size": image, "boxes": _boxes(example.sample, row["after"])}


def rendered(told: Mapping[str, Any], examples: list[dict[str, Any]]) -> str:
    """The report as HTML."""
    page = environment().get_template("report.html")
    return page.render(told=told, examples=examples, mmevol=MMEVOL, caveats=CAVEATS, **_charts(told))


@cache
def environment() -> Environment:
    """Templates that escape everything that is put into them."""
    found = pages.environment().overlay()
    found.filters = {
        **found.filters,
        **{filter.__name__: filter for filter in (percent, number, count, words, moment, cited)},
    }
    return found


def _charts(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the charts are drawn from."""
    rounds = told["rounds"]
    cells = {(one["round"], one["direction"]): one for one in told["acceptance"]}
    names = directions([direction for _, direction in cells if direction])
    objects = told["objects"]
    curves = objects["curve_before"], objects["curve_after"]
    return {
        "means": {
            name: _means([row[name] for row in rounds], getattr(MMEVOL, published))
            for name, published in (("skills", "skills"), ("steps", "steps"), ("complexity", "difficulty"))
        },
        "cells": cells,
        "directions": names,
        "numbers": [*range(1, len(rounds))],
        "ranks": Ranks(460, 190, max(map(len, curves)), max(map(max, filter(None, curves)), default=1)),
        "listed": objects["ranked"][:_LISTED],
        "fresh": [one["object"] for one in objects["ranked"] if not one["before"]][:_NEW],
        "forms": [one for one in told["forms"] if one["before"] or one["after"]],
        "unused": [one["form"] for one in told["forms"] if not one["before"] and not one["after"]],
        "rejected": [one for one in told["reasons"] if one["end"] == "rejected"][:_LISTED],
        "lost": [one for one in told["reasons"] if one["end"] == "lost"],
    }


def _means(ours: Sequence[float | None], theirs: Sequence[float]) -> dict[str, Any]:
    """A chart of means by round; where there are but two published values, they stand for seeds and evolved set."""
    places = max(len(ours), len(theirs))
    apart = places - 1 if len(theirs) == 2 else 1
    low, high = room([*ours, *theirs], 0.5)
    last = [value for value in ours if value is not None]
    return {
        "plot": Plot(248, 150, places, low, high),
        "ours": ours,
        "theirs": [(index * apart, value) for index, value in enumerate(theirs)],
        "before": ours[0],
        "after": last[-1] if last else None,
    }


def _boxes(sample: Mapping[str, Any], qa: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The boxes on the first image that a question or its solution cites; else those of the objects that it names."""
    texts = [qa["question"], *(step["description"] for step in qa["steps"]), qa["answer"]]
    cited: dict[tuple[float, ...], str] = {
        tuple(map(float, _NUMBER.findall(found[0]))): "" for text in texts for found in _BOX.finditer(text)
    }
    first = [box for box in sample["boxes"] if not box["image"]]
    if cited and len(sample["images"]) == 1:
        labels = {tuple(round(edge, 3) for edge in box["bbox"]): box["label"] for box in first}
        return [{"bbox": bbox, "label": labels.get(bbox, "")} for bbox in sorted(cited)]
    named = {name.lower() for name in qa["objects"]}
    return [{"bbox": box["bbox"], "label": box["label"]} for box in first if box["label"].lower() in named]


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage, a dash when there is none."""
    return _NONE if share is None else f"{share:.{digits}%}"


def number(value: float | None, digits: int = 2) -> str:
    """A mean with `digits` decimals, a dash when there is none."""
    return _NONE if value is None else f"{value:,.{digits}f}"


def count(value: float | None) -> str:
    """A whole number, shortened from 10,000 on: 12.3k, 4.5M; `unknown` when there is none."""
    if value is None:
        return "unknown"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):.1f}{letter}"
    return f"{value:,.0f}"


def words(name: str) -> str:
    """A name of the vocabulary as words: `fill_in_the_blank` as `fill in the blank`."""
    return name.replace("_", " ")


def moment(since_ns: int) -> str:
    """A time as a date with hours and minutes, in UTC."""
    return datetime.fromtimestamp(since_ns / 1e9, UTC).strftime("%-d %B %Y, %H:%M UTC")


def cited(text: str) -> Markup:
    """A text with the boxes in it set apart, so that it can be read past them."""
    parts, at = [], 0
    for found in _BOX.finditer(text):
        parts += [escape(text[at : found.start()]), Markup("<code>"), escape(found[0]), Markup("</code>")]
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])
