"""The ledger of calls: a reply that was received is kept before it is used, and never asked for again."""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from .bulk import Bulk, Form, insertion, insertions, json_text
from .parts import dismantled
from .store import Store

_SAME = (
    *("sample", "key", "round", "agent", "step", "take", "model", "kind", "text", "finish_reason", "response_id"),
    *("endpoint", "attempts", "http_status", "error", "started_ns", "ended_ns"),
)
_USAGE = ("prompt_tokens", "cached_tokens", "completion_tokens", "image_tokens", "reasoning_tokens")
_COUNTED = ("attempts", "maybe_billed")
_COLUMNS = ("run", *_SAME, "maybe_billed", *_USAGE, "messages")
_MENDED = ", ".join(
    [f"{column} = excluded.{column}" for column in _COLUMNS[3:] if column not in _COUNTED]
    + [f"{column} = calls.{column} + excluded.{column}" for column in _COUNTED]
)
# A received reply stays for good; a failure that left none gives way to what came later, its attempts included.
_RECORD = insertion(
    *("INSERT", "calls", _COLUMNS),
    f" ON CONFLICT (run, sample, key) DO UPDATE SET {_MENDED} WHERE calls.http_status IS NOT 200",
)
_SENDING = ("run", "sample", "key", "round", "agent", "step", "take", "model", "since_ns")
_BEGIN = insertion("INSERT OR REPLACE", "sending", _SENDING)
_END = Form("DELETE FROM sending WHERE ", "(run = ? AND sample = ? AND key = ?)", joint=" OR ")
_CUT_OFF = (
    "INSERT INTO calls (run, sample, key, round, agent, step, take, model, kind, attempts, maybe_billed, error,"
    " started_ns, ended_ns, messages)"
    " SELECT run, sample, key, round, agent, step, take, model, 'cut-off', 1, 1, 'stopped before its end was known',"
    " since_ns, since_ns, '[]' FROM sending WHERE run = ?"
    " ON CONFLICT (run, sample, key) DO UPDATE SET attempts = attempts + 1, maybe_billed = maybe_billed + 1"
    " WHERE calls.http_status IS NOT 200"
)
_FIND = f"SELECT {', '.join((*_SAME, *_USAGE))} FROM calls WHERE run = ? AND sample = ? AND key = ?"  # noqa: S608
_OPEN_KEYS = (
    "SELECT key, sample FROM calls WHERE run = ? AND sample NOT IN (SELECT sample FROM v_settled WHERE run = ?)"
)
_PARTS_REMEMBERED = 8192


def maybe_billed(db: sqlite3.Connection, run: str) -> int:
    """Requests of `run` that may have been paid for nothing; while it goes on, those under way among them."""
    lost = "SELECT (SELECT total(maybe_billed) FROM calls WHERE run = :run) + count(*) FROM sending WHERE run = :run"
    return int(db.execute(lost, {"run": run}).fetchone()[0])


class Ledger:
    """The calls of one run in `store`.

    Only the keys of the calls that unfinished samples had made before are held in memory, so a fresh run asks the
    database once.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run
        self._known: dict[str, str] | None = None
        self._loading = asyncio.Lock()
        self._kept: set[str] = set()

    async def find(self, key: str) -> Mapping[str, Any] | None:
        """The record of a call made before this start, as it was given to `record` but without its messages."""
        known = self._known if self._known is not None else await self._load()
        sample = known.get(key)
        if sample is None:
            return None
        row = await self._store.read(lambda db: db.execute(_FIND, (self._run, sample, key)).fetchone())
        if row is None:
            return None
        same, usage = row[: len(_SAME)], row[len(_SAME) :]
        return {**dict(zip(_SAME, same, strict=True)), "usage": dict(zip(_USAGE, usage, strict=True))}

    async def record(self, call: Mapping[str, Any]) -> None:
        """Returns when `call` is committed. One that is recorded twice keeps its first reply.

        The texts of its messages are stored by content, each once. Raises StoreError.
        """
        messages, texts = dismantled(call["messages"])
        usage = call.get("usage") or {}
        values = (
            self._run,
            *[call.get(name) for name in _SAME],
            call.get("maybe_billed", 0),
            *[usage.get(name) for name in _USAGE],
            json_text(messages),
        )
        new = {name: text for name, text in texts.items() if name not in self._kept}
        kept = insertions({"parts": [{"hash": name, "text": text} for name, text in new.items()]})
        ended = (self._run, call["sample"], call["key"])
        await self._store.writer.write([*kept, Bulk(_RECORD, values), Bulk(_END, ended)])
        self._remember(new)

    async def begin(self, call: Mapping[str, Any]) -> None:
        """Notes that the request of `call` goes out now; until its end is recorded, it may be billed in vain.

        Returns when that is committed, so that no kill can hide a request. Raises StoreError.
        """
        values = (self._run, *[call[name] for name in _SENDING[1:-1]], time.time_ns())
        await self._store.writer.write([Bulk(_BEGIN, values)])

    async def cut_off(self) -> None:
        """Puts the calls on record that went out and whose end nobody saw: kind `cut-off`, maybe billed."""
        await self._store.writer.write([(_CUT_OFF, (self._run,)), ("DELETE FROM sending WHERE run = ?", (self._run,))])

    def _remember(self, parts: Mapping[str, str]) -> None:
        if len(self._kept) > _PARTS_REMEMBERED:
            self._kept.clear()
        self._kept.update(parts)

    async def _load(self) -> dict[str, str]:
        async with self._loading:
            if self._known is None:
                self._known = await self._store.read(self._open_keys)
        return self._known

    def _open_keys(self, db: sqlite3.Connection) -> dict[str, str]:
        return dict(db.execute(_OPEN_KEYS, (self._run, self._run)))
