"""`evolgraph seeds`: make seed samples."""

import time
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import track

from ..errors import EvolgraphError
from ..samples.drawn import draw


@click.group()
def seeds() -> None:
    """Make seed samples."""


@seeds.command(name="draw")
@click.argument("count", metavar="N", type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, help="Another seed gives other samples.")
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
@click.option(
    "--reuse", default=1, show_default=True, type=click.IntRange(min=1), help="How many samples share an image."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def draw_command(count: int, seed: int, out: Path, reuse: int, as_json: bool) -> None:
    """Draw N samples: scenes, charts and tables with exact boxes, captions and simple questions."""
    started = time.monotonic()
    try:
        result = _drawn(count, seed, out, reuse)
    except OSError as error:
        told = f"cannot be written: {error.strerror}"
        raise EvolgraphError(told, where=str(out), remedy="choose another folder", kind="output") from error
    result["seconds"] = round(time.monotonic() - started, 2)
    if as_json:
        click.echo(orjson.dumps(result))
    else:
        counts = f"{result['samples']} samples with {result['questions']} questions on {result['images']} images"
        click.echo(f"{result['seeds']}: {counts} in {result['seconds']} s")


def _drawn(count: int, seed: int, out: Path, reuse: int) -> dict[str, object]:
    """Draw with a progress bar on stderr; what was written."""
    console = Console(stderr=True)
    images: set[str] = set()
    questions = 0
    samples = draw(count, seed, out, reuse)
    for sample in track(samples, "Drawing", total=count, console=console, disable=not console.is_terminal):
        images.add(sample.images[0].path)
        questions += len(sample.qas)
    return {"seeds": str(out / "seeds.json"), "samples": count, "images": len(images), "questions": questions}
