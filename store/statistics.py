"""A run in more numbers: pairs by direction and round, calls by agent with their times."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How many pairs of a direction were accepted and rejected in a round."""

    direction: str
    round: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class AgentCalls:
    """The calls of an agent to a model; times in milliseconds, of the calls that were answered.

    Tokens are None when no reply told them.
    """

    agent: str
    model: str
    calls: int
    failed: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    median_ms: float | None
    p95_ms: float | None


def pair_counts(db: sqlite3.Connection, run: str) -> list[PairCounts]:
    """Pairs by direction and round."""
    rows = db.execute(
        "SELECT direction, round, sum(accepted), sum(NOT accepted) FROM verdicts WHERE run = ?"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        (run,),
    )
    return [PairCounts(*row) for row in rows]


def agent_calls(db: sqlite3.Connection, run: str) -> list[AgentCalls]:
    """Calls by agent and model."""
    rows = db.execute(
        "SELECT agent, model, count(*), sum(kind <> 'ok'), sum(prompt_tokens), sum(cached_tokens),"
        " sum(completion_tokens) FROM calls WHERE run = ? GROUP BY 1, 2 ORDER BY 1, 2",
        (run,),
    ).fetchall()
    found = []
    for agent, model, *counts in rows:
        times = [
            ns / 1e6
            for (ns,) in db.execute(
                "SELECT ended_ns - started_ns AS ns FROM calls"
                " WHERE run = ? AND agent = ? AND model = ? AND http_status = 200 ORDER BY ns",
                (run, agent, model),
            )
        ]
        found.append(AgentCalls(agent, model, *counts, median_ms=_at(times, 0.5), p95_ms=_at(times, 0.95)))
    return found


def _at(ordered: list[float], share: float) -> float | None:
    """The value below which this share of the ordered values lies."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None
