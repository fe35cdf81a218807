"""What the trace commands share: the run they are about, tables, JSON, and their one error."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..errors import EvolgraphError
from ..store import traces
from ..store.connections import reading
from .stores import StorePath

STORE = click.argument("store", type=StorePath())
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
RUN = click.option("--run", "run_id", metavar="RUN", help="Which run or fork.  [default: the newest that is no fork]")
LINES = click.option("--ndjson", is_flag=True, help="Print one JSON object a line.")
_RIGHT = (
    "settled",
    "samples",
    "accepted",
    "rejected",
    "kept",
    "calls",
    "tokens",
    "failed",
    "cost",
    "median",
    "p95",
    "round",
)


class TraceError(EvolgraphError):
    """Something was asked of a store that it does not hold."""

    kind = "trace"


def prices(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that tell prices, as `price_in` and `price_out`."""
    for name, what in (("--price-out", "completion"), ("--price-in", "prompt")):
        told = click.option(name, type=click.FloatRange(0), help=f"Money for a million {what} tokens, to tell costs.")
        command = told(command)
    return command


def chosen_run(store: Path, wanted: str | None = None) -> str:
    """The id of the store's run `wanted`, or else of its newest one that is no fork.

    Raises TraceError when the store does not hold it.
    """
    with reading(store) as db:
        found = traces.runs(db)
    if not found:
        raise TraceError("the store holds no run", where=str(store))
    if wanted is None:
        return next(run.id for run in found if run.parent is None)
    if wanted not in (run.id for run in found):
        remedy = f"see evolgraph trace runs {store}"
        raise TraceError(f"no run is called {wanted!r}", where=str(store), remedy=remedy)
    return wanted


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; columns of numbers are on the right."""
    made = Table(
        title=title and f"\n{title}", title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False
    )
    made.padding = (0, 1, 0, 0)
    for column in columns:
        # An id is what other commands ask for: it goes on in the next line sooner than that any of it is left out.
        made.add_column(column, justify="right" if column in _RIGHT else "left", overflow="fold")
    return made


def change(before: float | None, after: float | None, digits: int = 2) -> str:
    """How a score changed."""
    return "-" if before is None or after is None else f"{before:.{digits}f} -> {after:.{digits}f}"


def print_json(value: Any) -> None:
    """Prints one JSON object on one line."""
    click.echo(orjson.dumps(value).decode())


def print_lines(values: Iterable[Any]) -> None:
    """Prints a JSON object a line."""
    for value in values:
        print_json(value)
