"""A folder of stores: the shards of one run, and the store that they make together, merged anew when one changed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from .errors import StoreError
from .merging import merge

OWNERS: Final = "owners.db"
"""The file in which it stands whose sample is whose."""
MERGED: Final = "merged.db"


def shard_path(folder: Path, number: int) -> Path:
    """The store of the worker `number`."""
    return folder / f"shard-{number:04d}.db"


def shards(folder: Path) -> list[Path]:
    """The stores of the workers, in their order."""
    return sorted(folder.glob("shard-[0-9][0-9][0-9][0-9].db"))


def as_one(path: Path) -> Path:
    """The store that is meant by `path`: itself, or for a folder of shards the one that they make together.

    That is kept in the folder. Raises StoreError `open` for a folder without shards, and those of `merge`.
    """
    if not path.is_dir():
        return path
    found = shards(path)
    if not found:
        raise StoreError("no stores in this folder", where=str(path), remedy="name a store", kind="open")
    merged, about = path / MERGED, path / f"{MERGED}.of"
    with _alone(path / "merging.lock"):
        seen = orjson.dumps([_signature(shard) for shard in found])
        if not (merged.exists() and about.exists() and about.read_bytes() == seen):
            about.unlink(missing_ok=True)
            merge(found, merged, replace=True)
            about.write_bytes(seen)
    return merged


def _signature(shard: Path) -> list[list[object]]:
    """What changes when something is written to a store: sizes and times of the file and of its log."""
    told: list[list[object]] = []
    for path in (shard, shard.with_name(f"{shard.name}-wal")):
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            if found.st_size:
                told.append([path.name, found.st_size, found.st_mtime_ns])
    return told


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Lets one at a time into the block. Raises StoreError `open` where no file can be written."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            error.strerror or "cannot be written", where=str(path), remedy="merge it elsewhere: evolgraph merge",
            kind="open",
        ) from error  # fmt: skip
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
