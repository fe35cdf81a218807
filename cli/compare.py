"""`evolgraph compare`: two runs over the same seeds, side by side."""

from pathlib import Path
from typing import Any

import click
import orjson

from .stores import StorePath

_STORE = StorePath()


@click.command()
@click.argument("store_a", type=_STORE)
@click.argument("store_b", type=_STORE)
@click.option(
    "--planted", multiple=True, type=_STORE, metavar="FILE",
    help="What `serve --plant` told at /planted: of both runs, or, given twice, of A and of B.",
)  # fmt: skip
@click.option(
    "--price-in", multiple=True, type=click.FloatRange(0), metavar="X",
    help="Money for a million prompt tokens, to compare costs: of both runs, or, given twice, of A and of B.",
)  # fmt: skip
@click.option(
    "--price-out", multiple=True, type=click.FloatRange(0), metavar="X", help="The same for completion tokens."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(
    store_a: Path,
    store_b: Path,
    *,
    planted: tuple[Path, ...],
    price_in: tuple[float, ...],
    price_out: tuple[float, ...],
    as_json: bool,
) -> None:
    """Compare the newest runs in STORE_A and STORE_B over the samples that are settled in both.

    Differences are B less A, with 95% bootstrap intervals clustered by image; settings that differ are listed.
    """
    from ..viewer.asked import Prices
    from ..viewer.comparison import comparison

    for name, given in (("--planted", planted), ("--price-in", price_in), ("--price-out", price_out)):
        if len(given) > 2:
            raise click.UsageError(f"Give {name} once, or once for each store.")
    if len(price_in) != len(price_out):
        raise click.UsageError("Give --price-in and --price-out equally often.")
    found = comparison(store_a, store_b, planted, [*map(Prices, price_in, price_out)])
    if as_json:
        click.echo(orjson.dumps(found).decode())
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from .terminal import terminal

    out = terminal()
    left = {"settled in A alone": "only_a", "settled in B alone": "only_b", "of another seed": "seeds_differ"}
    told = [f"{found[name]} {words}" for words, name in left.items() if found[name]]
    aside = f" (left out: {', '.join(told)})" if told else ""
    out.print(f"{found['samples']} samples of {found['images']} images are settled in both{aside}", soft_wrap=True)
    for name, (a, b) in found["settings"].items():
        words = "the texts differ" if name == "prompts" else f"{_plain(a)} in A, {_plain(b)} in B"
        out.print(Text(f"{name}: {words}"), soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False)
    for column in ("", "A", "B", "B - A", "95% interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name, measure in found["measures"].items():
        digits = 0 if name.startswith("tokens") else 3
        change = measure["difference"]
        interval = "-" if change["low"] is None else f"{change['low']:+,.{digits}f} to {change['high']:+,.{digits}f}"
        values = [_number(measure[side]["value"], digits) for side in ("a", "b")]
        table.add_row(name.replace("_", " "), *values, _number(change["value"], digits, "+"), interval)
    out.print(table)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _number(value: float | None, digits: int, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign},.{digits}f}"
