"""`evolgraph export`: a run's questions in a training format."""

from pathlib import Path

import click

from ..errors import EvolgraphError


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["mmevol", "llava"]), required=True, help="Layout of the file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="JSON file to write.")
def export(store: Path, form: str, output: Path) -> None:
    """Write the settled samples of STORE as one JSON list.

    mmevol holds the questions of every round (conversations_v0, v1, ...); llava holds the final ones as conversations.
    """
    from ..graph.results import check_writable, evolved, write_list
    from ..samples.formats.llava import write_llava
    from ..samples.formats.mmevol import write_mmevol
    from .trace import chosen_run

    check_writable(output)
    rows = evolved(store, chosen_run(store))
    try:
        count = write_list(output, write_mmevol(rows) if form == "mmevol" else write_llava(rows))
    except OSError as error:
        raise EvolgraphError(f"cannot be written: {error.strerror}", where=str(output)) from error
    click.echo(f"{count} samples written to {output}", err=True)
