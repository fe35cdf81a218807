"""How many rows a file seems to hold, while it is read."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from evolgraph.graph.feed import Feed
from evolgraph.samples.formats.reader import Extent, rows
from pyarrow import ipc, parquet

ROWS = [{"id": f"s{number}", "caption": "A table with " + "cups " * (number % 9)} for number in range(400)]


def written(folder: Path, kind: str) -> Path:
    path = folder / f"seeds.{kind}"
    if kind == "json":
        path.write_text(json.dumps(ROWS, indent=1))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == "arrow":
        table = pa.Table.from_pylist(ROWS)
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=100)
    else:
        path.mkdir()
        for part in range(4):
            parquet.write_table(pa.Table.from_pylist(ROWS[part * 100 : part * 100 + 100]), path / f"{part}.parquet")
    return path


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet", "arrow", "folder"])
def test_a_file_tells_early_how_many_rows_it_holds(tmp_path: Path, kind: str) -> None:
    extent = Extent()
    reading = rows(written(tmp_path, kind), extent)
    for _ in range(48):
        next(reading)
    assert extent.expected == pytest.approx(400, rel=0.1)
    assert sum(1 for _ in reading) == 352
    assert (extent.rows, extent.expected) == (400, 400)


async def seen(seeds: Any, folder: Path, limit: int | None) -> int:
    feed = Feed(seeds, folder, limit, kept=folder / "kept", layout=None, hosts=())
    await feed.begin()
    return feed.expected


async def test_a_limit_bounds_it_and_a_file_that_is_shorter_than_the_limit_too(tmp_path: Path) -> None:
    path = written(tmp_path, "jsonl")
    assert await seen(path, tmp_path, 50) == 50
    assert await seen(path, tmp_path, 5000) == pytest.approx(400, rel=0.1)
    assert await seen(path, tmp_path, None) == pytest.approx(400, rel=0.1)


async def test_samples_without_a_length_tell_nothing(tmp_path: Path) -> None:
    assert await seen([], tmp_path, None) == 0
    assert await seen(iter([]), tmp_path, None) == 0
    assert await seen(iter([]), tmp_path, 7) == 7
