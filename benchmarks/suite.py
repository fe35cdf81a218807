"""All scenarios that need nothing but this machine: a line of JSON each, and a page of Markdown."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson

from . import engines, memory, parts, resume, size, startup
from .throughput import Workload, table, throughput

RESULTS: Final = Path(__file__).parent / "results"
"""Where they are written; git ignores it."""
Scenario = tuple[Callable[[], dict[str, Any]], Callable[[Mapping[str, Any]], str]]
"""What measures, and what shows its figures as text."""


def scenarios(full: bool) -> dict[str, Scenario]:
    """The scenarios by name, in a size of minutes or, if `full`, in the one that the figures of the project are of."""
    work = Workload(samples=2000) if full else Workload(samples=200, pairs=2)
    drawn = (1_000, 10_000, 163_000) if full else (200, 1_000)
    return {
        "throughput": (lambda: throughput(work), table),
        "parts": (lambda: parts.parts(parts.Plan(turns=20 if full else 4)), parts.shown),
        "size": (lambda: size.size(400 if full else 100, 3), size.shown),
        "startup": (lambda: startup.startup(20 if full else 5), startup.shown),
        "resume": (lambda: resume.resume(100_000 if full else 5_000), _listed),
        "memory": (lambda: memory.memory(drawn, None), memory.shown),
        "engines": (lambda: engines.compare(engines.Plan(samples=640 if full else 150)), engines.shown),
    }


def run(full: bool) -> Path:
    """Runs all scenarios; gives the page, which lies beside the lines of JSON."""
    RESULTS.mkdir(exist_ok=True)
    lines, page = RESULTS / "results.jsonl", RESULTS / "results.md"
    with lines.open("wb") as stream:
        page.write_text("".join(_page(stream, full)))
    return page


def _page(stream: Any, full: bool) -> Iterator[str]:
    yield f"# {'Full' if full else 'Short'} measurements of {time.strftime('%Y-%m-%d %H:%M')}\n"
    for name, (measure, shown) in scenarios(full).items():
        click.echo(f"{name} ...", err=True)
        before = _load()
        found = {"load_before": before} | measure()
        stream.write(orjson.dumps(found) + b"\n")
        stream.flush()
        yield f"\n## {name}\n\nLoad of the machine before: {before}, after: {_load()}.\n"
        yield f"\n```text\n{shown(found)}\n```\n"


def _load() -> float:
    """Processes that wanted to run, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _listed(found: Mapping[str, Any]) -> str:
    return "\n".join(f"{name:16}{value}" for name, value in found.items() if name != "scenario")
