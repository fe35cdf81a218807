"""`evolgraph judge`: how far the judge can be trusted, by people's labels."""

from pathlib import Path
from typing import Any

import click
import orjson

from .judge_audit import audit
from .stores import StorePath

_PATH = click.Path(path_type=Path)


@click.group()
def judge() -> None:
    """Hold the judge's verdicts against those of people, and ask it anew."""


judge.add_command(audit)


@judge.command()
@click.argument("store", type=StorePath())
@click.option("-n", "number", default=200, show_default=True, type=click.IntRange(1), help="Pairs to label.")
@click.option("-o", "--output", type=_PATH, required=True, help="HTML file to write; it opens offline.")
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images.  [default: the run's]"
)
@click.option("--seed", default=0, show_default=True, help="Seeds the draw.")
def sample(store: Path, *, number: int, output: Path, images: Path | None, seed: int) -> None:
    """Draw pairs of STORE for people to label, evenly by direction and by accepted or rejected.

    The sheet hides what the judge said, and saves labels.jsonl.
    """
    from ..graph.results import check_writable, replacing
    from ..viewer.labelling import sheet
    from .report import image_root

    check_writable(output)
    count, page = sheet(store, image_root(store, images), number, seed)
    with replacing(output) as stream:
        stream.write(page.encode())
    click.echo(f"{count} pairs written to {output}", err=True)


@judge.command()
@click.argument("store", type=StorePath())
@click.option("--labels", type=_PATH, required=True, help="The labels.jsonl that a sheet of this run saved.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def calibrate(store: Path, *, labels: Path, as_json: bool) -> None:
    """Tell how the rulings in STORE agree with people's labels: Cohen's kappa, precision and recall by reason."""
    from ..viewer.calibration import calibration

    found = calibration(store, labels)
    if as_json:
        click.echo(orjson.dumps(found).decode())
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    from .terminal import terminal

    out = terminal()
    out.print(
        f"{found['labelled']} of {found['of_pairs']} pairs are labelled; people keep {found['people_accept']:.0%}"
    )
    table = Table(show_edge=False, pad_edge=False)
    for column in ("", "pairs", "agreement", "kappa", "precision", "recall"):
        table.add_column(column, justify="left" if not column else "right")
    for name, title in (("judge", "the judge"), ("loop", "screen and judge")):
        row = found[name]
        table.add_row(
            title, str(row["pairs"]), *[_told(row[each]) for each in ("agreement", "kappa", "precision", "recall")]
        )
    out.print(table)
    reasons = Table(show_edge=False, pad_edge=False)
    for column in ("the judge said not", "judge", "people", "both", "precision", "recall"):
        reasons.add_column(column, justify="left" if column.startswith("the") else "right")
    for name, row in found["reasons"].items():
        counts = [str(row[each]) for each in ("judge", "people", "both")]
        reasons.add_row(name.replace("_", " "), *counts, _told(row["precision"]), _told(row["recall"]))
    out.print(reasons)


def _told(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    interval = "" if estimate["low"] is None else f" ({estimate['low']:.2f} to {estimate['high']:.2f})"
    return f"{estimate['value']:.2f}{interval}"
