"""`evolgraph export`: a run's questions in a training format."""

from pathlib import Path
from typing import Any

import click
import orjson

from .stores import StorePath


class _Rounds(click.ParamType):
    name = "final|all|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        if value in ("final", "all") or isinstance(value, int):
            return value
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither final, all nor the number of a round", param, ctx)
        return int(value)


@click.command()
@click.argument("store", type=StorePath())
@click.option(
    "--format", "form", required=True, help="Layout of the file.",
    type=click.Choice(["mmevol", "llava", "sharegpt", "openai", "parquet", "preference"]),
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--rounds", type=_Rounds(),
    help="final: questions as they stand at the end; N: as they stood after round N; all: every accepted version. "
    "Default: all for mmevol and preference, final for the others.",
)  # fmt: skip
@click.option("--min-score", type=click.FloatRange(1, 10), help="Least complexity of a question.")
@click.option("--direction", default="", help="Only questions that this direction made.")
@click.option("--duplicates", type=click.Choice(["leave-out", "keep"]), default="leave-out", show_default=True,
              help="What becomes of questions that another sample nearly asks about the same image.")  # fmt: skip
@click.option("--turns", type=click.Choice(["single", "multi"]), default="multi", show_default=True,
              help="single: a row a question; multi: a row a sample.")  # fmt: skip
@click.option(
    "--images", type=click.Choice(["copy", "link", "embed"]), default=None,
    help="Put image files beside the file or into it. Default: only their paths, under the image root.",
)  # fmt: skip
@click.option("--image-root", type=click.Path(path_type=Path),
              help="Folder that the images' paths are relative to.  [default: the run's]")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that no export wrote.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def export(
    store: Path, *, form: str, turns: str, images: str | None, image_root: Path | None, duplicates: str, as_json: bool,
    **chosen: Any,
) -> None:  # fmt: skip
    """Write the settled samples of STORE as training data, with a manifest and a dataset card beside the file.

    preference holds accepted against rejected versions of one parent.
    """
    from ..graph.exporting import Plan
    from ..graph.exporting import export as write
    from ..samples.exports.choice import NEAR_DUPLICATES
    from .view import run_images

    chosen |= {"image_root": image_root or run_images(store), "duplicates": duplicates == "keep"}
    plan = Plan(form, images=images or "", single=turns == "single", **chosen)
    told = write(store, plan)
    if as_json:
        click.echo(orjson.dumps(told).decode())
    counts = told["counts"]
    click.echo(
        f"{counts['rows']} rows from {counts['samples']} samples written to {plan.output}, with {plan.manifest.name}"
        f" and {plan.card.name}",
        err=True,
    )
    for reason, count in told["left_out"].items():
        hint = " (--duplicates keep takes them)" if reason == NEAR_DUPLICATES else ""
        click.echo(f"left out: {reason}: {count}{hint}", err=True)
