"""A line of totals for every sample, kept by triggers, so that any list of 100,000 samples is one quick scan."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from .rows import JSON, fetch
from .totals import CHOICES

if TYPE_CHECKING:
    from sqlite_utils import Database

_CALLS = "FROM calls c WHERE c.run = s.run AND c.sample = s.id"
_VERDICTS = "FROM verdicts v WHERE v.run = s.run AND v.sample = s.id"
_UNRULED = "(v.stage = 'agent' OR (v.stage = 'judge' AND v.score_after IS NULL))"
_VIEW: Final = f"""
    SELECT s.run, s.id AS sample, s.position, coalesce(e.status, 'pending') AS status,
           substr(coalesce(json_extract(s.sample, '$.caption'), ''), 1, 200) AS caption,
           json_extract(s.images, '$[0].sha256') AS image,
           coalesce(e.rounds, (SELECT count(*) FROM decisions d WHERE d.run = s.run AND d.sample = s.id)) AS rounds,
           e.complexity_before, e.complexity_after,
           round(e.complexity_after - e.complexity_before, 4) AS gain,
           (SELECT count(*) {_VERDICTS} AND v.accepted) AS accepted,
           (SELECT count(*) {_VERDICTS} AND NOT v.accepted AND NOT {_UNRULED}) AS rejected,
           (SELECT count(*) {_VERDICTS} AND NOT v.accepted AND {_UNRULED}) AS lost,
           (SELECT json_group_array(direction) FROM
               (SELECT direction FROM decisions d WHERE d.run = s.run AND d.sample = s.id ORDER BY d.round)
           ) AS directions,
           (SELECT json_group_array(DISTINCT v.code) {_VERDICTS} AND NOT v.accepted) AS codes,
           (SELECT json_group_array(DISTINCT c.agent) {_CALLS}) AS agents,
           (SELECT json_group_array(DISTINCT c.endpoint) {_CALLS} AND c.endpoint IS NOT NULL) AS endpoints,
           (SELECT json_group_array(DISTINCT c.kind) {_CALLS} AND c.kind <> 'ok') AS errors,
           (SELECT count(*) {_CALLS}) AS calls,
           (SELECT coalesce(sum(c.prompt_tokens), 0) {_CALLS}) AS prompt_tokens,
           (SELECT coalesce(sum(c.completion_tokens), 0) {_CALLS}) AS completion_tokens,
           (SELECT coalesce(sum(c.ended_ns - c.started_ns), 0) / 1000000 {_CALLS}) AS call_ms,
           coalesce(e.reason, '') AS reason, e.settled_ns
    FROM samples s LEFT JOIN v_settled e ON e.run = s.run AND e.sample = s.id"""  # noqa: S608


def m0011_sample_totals(database: "Database") -> None:
    """A line of totals for every sample, calls by time, and where a start's images lay."""
    # Totals are taken when a sample begins, settles, or is taken up again; in between its line is out of date.
    triggers = "".join(
        f"""
        CREATE TRIGGER totals_of_{table} AFTER INSERT ON {table} BEGIN
            DELETE FROM sample_totals WHERE run = NEW.run AND sample = NEW.{column};
            INSERT INTO sample_totals SELECT * FROM v_sample_totals WHERE run = NEW.run AND sample = NEW.{column};
        END;"""  # noqa: S608
        for table, column in (("samples", "id"), ("settled", "sample"), ("retries", "sample"))
    )
    database.executescript(f"""
        CREATE VIEW v_sample_totals AS {_VIEW};
        CREATE TABLE sample_totals (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            position INTEGER NOT NULL,
            status TEXT NOT NULL,
            caption TEXT NOT NULL,
            image TEXT,
            rounds INTEGER NOT NULL,
            complexity_before REAL,
            complexity_after REAL,
            gain REAL,
            accepted INTEGER NOT NULL,
            rejected INTEGER NOT NULL,
            lost INTEGER NOT NULL,
            directions TEXT NOT NULL,
            codes TEXT NOT NULL,
            agents TEXT NOT NULL,
            endpoints TEXT NOT NULL,
            errors TEXT NOT NULL,
            calls INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            call_ms INTEGER NOT NULL,
            reason TEXT NOT NULL,
            settled_ns INTEGER,
            PRIMARY KEY (run, sample)
        ) STRICT;
        INSERT INTO sample_totals SELECT * FROM v_sample_totals;
        CREATE INDEX sample_totals_by_position ON sample_totals (run, position, sample);
        CREATE INDEX sample_totals_by_status ON sample_totals (run, status);
        CREATE INDEX sample_totals_by_image ON sample_totals (image);
        CREATE INDEX calls_by_time ON calls
            (run, ended_ns, kind, prompt_tokens, cached_tokens, completion_tokens);
        ALTER TABLE sessions ADD COLUMN images TEXT;
        {triggers}
    """)  # noqa: S608


