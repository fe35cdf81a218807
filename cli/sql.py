"""`evolgraph trace sql` and `trace stats`: a store's tables as they are, and a run in numbers."""

import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ..store.connections import reading
from ..store.statistics import agent_calls, pair_counts
from ..store.traces import rejection_reasons, totals
from ..viewer.asked import Prices
from .terminal import terminal
from .tracing import JSON, LINES, RUN, STORE, TraceError, change, chosen_run, prices, print_json, print_lines, table


@click.command()
@STORE
@click.argument("query")
@JSON
@LINES
def sql(store: Path, query: str, *, as_json: bool, ndjson: bool) -> None:
    """Answer QUERY, one SQL statement that reads, from STORE; `SELECT name FROM sqlite_schema` lists what there is."""
    with reading(store) as db:
        db.set_authorizer(_allowed)
        try:
            cursor = db.execute(query)
            rows = cursor.fetchall()
        except (sqlite3.DatabaseError, sqlite3.Warning) as error:
            raise TraceError(f"the query cannot be answered: {error}", where=str(store)) from error
    names = [column[0] for column in cursor.description or ()]
    if as_json:
        print_json({"columns": names, "rows": [[_plain(value) for value in row] for row in rows]})
    elif ndjson:
        print_lines({name: _plain(value) for name, value in zip(names, row, strict=True)} for row in rows)
    else:
        lines = table(*names)
        for row in rows:
            lines.add_row(*(Text("" if value is None else str(value)) for value in row))
        terminal().print(lines)


def _allowed(action: int, *_: str | None) -> int:
    """Refuses to attach: even a connection that only reads would make a new database file."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


@click.command()
@STORE
@RUN
@prices
@JSON
def stats(store: Path, *, run_id: str | None, price_in: float | None, price_out: float | None, as_json: bool) -> None:
    """Sum up a run of STORE: pairs by direction and round, rejections, calls by agent with their times."""
    run = chosen_run(store, run_id)
    with reading(store) as db:
        found, pairs, calls = totals(db, run), pair_counts(db, run), agent_calls(db, run)
        reasons = [{"code": code, "pairs": count} for code, count, _ in rejection_reasons(db, run)]
    cost = Prices(price_in, price_out).cost(found.prompt_tokens, found.completion_tokens)
    if as_json:
        rows = {"pairs": [asdict(one) for one in pairs], "rejected_for": reasons}
        print_json({"run": run, **asdict(found), "cost": cost, **rows, "agents": [asdict(one) for one in calls]})
        return
    out = terminal()
    statuses = ", ".join(f"{count} {status}" for status, count in found.statuses.items() if count)
    out.print(f"run {run}: {statuses or 'no sample has begun'}")
    out.print(f"complexity {change(found.complexity_before, found.complexity_after)}")
    if cost is not None:
        out.print(f"cost {cost:,.4f}")
    lines = table("direction", "round", "accepted", "rejected", title="pairs")
    for one in pairs:
        lines.add_row(Text(one.direction), str(one.round), str(one.accepted), str(one.rejected))
    out.print(lines)
    if reasons:
        lines = table("reason", "rejected", title="rejected for")
        for reason in reasons:
            lines.add_row(Text(str(reason["code"])), str(reason["pairs"]))
        out.print(lines)
    lines = table("agent", "model", "calls", "failed", "tokens", "median", "p95", title="calls")
    for each in calls:
        tokens = "-" if each.prompt_tokens is None else f"{each.prompt_tokens:,} + {each.completion_tokens or 0:,}"
        times = ("-" if ms is None else f"{ms:,.0f} ms" for ms in (each.median_ms, each.p95_ms))
        lines.add_row(Text(each.agent), Text(each.model), str(each.calls), str(each.failed), tokens, *times)
    out.print(lines)
