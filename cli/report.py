"""`evolgraph report`: a run in figures, charts and examples, as one file."""

from pathlib import Path

import click
import orjson

from ..samples.images import ImageRoot
from .stores import StorePath

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("store", type=StorePath())
@click.option("-o", "--output", type=_PATH, help="HTML file to write; it holds everything and opens offline.")
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="Folder of the images.  [default: the run's]"
)
@click.option("--examples", default=6, show_default=True, type=click.IntRange(0, 60), help="Questions to show.")
@click.option("--price-in", type=click.FloatRange(0), help="Money for a million prompt tokens, to tell costs.")
@click.option("--price-out", type=click.FloatRange(0), help="Money for a million completion tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
def report(
    store: Path,
    *,
    output: Path | None,
    images: Path | None,
    examples: int,
    price_in: float | None,
    price_out: float | None,
    as_json: bool,
) -> None:
    """Report on the newest run in STORE: skills, steps and difficulty by round, pass rates, objects, costs, examples.

    MMEvol's published figures stand beside the run's.
    """
    from ..graph.results import check_writable, replacing
    from ..viewer.asked import Prices
    from ..viewer.report import report as made

    if output is None and not as_json:
        raise click.UsageError("Give -o FILE, or --json, or both.")
    if output:
        check_writable(output)
    told, page = made(store, image_root(store, images), Prices(price_in, price_out), examples if output else 0)
    if output:
        with replacing(output) as stream:
            stream.write(page.encode())
        click.echo(f"report written to {output}", err=True)
    if as_json:
        click.echo(orjson.dumps(told).decode())


def image_root(store: Path, images: Path | None) -> ImageRoot:
    """Where the images of the runs in `store` are: under `images`, or else where the newest start found them."""
    from ..samples.embedded import kept_images
    from .view import run_images

    return ImageRoot(images or run_images(store), kept=kept_images(store))
