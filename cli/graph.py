"""`evolgraph graph`: the state machine as a drawing."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--format", "kind", type=click.Choice(["mermaid", "png"]), default="mermaid", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the terminal.")
def graph(kind: str, output: Path | None) -> None:
    """Draw the state machine that routes a sample, with the installed directions."""
    from ..graph.drawing import mermaid, png

    drawing = mermaid().encode() if kind == "mermaid" else png()
    if output:
        output.write_bytes(drawing)
    elif kind == "png" and sys.stdout.isatty():
        raise click.UsageError("a PNG does not belong on a terminal; name a file with -o")
    else:
        sys.stdout.buffer.write(drawing)
