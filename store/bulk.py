"""Statements for any number of rows: those of several submissions are made together.

Between two statements the writing thread lets go of the interpreter and has to get it back; beside a busy event loop
that takes longer than the rows themselves.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from .errors import StoreError

_MOST: Final = 32
"""Rows in one statement."""
_JSON: Final = frozenset({dict, list, tuple})
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table; a value that is a list, tuple or dict is stored as JSON text."""


class Form(NamedTuple):
    """A statement around its rows: `head`, one `row` for each with `joint` between them, `tail`."""

    head: str
    row: str
    tail: str = ""
    joint: str = ", "


class Bulk(NamedTuple):
    """Rows for a statement: `values` are those of all rows, one after the other, as many a row as it has marks."""

    form: Form
    values: Sequence[Any]


Plain = tuple[str, Sequence[Any]]
"""SQL with the values of its parameters."""
Statement = Bulk | Plain


class Together:
    """Collects the rows of submissions, and writes them to `db` in as few statements as their order allows.

    The submissions have nothing to do with one another: whoever builds on what another one writes has waited until it
    was committed. So only the order within each of them counts.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._order: list[Form] = []
        self._values: dict[Form, list[Any]] = {}

    def add(self, submission: Sequence[Statement]) -> None:
        """Takes a submission. One that is not of rows alone is written at once, and after all that came before it."""
        bulks = [statement for statement in submission if isinstance(statement, Bulk)]
        if len(bulks) < len(submission):
            self.flush()
            self._write(submission)
            return
        known = [self._order.index(bulk.form) for bulk in bulks if bulk.form in self._values]
        if known != sorted(known):
            self.flush()
        place = 0
        for form, values in bulks:
            if form in self._values:
                place = self._order.index(form) + 1
            else:
                self._order.insert(place, form)
                self._values[form] = []
                place += 1
            self._values[form] += values

    def flush(self) -> None:
        """Writes what was collected."""
        self._write([Bulk(form, self._values[form]) for form in self._order])
        self._order.clear()
        self._values.clear()

    def _write(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Bulk):
                for sql, values in _split(statement):
                    self._db.execute(sql, values)
            else:
                self._db.execute(*statement)


def _split(bulk: Bulk) -> list[Plain]:
    """The statements for the rows of `bulk`: of few different lengths, so that most of them are prepared already."""
    form, values = bulk
    width = form.row.count("?")
    made: list[Plain] = []
    start, rows = 0, len(values) // width
    while rows:
        count = min(_MOST, 1 << (rows.bit_length() - 1))
        made.append((_sql(form, count), values[start : start + count * width]))
        start += count * width
        rows -= count
    return made


@lru_cache(maxsize=1024)
def _sql(form: Form, rows: int) -> str:
    return form.head + form.joint.join([form.row] * rows) + form.tail


def insertions(rows: Rows) -> list[Bulk]:
    """What inserts `rows`, leaving alone what is there already.

    Only a taken key is passed over; a missing value or a wrong type is an error when it is written.
    Raises StoreError `not-json` for a value that is neither a column's value nor JSON.
    """
    bulks: dict[Form, list[Any]] = {}
    for table, some in rows.items():
        for row in some:
            values = [json_text(value) if type(value) in _JSON else value for value in row.values()]
            bulks.setdefault(_insertion(table, tuple(row)), []).extend(values)
    return [Bulk(form, values) for form, values in bulks.items()]


@lru_cache(maxsize=1024)
def _insertion(table: str, columns: tuple[str, ...]) -> Form:
    names = (table, *columns)
    if not all(name.isidentifier() for name in names):
        raise StoreError(f"not a table and columns: {', '.join(names)}", kind="write")
    return insertion("INSERT", table, columns, " ON CONFLICT DO NOTHING")


def insertion(verb: str, table: str, columns: Sequence[str], tail: str = "") -> Form:
    """The form that inserts rows of `columns`; `verb` and `tail` say what becomes of those that are there already."""
    return Form(f"{verb} INTO {table} ({', '.join(columns)}) VALUES ", f"({', '.join('?' * len(columns))})", tail)


def json_text(value: Any) -> str:
    """`value` as JSON text. Raises StoreError `not-json`."""
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise StoreError(f"a value is not JSON: {error}", kind="not-json") from error
