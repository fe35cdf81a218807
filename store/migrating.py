"""Whether a store's tables are those of this version, and bringing them there.

sqlite-utils, which applies the steps, is imported only for that: where pandas is installed it imports it too, which
takes longer than all the rest of a command's start.
"""

import sqlite3
from typing import Final

from .errors import StoreError
from .migrations import STEPS

_SET: Final = "evolgraph"
_NAMES: Final = {step.__name__ for step in STEPS}


def apply(db: sqlite3.Connection, where: str) -> None:
    """Brings the tables up to date. Raises StoreError `newer` when a newer version has written the store."""
    if _behind(db, where):
        from sqlite_utils import Migrations

        from .scripts import Scripted

        migrations = Migrations(_SET)
        for step in STEPS:
            migrations()(step)
        migrations.apply(Scripted(db, recursive_triggers=False, execute_plugins=False))


def check(db: sqlite3.Connection, where: str) -> None:
    """Raises StoreError `newer` or `open` when these tables cannot be read as they are."""
    if _behind(db, where):
        raise StoreError("the store has older tables", where=where, remedy="resume its run once", kind="open")


def _behind(db: sqlite3.Connection, where: str) -> bool:
    applied = _applied(db)
    if unknown := sorted(applied - _NAMES):
        raise StoreError(
            f"a newer evolgraph has written this store ({unknown[-1]})",
            where=where,
            remedy="upgrade evolgraph",
            kind="newer",
        )
    return applied != _NAMES


def _applied(db: sqlite3.Connection) -> set[str]:
    """The names of the steps that sqlite-utils has noted as applied."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone():
        return set()
    rows = db.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,))
    return {name for (name,) in rows}
