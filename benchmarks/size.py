"""The size scenario: where a store's bytes are, table by table, for a sample-round."""

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from .data import write_seeds
from .processes import measured, mock

_SLOTS: Final = 64
_LATENCY_MS: Final = 20.0
_MOST_COLUMNS: Final = 12


def size(samples: int, rounds: int) -> dict[str, Any]:
    """Evolves `samples` for `rounds`; gives one object of figures, bytes for a sample-round."""
    with tempfile.TemporaryDirectory(prefix="evolgraph-size-") as name, mock(_SLOTS, _LATENCY_MS) as url:
        folder = Path(name)
        store = folder / "run.db"
        measured(
            "benchmarks.evolving", url=url, seeds=write_seeds(folder, samples), concurrency=2 * _SLOTS, store=store,
            rounds=rounds,
        )  # fmt: skip
        found = broken_down(store, samples * rounds)
    return {"scenario": "size", "samples": samples, "rounds": rounds, **found}


def broken_down(store: Path, sample_rounds: int) -> dict[str, Any]:
    """The bytes of the file and of the contents of its tables and columns, for each of `sample_rounds`.

    What is left between the two is SQLite's own: indexes, keys of rows, free space in pages.
    """
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        tables = {name: _contents(db, name) for name in names if not name.startswith("sqlite_")}
        pages = _pages(db)
    columns = {
        f"{table}.{column}": count / sample_rounds for table, (_, found) in tables.items() for column, count in found
    }
    contents = {name: sum(count for _, count in found) / sample_rounds for name, (_, found) in tables.items()}
    return {
        "bytes_per_sample_round": round(store.stat().st_size / sample_rounds),
        "contents": round(sum(contents.values())),
        "tables": {name: round(count, 1) for name, count in sorted(contents.items(), key=_largest) if count >= 1},
        "rows": {name: round(rows / sample_rounds, 2) for name, (rows, _) in tables.items() if rows},
        "columns": {name: round(count, 1) for name, count in sorted(columns.items(), key=_largest)[:_MOST_COLUMNS]},
        "pages": {name: round(count / sample_rounds, 1) for name, count in pages if count >= sample_rounds},
    }


def _pages(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """The bytes of the pages of each table and index, the largest first; empty where SQLite has no dbstat."""
    if ("ENABLE_DBSTAT_VTAB",) not in db.execute("PRAGMA compile_options").fetchall():
        return []
    (free,) = db.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size").fetchone()
    found = db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
    return [*found, ("free", free)]


def _largest(item: tuple[str, float]) -> float:
    return -item[1]


def _contents(db: sqlite3.Connection, table: str) -> tuple[int, list[tuple[str, int]]]:
    """How many rows `table` has, and the bytes of each column. A number counts as its digits."""
    columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
    sums = ", ".join(f'ifnull(sum(length(CAST("{column}" AS BLOB))), 0)' for column in columns)
    rows, *found = db.execute(f'SELECT count(*), {sums} FROM "{table}"').fetchone()
    return rows, list(zip(columns, found, strict=True))


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `size` as a small table."""
    lines = [
        f"{found['samples']} samples x {found['rounds']} rounds: {found['bytes_per_sample_round']:,} bytes of store a "
        f"sample-round, {found['contents']:,} of them contents, the rest indexes and pages",
        f"{'table':28}{'bytes':>10}{'rows':>8}",
        *(f"{name:28}{count:>10,.0f}{found['rows'][name]:>8.2f}" for name, count in found["tables"].items()),
        "largest columns:",
        *(f"{name:28}{count:>10,.0f}" for name, count in found["columns"].items()),
    ]
    if found["pages"]:
        lines += ["pages of:", *(f"{name:40}{count:>10,.0f}" for name, count in found["pages"].items())]
    return "\n".join(lines)
