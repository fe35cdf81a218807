"""`evolgraph merge`: the stores of a run by several workers as one."""

from pathlib import Path

import click
import orjson

from ..errors import EvolgraphError

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_PATH)
@click.option("-o", "--output", type=_PATH, required=True, help="Store to write; it must not be there yet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def merge(folder: Path, output: Path, as_json: bool) -> None:
    """Merge the stores in FOLDER, which the workers of one run have left, into one store.

    Commands that read a store also take the folder itself. A run can go on in a merged store, in one process.
    """
    from ..store.folder import shards
    from ..store.merging import merge as write

    found = shards(folder)
    if not found:
        raise EvolgraphError("no stores in this folder", where=str(folder), remedy="name the --store of a run on Ray")
    samples = write(found, output)
    if as_json:
        click.echo(orjson.dumps({"output": str(output), "stores": len(found), "samples": samples}).decode())
    else:
        click.echo(f"{samples} samples of {len(found)} stores merged into {output}", err=True)
