"""Which pairs of a run came in replies that the embedded model spoiled on purpose, by its own list."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from .errors import StoreError

_REPLIES: Final = """
    SELECT c.sample, c.round, c.response_id FROM calls c
    JOIN decisions d ON d.run = c.run AND d.sample = c.sample AND d.round = c.round AND d.direction = c.agent
    WHERE c.run = ? AND c.kind = 'ok' ORDER BY c.take"""
Pair = tuple[str, int, str]
"""Sample, round and question."""


def spoiled(db: sqlite3.Connection, run: str, planted: Mapping[tuple[str, str], str]) -> dict[Pair, str]:
    """The pairs of `run` that were spoiled, with the kinds of their defects; `planted` has these by reply and question.

    Of several takes of a round the last one counts.
    """
    replies = {(sample, number): reply for sample, number, reply in db.execute(_REPLIES, (run,))}
    questions: dict[str, dict[str, str]] = {}
    for (reply, qa), kind in planted.items():
        questions.setdefault(reply, {})[qa] = kind
    return {
        (sample, number, qa): kind
        for (sample, number), reply in replies.items()
        for qa, kind in questions.get(reply, {}).items()
    }


def read_planted(path: Path) -> dict[tuple[str, str], str]:
    """What an embedded model told at `/planted`: kinds of defects by reply and question.

    Raises StoreError `planted`.
    """
    try:
        told: Any = orjson.loads(path.read_bytes())
        return {(row["reply"], row["qa"]): row["kind"] for row in told["planted"]}
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except (orjson.JSONDecodeError, LookupError, TypeError):
        message = "not what an embedded model tells of its defects"
    remedy = "save what its server answers at /planted"
    raise StoreError(message, where=str(path), remedy=remedy, kind="planted")