@dataclass(frozen=True, slots=True)
class SampleTotals:
    """A sample in a list. `status` is `pending` until it is settled; `directions` are those of its rounds, in order.

    Pairs are `lost` that nobody ruled on; `codes` are those of all that were not accepted, `errors` the kinds of failed
    calls; `call_ms` is the time the calls took together; `image` is the first image's SHA-256.
    """

    sample: str
    position: int
    status: str
    caption: str
    image: str | None
    rounds: int
    complexity_before: float | None
    complexity_after: float | None
    gain: float | None
    accepted: int
    rejected: int
    lost: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    call_ms: int
    reason: str
    directions: list[str] = field(metadata=JSON)
    codes: list[str] = field(metadata=JSON)
    agents: list[str] = field(metadata=JSON)
    endpoints: list[str] = field(metadata=JSON)
    errors: list[str] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples: those that meet everything that is given.

    `verdict` is `accepted` or `rejected`: a pair of the sample was. `round` is one that the sample had; with a
    `direction`, the round that went there. `text` is part of the id or the caption's beginning, or
    without a caption of a seed question. Scores bound the complexity after; `tokens_from` is the least number of
    tokens, `cost_from` the least cost, with the prices of a million tokens in and out.
    """

    status: str | None = None
    verdict: str | None = None
    direction: str | None = None
    round: int | None = None
    code: str | None = None
    agent: str | None = None
    endpoint: str | None = None
    error: str | None = None
    score_from: float | None = None
    score_to: float | None = None
    tokens_from: int | None = None
    cost_from: tuple[float, float, float] | None = None
    text: str | None = None

    def given(self) -> dict[str, Any]:
        """What is asked for, by name."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def values(self) -> dict[str, Any]:
        """What is asked for, as the values of SQL parameters."""
        values = self.given()
        if self.cost_from:
            del values["cost_from"]
            values |= zip(("cost", "price_in", "price_out"), self.cost_from, strict=True)
        return values


@dataclass(frozen=True, slots=True)
class Order:
    """By what samples are sorted: one of SORTS; samples without a value come last."""

    by: str = "position"
    descending: bool = False


SORTS: Final = {
    "position": "position",
    "sample": "sample",
    "status": "status",
    "rounds": "rounds",
    "before": "complexity_before",
    "after": "complexity_after",
    "gain": "gain",
    "accepted": "accepted",
    "rejected": "rejected",
    "calls": "calls",
    "tokens": "(prompt_tokens + completion_tokens)",
    "time": "call_ms",
}
VERDICTS: Final = ("accepted", "rejected")
_HOLDS = "instr({column}, json_quote(:{name}))"
_ASKED: Final = """EXISTS (
    SELECT 1 FROM generations g WHERE g.run = line.run AND g.sample = line.sample AND g.outcome = 'seed'
    AND instr(lower(json_extract(g.content, '$.question')), lower(:text)))"""
_CONDITIONS: Final = {
    "status": "status = :status",
    "direction": _HOLDS.format(column="directions", name="direction"),
    "round": "rounds >= :round",
    "code": _HOLDS.format(column="codes", name="code"),
    "agent": _HOLDS.format(column="agents", name="agent"),
    "endpoint": _HOLDS.format(column="endpoints", name="endpoint"),
    "error": _HOLDS.format(column="errors", name="error"),
    "score_from": "complexity_after >= :score_from",
    "score_to": "complexity_after <= :score_to",
    "tokens_from": "prompt_tokens + completion_tokens >= :tokens_from",
    "cost_from": "(prompt_tokens * :price_in + completion_tokens * :price_out) / 1e6 >= :cost",
    "text": f"(instr(lower(sample), lower(:text)) OR instr(lower(caption), lower(:text)) OR caption = '' AND {_ASKED})",
}


# Lines of pending samples are out of date: there are as many as are in flight, so they are made anew.
_SETTLED: Final = "SELECT {columns} FROM sample_totals line WHERE run = :run AND status <> 'pending' AND {where}"
_PENDING: Final = (
    "SELECT {columns} FROM v_sample_totals line WHERE run = :run AND sample IN"
    " (SELECT sample FROM sample_totals WHERE run = :run AND status = 'pending') AND {where}"
)


