"""`evolgraph judge audit`: the run's judge asked anew, with known pairs and bait."""

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson

from .configuration import endpoint_options, endpoints_of

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("store", type=_PATH)
@click.option("-n", "calls", default=50, show_default=True, type=click.IntRange(0), help="Judge calls made again.")
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images.  [default: the run's]"
)
@click.option("--judge", default=1, show_default=True, type=click.IntRange(1), help="Which of a panel's judges.")
@click.option("--seed", default=0, show_default=True, help="Seeds the draw of calls.")
@click.option("--prompts", type=_PATH, help="The folder of prompt texts that the run was given.")
@endpoint_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def audit(ctx: click.Context, /, store: Path, *, images: Path | None, as_json: bool, **options: Any) -> None:
    """Ask the judge of STORE anew: does it rule as it did, and do order, length, praise and commands move it.

    It gets some of the run's own calls again, and pairs with known truth and bait that come with evolgraph. Nothing is
    written into STORE. Exit code 1 when calls failed.
    """
    from ..graph.auditing import Plan
    from ..graph.auditing import audit as audited
    from .report import image_root

    endpoints = endpoints_of(ctx, options["endpoint_urls"], options["models"], options["key_env"])
    plan = Plan(options["calls"], options["seed"], options["prompts"], options["judge"])
    found = asyncio.run(audited(store, image_root(store, images), plan, endpoints=endpoints))
    if as_json:
        click.echo(orjson.dumps(found).decode())
    else:
        _show(found)
    ctx.exit(1 if found["unanswered"] else 0)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    from .terminal import terminal

    out = terminal()
    judge, position, length = found["judge"], found["position"], found["length"]
    which = f" {judge['number']} of {judge['of']}" if judge["of"] > 1 else ""
    out.print(f"judge{which}: {', '.join(judge['models'])}; it sees {judge['sees']}s", soft_wrap=True)
    for name, words in (("same_model", "another model or other parameters"), ("same_prompts", "other prompt texts")):
        if not judge[name]:
            out.print(f"mind: the run's judge had {words}", soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False)
    for column in ("", "pairs", "value", "95% interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name, title in (("run", "the run's calls again"), ("package", "known pairs")):
        drift = found["drift"][name]
        table.add_row(f"{title}: ruled as before", str(drift["pairs"]), *_told(drift["agreement"]))
        table.add_row(f"{title}: points more than before", "", *_told(drift["score"], "+"))
    for name, title in (("accepted_of_sound", "sound"), ("accepted_of_unsound", "unsound")):
        table.add_row(f"known pairs: accepted of the {title}", "", *_told(found["drift"]["package"]["right"][name]))
    table.add_row("other order: ruled alike", str(position["pairs"]), *_told(position["consistency"]))
    table.add_row("other order: points for standing first", "", *_told(position["first_gains"], "+"))
    table.add_row("length: correlation with the score", str(length["pairs"]), *_told(length["correlation"], "+"))
    table.add_row("length: points for 100 idle words", "", *_told(length["points_per_100_words"], "+"))
    out.print(table)
    bait = Table(show_edge=False, pad_edge=False)
    for column in ("canaries, all unsound", "pairs", "accepted", "points for the bait"):
        bait.add_column(column, justify="left" if column.startswith("c") else "right")
    for name, row in found["canaries"]["kinds"].items():
        bait.add_row(name, str(row["pairs"]), str(row["accepted"]), f"{row['score_lift']:+.2f}")
    out.print(bait)
    money = "" if found["cost"] is None else f", a cost of {found['cost']:,.4f}"
    sent, received = found["prompt_tokens"], found["completion_tokens"]
    tokens = "unknown tokens" if sent is None else f"{sent:,} tokens in and {received:,} out"
    out.print(f"{found['calls']} calls, {tokens}{money}")
    for kind, number in found["unanswered"].items():
        out.print(f"without an answer: {kind}: {number}")


def _told(estimate: dict[str, Any], sign: str = "") -> tuple[str, str]:
    if estimate["value"] is None:
        return "-", "-"
    low, high = estimate["low"], estimate["high"]
    return f"{estimate['value']:{sign}.2f}", "-" if low is None else f"{low:{sign}.2f} to {high:{sign}.2f}"
