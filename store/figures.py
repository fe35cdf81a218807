"""A run in the figures that a dataset card shows."""

import sqlite3
from dataclasses import dataclass

from .rows import fetch


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How many pairs one direction had accepted in one round, of how many."""

    round: int
    direction: str
    accepted: int
    pairs: int


def acceptance(db: sqlite3.Connection, run: str) -> list[Acceptance]:
    """The run's pairs by round and direction."""
    counted = (
        "(SELECT round, direction, sum(accepted) AS accepted, count(*) AS pairs FROM verdicts"
        " WHERE run = ? GROUP BY round, direction) ORDER BY round, direction"
    )
    return fetch(db, Acceptance, counted, (run,))