def _lines(columns: str = "*", where: str = "1") -> str:
    """The lines of a run. What is asked of them stands in both halves: few columns of many lines are read quickly."""
    return " UNION ALL ".join(half.format(columns=columns, where=where) for half in (_SETTLED, _PENDING))


def _where(chosen: Mapping[str, Any]) -> str:
    conditions = [_CONDITIONS[name] for name in chosen if name != "verdict"]
    if "verdict" in chosen:
        conditions.append(f"{chosen['verdict']} > 0" if chosen["verdict"] in VERDICTS else "0")
    if "round" in chosen and "direction" in chosen:
        conditions.append("json_extract(directions, '$[' || (:round - 1) || ']') = :direction")
    return " AND ".join(conditions) or "1"


class Page(NamedTuple):
    """Some of the samples that were asked for, and the `total` of them."""

    total: int
    samples: list[SampleTotals]


def listed(
    db: sqlite3.Connection,
    run: str,
    wanted: Filter = Filter(),
    order: Order = Order(),
    *,
    limit: int = 50,
    offset: int = 0,
) -> Page:
    """Samples of a run that have begun and that meet `wanted`, sorted. A `limit` of -1 is none."""
    key, way = SORTS[order.by], "DESC" if order.descending else "ASC"
    found = _lines(f"sample, position, {key} AS sorted", _where(wanted.given()))
    sql = f"""WITH found AS MATERIALIZED ({found}) SELECT sample, (SELECT count(*) FROM found) FROM found
        ORDER BY sorted {way} NULLS LAST, position, sample LIMIT :limit OFFSET :offset"""  # noqa: S608
    if order.by == "position" and not wanted.given():
        # Lines that are out of date have their place all the same, so that an index tells.
        sql = f"""SELECT sample, (SELECT count(*) FROM sample_totals WHERE run = :run) FROM sample_totals
            WHERE run = :run ORDER BY position {way}, sample LIMIT :limit OFFSET :offset"""  # noqa: S608
    chosen = {"run": run, "limit": limit, "offset": offset, **wanted.values()}
    page = db.execute(sql, chosen).fetchall()
    count = page[0][1] if page else counted(db, run, wanted) if offset else 0
    names = [sample for sample, _ in page]
    source = f"({_lines(where='sample IN (SELECT value FROM json_each(:page))')})"  # noqa: S608
    lines = fetch(db, SampleTotals, source, {"run": run, "page": orjson.dumps(names).decode()})
    by_name = {line.sample: line for line in lines}
    return Page(count, [by_name[name] for name in names])


def counted(db: sqlite3.Connection, run: str, wanted: Filter = Filter()) -> int:
    """How many samples of a run meet `wanted`."""
    sql = f"SELECT count(*) FROM ({_lines('1', _where(wanted.given()))})"  # noqa: S608
    (count,) = db.execute(sql, {"run": run, **wanted.values()}).fetchone()
    return count


def neighbours(
    db: sqlite3.Connection,
    run: str,
    sample: str,
    wanted: Filter = Filter(),
) -> tuple[str | None, str | None]:
    """The samples before and after `sample`, in the order of the seeds, among those that meet `wanted`."""
    chosen = {"run": run, "sample": sample, **wanted.values()}
    place = "(SELECT position, sample FROM sample_totals WHERE run = :run AND sample = :sample)"
    found: list[str | None] = []
    for sign, way in (("<", "DESC"), (">", "ASC")):
        where = f"{_where(wanted.given())} AND (position, sample) {sign} {place}"
        sql = f"SELECT sample FROM ({_lines('sample, position', where)})"  # noqa: S608
        row = db.execute(f"{sql} ORDER BY position {way}, sample {way} LIMIT 1", chosen).fetchone()
        found.append(row[0] if row else None)
    return found[0], found[1]


def choices(db: sqlite3.Connection, run: str) -> dict[str, list[str]]:
    """The values that filters of this run can take, by the filter's name."""
    held: dict[str, set[str]] = {name: set() for name in CHOICES}
    for name, value in db.execute("SELECT name, value FROM choices WHERE run = ?", (run,)):
        held[name].add(value)
    pending = _PENDING.format(columns=", ".join(CHOICES.values()), where="1")
    for lists in db.execute(pending, {"run": run}):
        for values, several in zip(held.values(), lists, strict=True):
            values.update(orjson.loads(several))
    return {name: sorted(values) for name, values in held.items()}
