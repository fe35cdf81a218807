"""`evolgraph trace list`: samples of a run, filtered and sorted."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ..store.connections import reading
from ..store.listing import SORTS, VERDICTS, Filter, Order, SampleTotals, choices, listed
from ..viewer.asked import Prices
from .terminal import terminal
from .tracing import JSON, LINES, RUN, STORE, change, chosen_run, prices, print_json, print_lines, table

_ANY_WIDTH: Final = 10_000
_LONG: Final = 16
"""Characters of an id, or of a reason, that stand on one line wherever there is room for them."""
_STATUSES = ("pending", "reached", "exhausted", "stalled", "failed")


@click.command(name="list")
@STORE
@RUN
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--verdict", type=click.Choice(VERDICTS), help="Only samples with a pair that was accepted or rejected.")
@click.option("--direction", help="Only samples that had a round in this direction.")
@click.option("--round", type=click.IntRange(1), help="Only samples that had this round; with --direction, there.")
@click.option("--reason", "--code", "code", help="Only samples with a pair rejected for this, such as not-correct.")
@click.option("--agent", help="Only samples with a call of this agent.")
@click.option("--error", help="Only samples with a call that failed in this way, such as timeout.")
@click.option("--endpoint", help="Only samples with a call to this URL.")
@click.option("--score-from", type=float, help="Only samples of at least this complexity.")
@click.option("--score-to", type=float, help="Only samples of at most this complexity.")
@click.option("--tokens-from", type=click.IntRange(0), help="Only samples that took at least so many tokens.")
@click.option("--cost-from", type=click.FloatRange(0), help="Only samples that cost at least this; needs the prices.")
@click.option("--text", help="Only samples with this in their id or caption, or without one in a question.")
@click.option("--sort", default="position", show_default=True, help=f"{', '.join(SORTS)}; with a minus, falling.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(-1), help="-1: all.")
@click.option("--offset", default=0, type=click.IntRange(0))
@prices
@JSON
@LINES
def list_samples(
    store: Path,
    *,
    run_id: str | None,
    sort: str,
    limit: int,
    offset: int,
    price_in: float | None,
    price_out: float | None,
    as_json: bool,
    ndjson: bool,
    cost_from: float | None,
    **filters: Any,
) -> None:
    """List samples of a run in STORE."""
    priced = price_in is not None and price_out is not None
    if sort.removeprefix("-") not in SORTS:
        raise click.BadParameter(f"{sort} is none of {', '.join(SORTS)}", param_hint="--sort")
    if cost_from is not None and not priced:
        raise click.UsageError("--cost-from needs --price-in and --price-out")
    run = chosen_run(store, run_id)
    wanted = Filter(**filters, cost_from=(cost_from, price_in or 0, price_out or 0) if cost_from is not None else None)
    order = Order(sort.removeprefix("-"), descending=sort.startswith("-"))
    with reading(store) as db:
        count, found = listed(db, run, wanted, order, limit=limit, offset=offset)
    costs = [Prices(price_in, price_out).cost(one.prompt_tokens, one.completion_tokens) for one in found]
    rows = [asdict(one) | ({"cost": cost} if priced else {}) for one, cost in zip(found, costs, strict=True)]
    if as_json:
        print_json({"run": run, "samples": rows})
    elif ndjson:
        print_lines(rows)
    else:
        _print(found, costs)
    if not count:
        click.echo(f"no sample is like that{_misnamed(store, run, filters)}", err=True)
    elif count > len(found):
        click.echo(f"{len(found)} of {count:,} samples: see --limit and --offset", err=True)


def _misnamed(store: Path, run: str, filters: Mapping[str, Any]) -> str:
    """What the run has instead of what was asked for, where it has no such thing."""
    with reading(store) as db:
        known = choices(db, run)
    known["reason"] = known.pop("code")
    asked = {**filters, "reason": filters["code"]}
    return "".join(
        f"; no {name} {asked[name]!r} in this run, but {', '.join(names) or 'none at all'}"
        for name, names in known.items()
        if asked[name] and asked[name] not in names
    )


def _print(found: list[SampleTotals], costs: list[float | None]) -> None:
    out = terminal()
    if not out.is_terminal and not os.environ.get("COLUMNS"):
        out.width = _ANY_WIDTH  # for grep and files: no line is folded
    lines = _table(found, costs, wide=True)
    if Measurement.get(out, out.options.update(max_width=_ANY_WIDTH), lines).maximum > out.width:
        lines = _table(found, costs, wide=False)
    out.print(lines)


def _table(found: list[SampleTotals], costs: list[float | None], *, wide: bool) -> Table:
    """A row a sample: with every figure, or in fewer words where the terminal has no room for those."""
    spent = "tokens" if None in costs else "cost"
    lines = table("sample", "status", "complexity", "kept", *(["calls"] if wide else []), spent, "directions", "reason")
    for column in lines.columns:
        column.no_wrap = column.header not in ("sample", "directions", "reason")
    lines.columns[0].min_width = _room(one.sample for one in found)
    lines.columns[-1].min_width = _room(f"{code}," for one in found for code in one.codes)
    for one, cost in zip(found, costs, strict=True):
        lines.add_row(
            Text(one.sample),
            one.status,
            change(one.complexity_before, one.complexity_after, 2 if wide else 1),
            f"{one.accepted}{' of ' if wide else '/'}{one.accepted + one.rejected + one.lost}",
            *([str(one.calls)] if wide else []),
            f"{one.prompt_tokens + one.completion_tokens:,}" if cost is None else f"{cost:.4f}",
            Text(" > ".join(one.directions) if wide else " ".join(name[:3] for name in one.directions)),
            Text(", ".join(one.codes)),
        )
    return lines


def _room(words: Iterable[str]) -> int:
    """Columns that the longest of the words takes, unless it is very long."""
    return min(max(map(cell_len, words), default=0), _LONG)
