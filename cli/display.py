"""What people see of a run: one live line while it goes on, a table when it stops."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..endpoints.endpoint import Endpoint
from ..endpoints.stats import Stats
from ..graph.forecast import Forecast
from ..graph.outcome import STATUSES, Progress, Summary
from ..graph.run import Evolution
from .terminal import terminal

LIVE_EVERY_S: Final = 0.25
LINE_EVERY_S: Final = 10.0


def console() -> Console:
    """The console that progress and tables go to: standard error."""
    return terminal(stderr=True)


def same_model(endpoints: Sequence[Endpoint]) -> str:
    """A warning when one model evolves and judges; empty otherwise. Judges prefer what they wrote themselves."""
    models = {role: {one.model for one in endpoints if role in one.roles} for role in ("evolver", "judge")}
    both = sorted(models["evolver"] & models["judge"] - {"builtin"})
    if not both:
        return ""
    return f"{both[0]} judges its own questions, and models prefer their own: a judge of another family is fairer."


async def show_progress(line: Callable[[float], str], out: Console) -> None:
    """Shows `line`, told the seconds since now, until cancelled: live on a terminal, else every ten seconds."""
    started = time.monotonic()
    if not out.is_terminal:
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            out.print(line(time.monotonic() - started), soft_wrap=True)
    with Live(console=out, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(line(time.monotonic() - started)), refresh=True)
            await asyncio.sleep(LIVE_EVERY_S)


def lines_of(run: Evolution) -> Callable[[float], str]:
    """What tells the state of a run in this process, for `show_progress`."""
    forecast = Forecast(run.settings.rounds, run.settings.concurrency)

    def line(seconds: float) -> str:
        waiting = [f"{lane.endpoint.url}: {lane.why}" for lane in run.client.outages]
        return progress_line(run.progress, run.client.stats, waiting, seconds, forecast)

    return line


def progress_line(progress: Progress, stats: Stats, waiting: Sequence[str], seconds: float, forecast: Forecast) -> str:
    """A run's state in one line: `waiting` are the endpoints that it waits for."""
    judged = progress.accepted + progress.rejected
    tokens = f"{stats.prompt_tokens + stats.completion_tokens:,}" if not stats.unmetered else "unknown"
    of = progress.samples if progress.read_all else f"~{progress.samples}" if progress.samples else f"{progress.seen}+"
    parts = [
        f"{progress.done}/{of} samples",
        f"{progress.rounds} rounds",
        f"{progress.accepted / judged:.0%} accepted" if judged else "nothing judged yet",
        f"{stats.received / max(seconds, 1e-3):.1f} calls/s",
        f"{tokens} tokens",
    ]
    left = forecast.left(progress, seconds)
    if left is not None:
        parts.append(f"{timedelta(seconds=round(left))} left")
    parts += [f"waiting for {endpoint}" for endpoint in waiting]
    if progress.quarantined:
        parts.append(f"{progress.quarantined} quarantined")
    return " | ".join(parts)


def _complexity(before: float | None, after: float | None) -> str:
    if after is None:
        return "not judged"
    return f"{after:.2f}" if before is None else f"{before:.2f} -> {after:.2f}  ({after - before:+.2f})"


def show_summary(summary: Summary, reasons: Mapping[str, list[tuple[str, int, str]]], out: Console) -> None:
    """Prints the run's table, and `reasons` by what became of pairs: (code, count, an example's reason)."""
    table = Table(title=f"run {summary.run}", show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(asdict(summary)):
        table.add_row(name, value)
    out.print(table)
    for title, rows in reasons.items():
        if rows:
            found = Table(title=title, title_justify="left", title_style="bold")
            for column in ("code", "pairs", "for example"):
                found.add_column(column, justify="right" if column == "pairs" else "left")
            for code, count, example in rows:
                found.add_row(code, str(count), Text(example))
            out.print(found)


def show_estimate(estimate: dict[str, Any], out: Console) -> None:
    """Prints what all seeds would take."""
    prompt, completion, cost = (estimate[name] for name in ("prompt_tokens", "completion_tokens", "cost"))
    tokens = "unknown tokens" if prompt is None else f"{prompt:,} tokens in and {completion:,} out"
    money = "" if cost is None else f", a cost of {cost:,.2f}"
    words = f"All {estimate['samples']:,} samples: about {estimate['calls']:,} calls, {tokens}{money}"
    hours = estimate["hours"]
    spent = f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
    out.print(f"{words}, {spent} at this speed.", soft_wrap=True)


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    counts = {name: summary[name] for name in (*STATUSES, "pending")}
    before, after = summary["complexity_before"], summary["complexity_after"]
    pairs, settled = summary["accepted"] + summary["rejected"], sum(counts[name] for name in STATUSES)
    rows = [
        ("samples", f"{summary['samples']}  ({', '.join(f'{n} {name}' for name, n in counts.items() if n)})"),
        ("pairs", f"{summary['accepted']} accepted, {summary['rejected']} rejected" + (
            f"  ({summary['accepted'] / pairs:.0%} accepted)" if pairs else "")),
        ("rounds", ", ".join(f"{name} {count}" for name, count in sorted(summary["directions"].items())) or "none"),
        ("complexity", _complexity(before, after) if settled else "no sample is settled yet"),
        ("calls", f"{summary['calls']}" + (f", {summary['replayed']} replayed" if summary["replayed"] else "")),
        ("tokens", _tokens(summary)),
        ("time", f"{summary['seconds']:.1f} s" + (
            f", {summary['cpu_ms_per_call']:.2f} ms of CPU a call" if summary["cpu_ms_per_call"] is not None else "")),
    ]  # fmt: skip
    if summary["maybe_billed"]:
        rows.insert(-1, ("maybe billed", f"{summary['maybe_billed']} requests whose answers were lost"))
    if summary["lost"]:
        rows.insert(2, ("lost", f"{summary['lost']} pairs that nobody ruled on: see below"))
    if summary["quarantined"]:
        rows.insert(1, ("quarantined", str(summary["quarantined"])))
    return rows


def _tokens(summary: dict[str, Any]) -> str:
    if summary["prompt_tokens"] is None:
        return "unknown: no server counted them for every reply"
    cached = f" ({summary['cached_tokens']:,} cached)" if summary["cached_tokens"] else ""
    return f"{summary['prompt_tokens']:,} in{cached}, {summary['completion_tokens']:,} out"
