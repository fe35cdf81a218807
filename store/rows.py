"""Rows of a table or view as frozen dataclasses whose fields are the columns."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Final, TypeVar

import orjson

from .errors import StoreError

T = TypeVar("T")
JSON: Final = {"decode": orjson.loads}
"""Metadata of a field that is JSON text in its column."""
FLAG: Final = {"decode": lambda value: None if value is None else bool(value)}
"""Metadata of a field that is 0, 1 or null in its column."""


Values = Sequence[Any] | Mapping[str, Any]


def fetch(db: sqlite3.Connection, kind: type[T], source: str, values: Values = ()) -> list[T]:
    """Rows of `kind` from `source`: a table or view with its conditions and `values` for them.

    Raises StoreError `corrupt` for a column that does not hold the JSON it should.
    """
    columns = fields(kind)  # type: ignore[arg-type]
    decoders = [column.metadata.get("decode") for column in columns]
    names = ", ".join(column.name for column in columns)
    # All rows are read before any is decoded: an unfinished statement would keep its snapshot.
    rows = db.execute(f"SELECT {names} FROM {source}", values).fetchall()  # noqa: S608
    try:
        return [
            kind(*[decode(value) if decode else value for decode, value in zip(decoders, row, strict=True)])
            for row in rows
        ]
    except orjson.JSONDecodeError as error:
        raise StoreError(
            f"no JSON in {source.split(maxsplit=1)[0]}: {error}", remedy="restore a copy", kind="corrupt"
        ) from error


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All that is read inside the block is of one moment. Keep it short: the log cannot shrink meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def plain(row: Any, *names: str) -> dict[str, Any]:
    """The fields `names` of a row as a mapping."""
    return {name: getattr(row, name) for name in names}


def grouped(rows: Sequence[T], *names: str) -> Mapping[Any, list[T]]:
    """Rows by the values of the fields `names` (a tuple where there are several), in their order."""
    groups: dict[Any, list[T]] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in names)
        groups.setdefault(key if len(names) > 1 else key[0], []).append(row)
    return groups
