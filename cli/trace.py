"""`evolgraph trace`: what the agents did and why, from a store."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from ..store import traces
from ..store.connections import reading
from .datasette import datasette
from .fork import fork
from .otel import otel
from .showing import show
from .sql import sql, stats
from .terminal import terminal
from .tracing import JSON, STORE, print_json, table
from .tracing_samples import list_samples


@click.group()
def trace() -> None:
    """Look into what the agents did and why."""


for _command in (datasette, fork, list_samples, otel, show, sql, stats):
    trace.add_command(_command)


@trace.command()
@STORE
@JSON
def runs(store: Path, as_json: bool) -> None:
    """List the runs of STORE."""
    with reading(store) as db:
        found = traces.runs(db)
    if as_json:
        print_json({"runs": [asdict(run) for run in found]})
        return
    lines = table("run", "made", "settled", "samples", "starts", "policy", "models")
    lines.columns[1].no_wrap = True
    for run in found:
        made = datetime.fromtimestamp(run.created_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
        known = run.fingerprint
        counts = (str(run.settled), str(run.samples), str(run.sessions))
        models = sorted({model.partition(": ")[2].partition(" ")[0] for model in known["models"]})
        lines.add_row(run.id, made, *counts, known["policy"], ", ".join(models))
        if run.parent:
            lines.add_row("", f"of {run.parent}")
    terminal().print(lines)


@trace.command(name="check")
@STORE
@JSON
@click.pass_context
def check_store(ctx: click.Context, store: Path, as_json: bool) -> None:
    """Check that STORE is undamaged and that its tables agree: exit code 0 when it is sound, 1 when it is not."""
    from ..store.check import Problem, examine  # it unpacks states by LangGraph's means, which takes a second

    counts: Counter[str] = Counter(runs=0, samples=0, settled=0, rounds=0, calls=0, maybe_billed=0)
    problems: list[Problem] = []
    for problem in examine(store, counts):
        problems.append(problem)
        if not as_json:
            click.echo(str(problem))
    if as_json:
        found = [asdict(problem) for problem in problems]
        print_json({"sound": not problems, **counts, "problems": found})
    elif not problems:
        told = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if name != "runs"]
        click.echo(f"sound: {', '.join(told)}")
    ctx.exit(1 if problems else 0)
