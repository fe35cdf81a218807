"""Which samples show the same images."""

import sqlite3
from typing import Final

_SHARING: Final = """
    SELECT shown, id FROM (
        SELECT s.id, shown, count(*) OVER (PARTITION BY shown) AS sharers FROM (
            SELECT *, (SELECT group_concat(json_extract(value, '$.sha256'), ' ') FROM json_each(images)) AS shown
            FROM samples WHERE run = ?) s
        JOIN v_settled e ON e.run = s.run AND e.sample = s.id AND e.status <> 'failed')
    WHERE sharers > 1 ORDER BY shown, id"""


def sharing(db: sqlite3.Connection, run: str) -> list[tuple[str, str]]:
    """The settled samples of `run` that show the same images as others, in the order of these; no failed ones.

    Each is what names its images, and its id.
    """
    return db.execute(_SHARING, (run,)).fetchall()
