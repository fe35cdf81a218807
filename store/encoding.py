"""Graph state as plain JSON, both ways; whole checkpoints packed. Loading builds only JSON, `Send` and `Interrupt`."""

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.serde.types import TASKS
from langgraph.types import Interrupt, Send

from .errors import StoreError
from .packing import unpacked

# Only what JSON has: a dataclass, a datetime or a str subclass would come back as something else.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def dumped(value: Any, where: str) -> str:
    """`value` as JSON text. Raises StoreError `not-json` (also for NaN, lone surrogates and integers over 64 bits)."""
    try:
        data = orjson.dumps(value, option=_STRICT)
        # What comes back different was a tuple, which is welcome, or NaN, an Enum or a UUID, which `json` refuses.
        if orjson.loads(data) != value:
            json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"a value is not JSON: {error}", where=where, remedy="keep plain values in the state", kind="not-json"
        ) from error
    return data.decode()


def loaded(text: Any, where: str) -> Any:
    """The value of JSON text. Raises StoreError `checkpoint` when it is anything else."""
    if not isinstance(text, str):
        raise _unreadable(f"{type(text).__name__} instead of JSON text", where)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _unreadable(str(error), where) from error


def without(checkpoint: Checkpoint, channels: Collection[str]) -> Checkpoint:
    """`checkpoint` without the values of `channels`."""
    kept = {name: value for name, value in checkpoint["channel_values"].items() if name not in channels}
    return {**checkpoint, "channel_values": kept}


def dumped_checkpoint(checkpoint: Checkpoint, where: str) -> str:
    """`checkpoint` as JSON; pending `Send`s, which LangGraph keeps in a channel, as [node, argument] pairs."""
    values = checkpoint["channel_values"]
    if TASKS not in values:
        return dumped(checkpoint, where)
    plain = {**values, TASKS: [_send_parts(send, where) for send in values[TASKS]]}
    return dumped({**checkpoint, "channel_values": plain}, where)


def loaded_checkpoint(data: Any, where: str) -> Checkpoint:
    """What `dumped_checkpoint` was given, from its packed text. Raises StoreError `checkpoint`."""
    if not isinstance(data, bytes):
        raise _unreadable(f"{type(data).__name__} instead of packed JSON", where)
    try:
        checkpoint = loaded(unpacked(data), where)
    except (zlib.error, UnicodeDecodeError) as error:
        raise _unreadable(str(error), where) from error
    parts = checkpoint if isinstance(checkpoint, dict) else {}
    if not all(isinstance(parts.get(part), dict) for part in ("channel_values", "channel_versions", "versions_seen")):
        raise _unreadable("no checkpoint", where)
    values = parts["channel_values"]
    if TASKS in values:
        values[TASKS] = [_send(parts, where) for parts in _list(values[TASKS], where)]
    return checkpoint  # type: ignore[return-value]


def dumped_write(value: Any, where: str) -> tuple[str, str]:
    """A pending write as its kind and JSON text. An exception is kept as the text of its `repr`, as LangGraph does."""
    if isinstance(value, Send):
        return "send", dumped(_send_parts(value, where), where)
    if isinstance(value, BaseException):
        return "json", dumped(repr(value), where)
    if isinstance(value, Sequence) and value and all(isinstance(one, Interrupt) for one in value):
        return "interrupts", dumped([[one.value, one.id] for one in value], where)
    return "json", dumped(value, where)


def loaded_write(kind: str, text: Any, where: str) -> Any:
    """What `dumped_write` was given. Raises StoreError `checkpoint`."""
    value = loaded(text, where)
    if kind == "json":
        return value
    if kind == "send":
        return _send(value, where)
    if kind == "interrupts":
        return tuple(_interrupt(one, where) for one in _list(value, where))
    raise _unreadable(f"unknown kind {kind!r}", where)


def loaded_metadata(text: Any, where: str) -> dict[str, Any]:
    """A checkpoint's metadata. Raises StoreError `checkpoint`."""
    metadata = loaded(text, where)
    if not isinstance(metadata, Mapping):
        raise _unreadable("no metadata", where)
    return dict(metadata)


def _send_parts(send: Any, where: str) -> list[Any]:
    if not isinstance(send, Send) or send.timeout is not None:
        raise StoreError(f"cannot be stored: {send!r:.80}", where=where, remedy="use a plain Send", kind="not-json")
    return [send.node, send.arg]


def _send(parts: Any, where: str) -> Send:
    node, arg = _pair(parts, where)
    return Send(node, arg)


def _interrupt(parts: Any, where: str) -> Interrupt:
    value, identity = _pair(parts, where)
    return Interrupt(value, identity)


def _pair(parts: Any, where: str) -> tuple[Any, Any]:
    if not isinstance(parts, list) or len(parts) != 2:
        raise _unreadable("no pair", where)
    return parts[0], parts[1]


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _unreadable("no list", where)
    return value


def _unreadable(what: str, where: str) -> StoreError:
    return StoreError(
        f"the saved state cannot be read: {what}", where=where, remedy="restore a copy of the store", kind="checkpoint"
    )
