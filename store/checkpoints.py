"""LangGraph's checkpoints in the store, each in one transaction with the rows that follow from it."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NoReturn

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_metadata,
)

from .bulk import Bulk, Form, Rows, Statement, insertion, insertions
from .encoding import (
    dumped,
    dumped_checkpoint,
    dumped_write,
    loaded_checkpoint,
    loaded_metadata,
    loaded_write,
    without,
)
from .store import Store

Project = Callable[[str, Mapping[str, Any]], Rows]
"""From a thread's id and its state to the rows that belong to that state."""

_PAGE = 100
_NO_TASK = "00000000-0000-0000-0000-000000000000"
# The state is packed by the thread that writes: nothing else waits for that.
_PUT = Form(
    "INSERT OR REPLACE INTO checkpoints (thread, namespace, id, parent, checkpoint, metadata) VALUES ",
    "(?, ?, ?, ?, packed(?), ?)",
)
_DROP_OLDER = Form("DELETE FROM checkpoints WHERE ", "(thread = ? AND namespace = ? AND id <> ?)", joint=" OR ")
_DROP_OLDER_WRITES = Form(
    "DELETE FROM writes WHERE ", "(thread = ? AND namespace = ? AND checkpoint <> ?)", joint=" OR "
)
_WRITES = ("thread", "namespace", "checkpoint", "task", "idx", "path", "channel", "kind", "value")
_ADD_NEW_WRITES = insertion("INSERT OR IGNORE", "writes", _WRITES)
_REPLACE_WRITES = insertion("INSERT OR REPLACE", "writes", _WRITES)
_SELECT = "SELECT thread, namespace, id, parent, checkpoint, metadata, rowid FROM checkpoints"
_SELECT_WRITES = (
    "SELECT task, channel, kind, value FROM writes WHERE thread = ? AND namespace = ? AND checkpoint = ?"
    " ORDER BY path, task, idx"
)


