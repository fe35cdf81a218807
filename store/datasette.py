"""What Datasette is told of a store, so that its pages say what the tables hold and begin with what people ask."""

import sqlite3
from typing import Any, Final

_TABLES: Final[dict[str, dict[str, Any]]] = {
    # A label is what makes a foreign key a link; Datasette knows keys of one column only, so those to samples are none.
    "runs": {"description": "Runs and forks: what decides their results is in the fingerprint.", "label_column": "id"},
    "sessions": {"description": "The starts of runs, and how they ended."},
    "samples": {"description": "The seeds, without their questions.", "sort": "position"},
    "settled": {"description": "How samples ended, by take.", "facets": ["status"]},
    "retries": {"description": "Settled samples that were taken up again."},
    "decisions": {
        "description": "Where samples were sent, and what the policy knew.",
        "facets": ["direction", "policy", "round"],
    },
    "rewards": {"description": "What rounds brought, in the order of their commits.", "sort": "seq"},
    "verdicts": {
        "description": "What screen and judge decided on each question.",
        "facets": ["accepted", "code", "direction", "stage"],
    },
    "generations": {
        "description": "All versions of all questions; round 0 is the seed.",
        "facets": ["outcome", "direction", "round"],
    },
    "calls": {
        "description": "The ledger of calls: every reply as it was received.",
        "facets": ["agent", "kind", "endpoint", "model"],
        "sort_desc": "started_ns",
    },
    "spans": {"description": "Pieces of work on samples, without their calls.", "facets": ["kind", "status"]},
    "quarantine": {"description": "Seed rows that could not be used."},
    "sending": {"description": "Calls that are under way.", "hidden": True},
    "parts": {"description": "Texts that calls sent, each once.", "hidden": True},
    "checkpoints": {"description": "LangGraph's states.", "hidden": True},
    "writes": {"description": "LangGraph's pending writes.", "hidden": True},
    "_sqlite_migrations": {"hidden": True},
    "sample_totals": {"description": "Totals of samples, as lists show them.", "hidden": True},
    "verdict_totals": {"description": "Pairs by round, direction and end.", "hidden": True},
    "call_totals": {"description": "Calls by second and kind.", "hidden": True},
    "choices": {"description": "The values that lists can be filtered by.", "hidden": True},
    "v_sample_totals": {"description": "The same, as of now.", "hidden": True},
    "v_settled": {"description": "How samples ended, in their newest take.", "facets": ["status"]},
    "v_samples": {"description": "One line a sample: how it ended, its gain, its way.", "facets": ["status"]},
    "v_pairs": {
        "description": "Each question before and after a round, with the verdict.",
        "facets": ["outcome", "direction", "code"],
    },
    "v_decisions": {"description": "Decisions with their rewards.", "facets": ["direction", "policy"]},
    "v_calls": {"description": "Calls with milliseconds and tokens.", "facets": ["agent", "kind", "endpoint"]},
    "v_prompts": {"description": "What was sent, as text.", "facets": ["agent", "role"]},
    "v_spans": {"description": "All spans, calls among them.", "facets": ["kind", "status"]},
}
_QUERIES: Final = {
    "one_sample": (
        "One sample, round by round",
        "SELECT run, round, direction, qa, outcome, score_before, score_after, code, reason, question_before,"
        " question_after, answer_before, answer_after FROM v_pairs WHERE sample = :sample ORDER BY run, round, qa",
    ),
    "rejections": (
        "Why pairs were rejected",
        "SELECT run, direction, stage, code, count(*) AS pairs, min(reason) AS example FROM verdicts WHERE NOT accepted"
        " GROUP BY run, direction, stage, code ORDER BY pairs DESC",
    ),
    "tokens": (
        "Where the tokens went",
        "SELECT run, agent, model, endpoint, count(*) AS calls, sum(prompt_tokens) AS prompt_tokens,"
        " sum(cached_tokens) AS cached_tokens, sum(completion_tokens) AS completion_tokens,"
        " round(avg(ended_ns - started_ns) / 1e6) AS mean_ms FROM calls GROUP BY run, agent, model, endpoint"
        " ORDER BY sum(prompt_tokens + completion_tokens) DESC",
    ),
    "routes": (
        "What each direction brought",
        "SELECT run, policy, round, direction, count(*) AS rounds, round(avg(propensity), 3) AS mean_propensity,"
        " round(avg(reward), 4) AS mean_reward, sum(tokens) AS tokens FROM v_decisions"
        " GROUP BY run, policy, round, direction ORDER BY run, round, direction",
    ),
    "forks": (
        "Forks beside what they came from",
        "SELECT f.id AS fork, f.parent, e.sample, json_extract(f.fingerprint, '$.fork.round') AS round,"
        " json_extract(f.fingerprint, '$.fork.direction') AS direction, p.status AS parent_status,"
        " p.complexity_after AS parent_after, e.status AS fork_status, e.complexity_after AS fork_after"
        " FROM runs f JOIN v_settled e ON e.run = f.id"
        " LEFT JOIN v_settled p ON p.run = f.parent AND p.sample = e.sample WHERE f.parent IS NOT NULL",
    ),
}


def metadata(db: sqlite3.Connection, name: str) -> dict[str, Any]:
    """Datasette's metadata for the store `db` whose file is called `name`, without its ending, as plain JSON."""
    held = {table for (table,) in db.execute("SELECT name FROM sqlite_schema")}
    tables = {table: about for table, about in _TABLES.items() if table in held}
    queries = {key: {"title": title, "sql": sql} for key, (title, sql) in _QUERIES.items()}
    about = "What the agents did and why: one run of evolgraph, its starts and its forks."
    return {"databases": {name: {"description": about, "tables": tables, "queries": queries}}}
