"""Routing as it was logged: the rounds of settled samples, with what was known before and what came of them."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any, Final

from .rows import JSON, fetch, snapshot

_ROUNDS: Final = """
    (SELECT d.*, s.position, s.image, r.reward, r.tokens, v.offered, v.accepted, v.gain
     FROM decisions d
     JOIN (SELECT run, id, position, json_extract(images, '$[0].sha256') AS image FROM samples) s
       ON s.run = d.run AND s.id = d.sample
     JOIN v_settled e ON e.run = d.run AND e.sample = d.sample AND d.round <= e.rounds
     LEFT JOIN rewards r ON r.run = d.run AND r.sample = d.sample AND r.round = d.round
       AND r.take = (SELECT max(take) FROM rewards x
                     WHERE x.run = d.run AND x.sample = d.sample AND x.round = d.round)
     LEFT JOIN (SELECT run, sample, round, take, count(*) AS offered, sum(accepted) AS accepted,
                       total(accepted * (score_after - score_before)) AS gain
                FROM verdicts GROUP BY run, sample, round, take) v
       ON v.run = d.run AND v.sample = d.sample AND v.round = d.round AND v.take = r.take
     WHERE d.run = ? ORDER BY s.position, d.sample, d.round)
"""


@dataclass(frozen=True, slots=True)
class LoggedRound:
    """A decision, and what its round brought: None where that is not known. `image` is the first image's SHA-256.

    `offered` and `accepted` count questions, `gain` sums the accepted ones' points on the judge's scale.
    """

    sample: str
    round: int
    image: str
    direction: str
    propensity: float
    policy: str
    policy_version: str
    feature_set: str
    reward: float | None
    tokens: int | None
    offered: int | None
    accepted: int | None
    gain: float | None
    probabilities: dict[str, float] = field(metadata=JSON)
    eligible: list[str] = field(metadata=JSON)
    features: dict[str, Any] = field(metadata=JSON)


def logged_rounds(db: sqlite3.Connection, run: str) -> list[LoggedRound]:
    """The rounds of settled samples, sample by sample in the order of the seeds; of several takes the last counts.

    Raises StoreError `corrupt`.
    """
    with snapshot(db):
        return fetch(db, LoggedRound, _ROUNDS, (run,))