class Saver(BaseCheckpointSaver[int]):
    """Keeps the state of each thread in `store`, as plain JSON.

    `project` turns each new state into rows that are inserted in the checkpoint's own transaction; rows that are there
    already stay as they are. With `keep` = "latest" a checkpoint replaces the one before it, and the outputs of single
    nodes of an unfinished superstep are not kept: after a crash its nodes run again (the ledger answers for their
    calls). Nor are, with "latest", states that `resting` says no of: whoever resumes begins before them, and their rows
    have to come with a later state. With "all" everything is kept. `passing` names channels that only `project` needs:
    they are not kept.

    Asynchronous only. Raises StoreError `not-json` for state that is not JSON and `checkpoint` for state that cannot be
    read back.
    """

    def __init__(
        self,
        store: Store,
        project: Project | None = None,
        *,
        keep: Literal["latest", "all"] = "latest",
        passing: Collection[str] = (),
        resting: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> None:
        super().__init__()
        self._store = store
        self._passing = passing
        self._resting = resting
        self._project = project
        self._keep = keep

    def keeps(self, values: Mapping[str, Any]) -> bool:
        """Whether a checkpoint with these `values` is kept."""
        return self._keep == "all" or self._resting(values)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Returns when the checkpoint and its rows are committed, with the config that names it."""
        thread, namespace, parent = _address(config)
        if not self.keeps(checkpoint["channel_values"]):
            return _config(thread, namespace, checkpoint["id"])
        where = f"thread {thread}"
        statements: list[Statement] = []
        if self._keep == "latest":
            newest = (thread, namespace, checkpoint["id"])
            statements += [Bulk(form, newest) for form in (_DROP_OLDER, _DROP_OLDER_WRITES)]
        state = dumped_checkpoint(without(checkpoint, self._passing), where)
        about = dumped(get_checkpoint_metadata(config, metadata), where)
        statements.append(Bulk(_PUT, (thread, namespace, checkpoint["id"], parent, state, about)))
        if self._project:
            statements += insertions(self._project(thread, checkpoint["channel_values"]))
        await self._store.writer.write(statements)
        return _config(thread, namespace, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keeps what a task of the current superstep wrote, unless that is not needed (see the class)."""
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        if self._keep == "latest" and not special and task_id != _NO_TASK:
            return
        thread, namespace, checkpoint = _address(config)
        rows: list[Any] = []
        for position, (channel, value) in enumerate(writes):
            kind, text = dumped_write(value, f"thread {thread}")
            index = WRITES_IDX_MAP.get(channel, position)
            rows += (thread, namespace, checkpoint, task_id, index, task_path, channel, kind, text)
        await self._store.writer.write([Bulk(_REPLACE_WRITES if special else _ADD_NEW_WRITES, rows)])

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or its thread's newest, or None."""
        thread, namespace, checkpoint = _address(config)
        condition, values = "thread = ? AND namespace = ?", [thread, namespace]
        if checkpoint:
            condition, values = f"{condition} AND id = ?", [*values, checkpoint]
        found = await self._store.read(lambda db: _page(db, condition, values, 1))
        return _tuple(*found[0]) if found else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first, read in pages so that a slow consumer holds nothing up."""
        condition, values = _listed(config, before)
        cursor: list[Any] = []
        left = limit
        while left is None or left > 0:
            after = f"{condition} AND (id, rowid) < (?, ?)" if cursor else condition
            bound = [*values, *cursor]
            page = await self._store.read(lambda db, after=after, bound=bound: _page(db, after, bound, _PAGE))
            for row, writes in page:
                found = _tuple(row, writes)
                cursor = [row[2], row[6]]
                if filter and any(found.metadata.get(key) != value for key, value in filter.items()):
                    continue
                yield found
                left = None if left is None else left - 1
                if left == 0:
                    return
            if len(page) < _PAGE:
                return

    async def adelete_thread(self, thread_id: str) -> None:
        """Removes all checkpoints of a thread and what was pending; the rows made from them stay."""
        tables = ("checkpoints", "writes")
        await self._store.writer.write([(f"DELETE FROM {table} WHERE thread = ?", (thread_id,)) for table in tables])  # noqa: S608

    def get_tuple(self, config: RunnableConfig) -> NoReturn:
        """Not here: this saver is asynchronous."""
        raise NotImplementedError("the store is asynchronous: call ainvoke, astream or aget_state")

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> NoReturn:
        """Not here: this saver is asynchronous."""
        raise NotImplementedError("the store is asynchronous: call aget_state_history")


_Row = tuple[str, str, str, str | None, Any, Any, int]
_WriteRow = tuple[str, str, str, Any]


def _address(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and checkpoint id of a config."""
    named = config.get("configurable", {})
    return named["thread_id"], named.get("checkpoint_ns", ""), named.get("checkpoint_id")


def _config(thread: str, namespace: str, checkpoint: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}}


def _listed(config: RunnableConfig | None, before: RunnableConfig | None) -> tuple[str, list[Any]]:
    named = (config or {}).get("configurable", {})
    columns = {"thread": "thread_id", "namespace": "checkpoint_ns", "id": "checkpoint_id"}
    chosen = {column: named[key] for column, key in columns.items() if named.get(key) is not None}
    conditions = [f"{column} = ?" for column in chosen]
    values: list[Any] = [*chosen.values()]
    if before and (bound := _address_id(before)):
        conditions.append("id < ?")
        values.append(bound)
    return " AND ".join(conditions) or "true", values


def _address_id(config: RunnableConfig) -> str | None:
    return config.get("configurable", {}).get("checkpoint_id")


def _page(
    db: sqlite3.Connection, condition: str, values: Sequence[Any], limit: int
) -> list[tuple[_Row, list[_WriteRow]]]:
    db.execute("BEGIN")
    try:
        rows = db.execute(
            f"{_SELECT} WHERE {condition} ORDER BY id DESC, rowid DESC LIMIT ?", [*values, limit]
        ).fetchall()
        return [(row, db.execute(_SELECT_WRITES, row[:3]).fetchall()) for row in rows]
    finally:
        db.execute("COMMIT")


def _tuple(row: _Row, writes: Sequence[_WriteRow]) -> CheckpointTuple:
    thread, namespace, identity, parent, checkpoint, metadata, _ = row
    where = f"thread {thread}"
    pending: list[PendingWrite] = [
        (task, channel, loaded_write(kind, value, where)) for task, channel, kind, value in writes
    ]
    return CheckpointTuple(
        _config(thread, namespace, identity),
        loaded_checkpoint(checkpoint, where),
        loaded_metadata(metadata, where),  # type: ignore[arg-type]
        _config(thread, namespace, parent) if parent else None,
        pending,
    )
