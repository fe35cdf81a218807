"""Which samples show the same images, and what they ask at the end."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

_SHARING: Final = """
    SELECT shown, id FROM (
        SELECT s.id, shown, count(*) OVER (PARTITION BY shown) AS sharers FROM (
            SELECT *, (SELECT group_concat(json_extract(value, '$.sha256'), ' ') FROM json_each(images)) AS shown
            FROM samples WHERE run = ?1) s
        JOIN v_settled e ON e.run = s.run AND e.sample = s.id AND e.status <> 'failed')
    WHERE sharers > 1 ORDER BY shown, id"""
_HEADS: Final = """
    SELECT sample, heads FROM v_settled WHERE run = ? AND sample IN (SELECT value FROM json_each(?))"""


def sharing(db: sqlite3.Connection, run: str) -> list[tuple[str, str]]:
    """The settled samples of `run` that show the same images as others, in the order of these; no failed ones.

    Each is what names its images, and its id.
    """
    return db.execute(_SHARING, (run,)).fetchall()


def heads_of(db: sqlite3.Connection, run: str, samples: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The final questions of `samples`, by their ids, as {"qa", "complexity", "round"} each."""
    rows = db.execute(_HEADS, (run, orjson.dumps(samples).decode())).fetchall()
    return {sample: orjson.loads(heads) for sample, heads in rows}
