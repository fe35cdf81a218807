"""`evolgraph trace datasette`: how Datasette shows a store."""

from pathlib import Path

import click
import orjson

from ..store.connections import reading
from .stores import StorePath


@click.command()
@click.argument("store", type=StorePath())
def datasette(store: Path) -> None:
    """Print metadata for Datasette: descriptions, facets and ready queries for the tables of STORE.

    evolgraph trace datasette run.db > about.json, then: datasette run.db --metadata about.json
    """
    from ..store.datasette import metadata

    with reading(store) as db:
        click.echo(orjson.dumps(metadata(db, store.stem), option=orjson.OPT_INDENT_2).decode())
