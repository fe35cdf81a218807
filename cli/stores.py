"""The argument that names a store: an SQLite file, or the folder of a run by several workers."""

import os
from pathlib import Path
from typing import Any

import click

from ..store.folder import as_one


class StorePath(click.Path):
    """A store's path. A folder of shards becomes the store that they make together, which is kept in the folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of one store. Raises StoreError for a folder of which none can be made."""
        return as_one(Path(os.fsdecode(super().convert(value, param, ctx))))
