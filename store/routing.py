"""Routing as it was logged: the rounds of settled samples, with what was known before and what came of them."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .rows import JSON, fetch, snapshot

_PAGE: Final = 2000
"""Positions of seeds that are read at once: a large log is neither held in memory nor kept from being folded in."""
_ROUNDS: Final = """
    (SELECT d.*, s.position, json_extract(s.images, '$[0].sha256') AS image, r.reward, r.tokens,
            count(v.qa) AS offered, sum(v.accepted) AS accepted,
            total(v.accepted * (v.score_after - v.score_before)) AS gain
     FROM samples s INDEXED BY samples_by_position
     JOIN v_settled e ON e.run = s.run AND e.sample = s.id
     JOIN decisions d ON d.run = s.run AND d.sample = s.id AND d.round <= e.rounds
     LEFT JOIN rewards r ON r.run = d.run AND r.sample = d.sample AND r.round = d.round
       AND r.take = (SELECT max(take) FROM rewards x
                     WHERE x.run = d.run AND x.sample = d.sample AND x.round = d.round)
     LEFT JOIN verdicts v ON v.run = d.run AND v.sample = d.sample AND v.round = d.round AND v.take = r.take
     WHERE s.run = ? AND s.position >= ? AND s.position < ?
     GROUP BY s.position, s.id, d.round
     ORDER BY s.position, s.id, d.round)
"""


@dataclass(frozen=True, slots=True)
class LoggedRound:
    """A decision, and what its round brought: None where that is not known. `image` is the first image's SHA-256.

    `offered` and `accepted` count questions, `gain` sums the accepted ones' points on the judge's scale. `features` is
    JSON text: a log has many.
    """

    sample: str
    round: int
    image: str
    direction: str
    propensity: float
    policy: str
    policy_version: str
    feature_set: str
    features: str
    reward: float | None
    tokens: int | None
    offered: int | None
    accepted: int | None
    gain: float | None
    probabilities: dict[str, float] = field(metadata=JSON)
    eligible: list[str] = field(metadata=JSON)


def seeds_until(db: sqlite3.Connection, run: str) -> int:
    """The number after the last position of the run's samples."""
    (last,) = db.execute("SELECT max(position) FROM samples WHERE run = ?", (run,)).fetchone()
    return 0 if last is None else last + 1


def logged_rounds(db: sqlite3.Connection, run: str) -> Iterator[tuple[int, list[LoggedRound]]]:
    """The rounds of settled samples, sample by sample in the order of the seeds; of several takes the last counts.

    They come in pages of whole samples, each as of its own moment and with the position that was read up to.
    Raises StoreError `corrupt`.
    """
    end = seeds_until(db, run)
    for start in range(0, end, _PAGE):
        with snapshot(db):
            page = fetch(db, LoggedRound, _ROUNDS, (run, start, start + _PAGE))
        yield min(start + _PAGE, end), page
