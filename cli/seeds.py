"""`evolgraph seeds`: make seed samples, and check those that you have."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.progress import track

from ..errors import EvolgraphError
from ..samples.drawn import draw
from ..samples.formats.reader import Rejected, Unknown, image_folder, read
from ..samples.images import ImageRoot
from ..samples.statistics import Statistics
from .terminal import terminal

EXIT_BAD_ROWS: Final = 1
_LISTED: Final = 20
"""Bad rows with the same remedy that are listed."""


@click.group()
def seeds() -> None:
    """Make seed samples, and check those that you have."""


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
    console = terminal(stderr=True)
    images: set[str] = set()
    questions = 0
    samples = draw(count, seed, out, reuse)
    for sample in track(samples, "Drawing", total=count, console=console, disable=not console.is_terminal):
        images.add(sample.images[0].path)
        questions += len(sample.qas)
    return {"seeds": str(out / "seeds.json"), "samples": count, "images": len(images), "questions": questions}


@seeds.command(name="check")
@click.argument("seeds_path", metavar="SEEDS", type=click.Path(path_type=Path))
@click.option("--format", "layout", metavar="NAME", help="mmevol, llava, sharegpt or openai.  [default: by content]")
@click.option(
    "--images", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the images.  [default: the seed file's]",
)  # fmt: skip
@click.option("--allow-image-host", "hosts", multiple=True, metavar="HOST", help="Fetch its images.")
@click.option("--all", "every", is_flag=True, help=f"List every bad row, not {_LISTED} of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every bad row.")
@click.pass_context
def check_command(
    ctx: click.Context, /, *, seeds_path: Path, layout: str | None, images: Path | None, hosts: tuple[str, ...],
    every: bool, as_json: bool,
) -> None:  # fmt: skip
    """Read SEEDS as `evolve` would: rows that cannot be used, with line and remedy, and what the rest holds.

    Exit code 0: every row can be used; 1: some cannot; 2: none can, or the file cannot be read.
    """
    found, unknown = Statistics(), Unknown()
    problems: list[dict[str, str]] = []
    remedies: Counter[str] = Counter()
    root = ImageRoot(images or image_folder(seeds_path), hosts=hosts)
    for problem in _problems(seeds_path, root, layout, found, unknown):
        remedies[problem.remedy] += 1
        if as_json:
            problems.append({"place": problem.where, "reason": problem.reason})
        elif every or remedies[problem.remedy] <= _LISTED:
            click.echo(f"{problem.where}: {problem.reason}")
    repeated = unknown.pop(("id", "repeated"), 0)
    told = found.told() | {"repeated_ids": repeated, "not_kept": _counted(unknown)}
    if as_json:
        click.echo(orjson.dumps({"seeds": str(seeds_path), **told, "problems": problems}).decode())
    else:
        _show_remedies(remedies, listed=None if every else _LISTED)
        if found.samples:
            _show(told)
    if not found.samples:
        line = f"none of {found.rejected} rows can be used"
        raise EvolgraphError(line, where=str(seeds_path), remedy="correct what is listed", kind="format")
    ctx.exit(EXIT_BAD_ROWS if found.rejected else 0)


def _problems(
    path: Path, images: ImageRoot, layout: str | None, found: Statistics, unknown: Unknown
) -> Iterator[Rejected]:
    """The rows that cannot be used; what was read is counted in `found`."""
    for row in read(path, images, layout=layout, unknown=unknown):
        if isinstance(row, Rejected):
            found.rejected += 1
            yield row
        else:
            found.add(row)


def _counted(unknown: Unknown) -> dict[str, int]:
    return {f"{kind} {label}": count for (kind, label), count in unknown.most_common(20)}


def _show_remedies(remedies: Counter[str], listed: int | None) -> None:
    """The bad rows by what would mend them, once some of them were not `listed`."""
    if listed is None or not any(count > listed for count in remedies.values()):
        return
    hidden = sum(max(0, count - listed) for count in remedies.values())
    click.echo(f"... and {hidden:,} more rows: --all lists them. All that cannot be used, by what would mend them:")
    for remedy, count in remedies.most_common():
        click.echo(f"{count:>9,}  {remedy or 'correct what is listed'}")


def _show(told: dict[str, Any]) -> None:
    for name, value in told.items():
        line = ", ".join(_counts(value)) if isinstance(value, dict) else value
        click.echo(f"{name.replace('_', ' ')}: {line if line != '' else '-'}")


def _counts(value: dict[Any, int]) -> list[str]:
    """Counts by name; those by number the other way round, so that it is plain which of the two counts."""
    return [f"{count} with {key}" if str(key).isdigit() else f"{key} {count}" for key, count in value.items()]
