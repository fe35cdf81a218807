"""Sums over a whole run, kept by triggers, so that a page on 100,000 samples need not read all that they left."""

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlite_utils import Database

UNRULED: Final = -1
"""`ruled` of pairs that nobody ruled on; 1 is accepted, 0 rejected."""
_RULED = (
    "CASE WHEN {row}accepted THEN 1"
    " WHEN {row}stage = 'agent' OR ({row}stage = 'judge' AND {row}score_after IS NULL) THEN -1 ELSE 0 END"
)
_TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
_ADDED = ", ".join(f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})" for name in _TOKENS)
_ADD_CALL: Final = f"""
        INSERT INTO call_totals VALUES (NEW.run, NEW.ended_ns / 1000000000, NEW.kind, 1,
            {", ".join(f"NEW.{name}" for name in _TOKENS)})
        ON CONFLICT (run, second, kind) DO UPDATE SET calls = calls + 1, {_ADDED};"""  # noqa: S608
_TAKEN = ", ".join(f"{name} = {name} - coalesce(OLD.{name}, 0)" for name in _TOKENS)
CHOICES: Final = {
    "direction": "directions",
    "code": "codes",
    "agent": "agents",
    "endpoint": "endpoints",
    "error": "errors",
}
"""What lists are filtered by, and the columns of `sample_totals` that hold the values."""
_SUMS: Final = f"""
        INSERT INTO verdict_totals SELECT run, round, direction, code, {_RULED.format(row="")}, count(*)
            FROM verdicts GROUP BY 1, 2, 3, 4, 5;
        INSERT INTO call_totals SELECT run, ended_ns / 1000000000, kind, count(*),
            {", ".join(f"sum({name})" for name in _TOKENS)}
            FROM calls GROUP BY 1, 2, 3;"""  # noqa: S608


def m0013_totals(database: "Database") -> None:
    """Pairs by round, direction and end; calls by second and kind; the values that lists can be filtered by."""
    # `call_totals` answers what `calls_by_time` was scanned for.
    given = " UNION ALL ".join(
        f"SELECT {{run}}, '{name}', value FROM {{source}}json_each({{row}}{column})"  # noqa: S608
        for name, column in CHOICES.items()
    )
    database.executescript(f"""
        CREATE TABLE verdict_totals (
            run TEXT NOT NULL REFERENCES runs(id),
            round INTEGER NOT NULL,
            direction TEXT NOT NULL,
            code TEXT NOT NULL,
            ruled INTEGER NOT NULL,
            pairs INTEGER NOT NULL,
            PRIMARY KEY (run, round, direction, code, ruled)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE call_totals (
            run TEXT NOT NULL REFERENCES runs(id),
            second INTEGER NOT NULL,
            kind TEXT NOT NULL,
            calls INTEGER NOT NULL,
            prompt_tokens INTEGER,
            cached_tokens INTEGER,
            completion_tokens INTEGER,
            PRIMARY KEY (run, second, kind)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE choices (
            run TEXT NOT NULL REFERENCES runs(id),
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (run, name, value)
        ) STRICT, WITHOUT ROWID;
        {_SUMS}
        INSERT OR IGNORE INTO choices {given.format(run="run", source="sample_totals, ", row="")};
        DROP INDEX calls_by_time;
        CREATE INDEX calls_that_failed ON calls (run, kind, ended_ns) WHERE kind <> 'ok';
        CREATE TRIGGER totals_of_verdicts AFTER INSERT ON verdicts BEGIN
            INSERT INTO verdict_totals
            VALUES (NEW.run, NEW.round, NEW.direction, NEW.code, {_RULED.format(row="NEW.")}, 1)
            ON CONFLICT (run, round, direction, code, ruled) DO UPDATE SET pairs = pairs + 1;
        END;
        CREATE TRIGGER totals_of_calls AFTER INSERT ON calls BEGIN
            {_ADD_CALL}
        END;
        CREATE TRIGGER totals_of_calls_mended AFTER UPDATE OF kind, ended_ns, {", ".join(_TOKENS)} ON calls BEGIN
            UPDATE call_totals SET calls = calls - 1, {_TAKEN}
            WHERE run = OLD.run AND second = OLD.ended_ns / 1000000000 AND kind = OLD.kind;
            {_ADD_CALL}
        END;
        CREATE TRIGGER choices_of_samples AFTER INSERT ON sample_totals WHEN NEW.status <> 'pending' BEGIN
            INSERT INTO choices SELECT * FROM ({given.format(run="NEW.run", source="", row="NEW.")}) WHERE 1
            ON CONFLICT DO NOTHING;
        END;
    """)  # noqa: S608


def count_anew(db: sqlite3.Connection) -> None:
    """Takes the sums of verdicts and calls again, after rows came past the triggers."""
    for statement in ("DELETE FROM verdict_totals", "DELETE FROM call_totals", *_SUMS.split(";")[:-1]):
        db.execute(statement)
