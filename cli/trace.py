"""`evolgraph trace`: what the agents did and why, from a store."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ..errors import EvolgraphError
from ..store import traces
from ..store.check import Problem, examine
from ..store.connections import reading
from ..store.lineage import Decision, Generation, Verdict
from .datasette import datasette
from .fork import fork
from .otel import otel

_STORE = click.argument("store", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class TraceError(EvolgraphError):
    """Something was asked of a store that it does not hold."""

    kind = "trace"


@click.group()
def trace() -> None:
    """Look into what the agents did and why."""


trace.add_command(datasette)
trace.add_command(fork)
trace.add_command(otel)


def chosen_run(store: Path) -> str:
    """The id of the store's newest run that is no fork. Raises TraceError when it holds none."""
    with reading(store) as db:
        found = traces.runs(db)
    if not found:
        raise TraceError("the store holds no run", where=str(store))
    return next(run.id for run in found if run.parent is None)


@trace.command()
@_STORE
@_JSON
def runs(store: Path, as_json: bool) -> None:
    """List the runs of STORE."""
    with reading(store) as db:
        found = traces.runs(db)
    if as_json:
        _print_json({"runs": [asdict(run) for run in found]})
        return
    table = _table("run", "made", "settled", "samples", "starts", "policy", "models")
    for run in found:
        made = datetime.fromtimestamp(run.created_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
        known = run.fingerprint
        counts = (str(run.settled), str(run.samples), str(run.sessions))
        models = sorted({model.partition(": ")[2].partition(" ")[0] for model in known["models"]})
        table.add_row(run.id, made, *counts, known["policy"], ", ".join(models))
    Console().print(table)


@trace.command(name="list")
@_STORE
@click.option("--status", type=click.Choice(["pending", "reached", "exhausted", "stalled", "failed"]))
@click.option("--direction", help="Only samples that had a round in this direction.")
@click.option("--code", help="Only samples with a verdict of this code, such as not-correct.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(-1), help="-1: all.")
@click.option("--offset", default=0, type=click.IntRange(0))
@_JSON
def list_samples(store: Path, *, as_json: bool, **filters: Any) -> None:
    """List samples of the newest run in STORE."""
    run = chosen_run(store)
    with reading(store) as db:
        found = traces.samples(db, run, **filters)
    if as_json:
        _print_json({"run": run, "samples": [asdict(sample) for sample in found]})
        return
    table = _table("sample", "status", "complexity", "accepted", "rejected", "directions")
    for sample in found:
        score = _change(sample.complexity_before, sample.complexity_after)
        counts = (str(sample.accepted), str(sample.rejected))
        table.add_row(Text(sample.id), sample.status, score, *counts, " > ".join(sample.directions))
    Console().print(table)


@trace.command()
@_STORE
@click.argument("sample")
@_JSON
def show(store: Path, sample: str, as_json: bool) -> None:
    """Show what happened to SAMPLE: decisions, questions, verdicts and the spans with their times."""
    with reading(store) as db:
        found = traces.trace(db, chosen_run(store), sample)
    if found is None:
        raise TraceError(f"no sample is called {sample!r}", where=str(store), remedy="see evolgraph trace list")
    if as_json:
        _print_json(asdict(found))
        return
    out = Console()
    out.print(Panel(_heading(found), title=Text(sample), title_align="left"))
    for decision in found.lineage.decisions:
        out.print(_round(found, decision))
    out.print(_spans(found))


@trace.command(name="check")
@_STORE
@_JSON
@click.pass_context
def check_store(ctx: click.Context, store: Path, as_json: bool) -> None:
    """Check that STORE is undamaged and that its tables agree: exit code 0 when it is sound, 1 when it is not."""
    counts: Counter[str] = Counter(runs=0, samples=0, settled=0, rounds=0, calls=0, maybe_billed=0)
    problems: list[Problem] = []
    for problem in examine(store, counts):
        problems.append(problem)
        if not as_json:
            click.echo(str(problem))
    if as_json:
        found = [asdict(problem) for problem in problems]
        _print_json({"sound": not problems, **counts, "problems": found})
    elif not problems:
        told = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if name != "runs"]
        click.echo(f"sound: {', '.join(told)}")
    ctx.exit(1 if problems else 0)


def _heading(found: traces.Trace) -> Group:
    images = ", ".join(f"{image['path']} ({image['width']}x{image['height']})" for image in found.sample["images"])
    lines = [f"{images}, {len(found.sample['boxes'])} boxes"]
    if end := found.settled:
        lines.append(f"{end.status}: {end.reason}")
        lines.append(f"complexity {_change(end.complexity_before, end.complexity_after)}")
    else:
        lines.append("pending")
    return Group(*(Text(line) for line in lines))


def _round(found: traces.Trace, decision: Decision) -> Panel:
    odds = ", ".join(f"{name} {probability:.0%}" for name, probability in decision.probabilities.items())
    parts: list[RenderableType] = [Text(f"{decision.policy} chose {decision.direction} from {odds}", style="dim")]
    for verdict in found.lineage.verdicts:
        if verdict.round == decision.round:
            parts.extend(_pair(found, verdict))
    return Panel(Group(*parts), title=f"round {decision.round}: {decision.direction}", title_align="left")


def _pair(found: traces.Trace, verdict: Verdict) -> Iterator[RenderableType]:
    versions = {(one.round, one.take): one for one in found.lineage.generations if one.qa == verdict.qa}
    evolved = versions.get((verdict.round, verdict.take))
    score = f" {verdict.score_before} -> {verdict.score_after}" if verdict.score_after is not None else ""
    mark = Text("accepted" if verdict.accepted else f"rejected by {verdict.stage}: {verdict.code}")
    mark.stylize("green" if verdict.accepted else "red")
    yield Text.assemble((f"\n{verdict.qa}  ", "bold"), mark, score)
    if evolved:
        parent = next((one for (number, _), one in versions.items() if number == evolved.parent_round), None)
        if parent:
            yield _indented(_asked("- ", parent), 2, "dim")
        yield _indented(_asked("+ ", evolved), 2)
        for step in evolved.content["steps"]:
            yield _indented(f"{step['manipulation'] or 'thought'}: {step['description']}", 6, "dim")
    yield _indented(verdict.reason, 2, "italic")


def _asked(sign: str, version: Generation) -> str:
    return f"{sign}{version.content['question']}\n  => {version.content['answer']}"


def _indented(text: str, columns: int, style: str = "") -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, columns))


def _spans(found: traces.Trace) -> Tree:
    tree = Tree("spans")
    branches: dict[str | None, Tree] = {None: tree}
    for span in sorted(found.spans, key=lambda span: (span.round, span.kind == "call", span.started_ns)):
        spent = f"{(span.ended_ns - span.started_ns) / 1e6:.1f} ms"
        tokens = span.attributes.get("gen_ai.usage.input_tokens")
        used = f", {tokens} + {span.attributes.get('gen_ai.usage.output_tokens')} tokens" if tokens else ""
        branch = branches.get(span.parent, tree)
        branches[span.id] = branch.add(Text(f"{span.round} {span.kind} {span.name}: {spent}{used} {span.status}"))
    return tree


def _change(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{before:.2f} -> {after:.2f}"


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(
            column, justify="right" if column in ("settled", "samples", "accepted", "rejected") else "left"
        )
    return table


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value).decode())
