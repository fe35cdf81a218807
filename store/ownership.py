"""Who owns a store: an exclusive `flock` on a file beside it, released by the kernel when its owner dies."""

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import orjson

from .errors import StoreError


class Ownership:
    """The exclusive right to write to the store at `path`, from construction until `release`.

    Raises StoreError `locked`, at once, when another process or another part of this one has it. The pid and the
    host inside the file only inform people; the lock itself decides. `calls` is what was last told to `note`, by this
    owner or one before: how many calls the store must hold.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(lock_of(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise StoreError(
                error.strerror or "cannot be opened", where=str(path), remedy="check the folder", kind="open"
            ) from error
        said = _said(os.pread(self._fd, 4096, 0))
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            owner = f"process {said['pid']} on {said['host']}" if {"pid", "host"} <= {*said} else "another process"
            message = f"the store is in use by {owner}"
            raise StoreError(message, where=str(path), remedy="stop it or name another store", kind="locked") from error
        self._owner = {"pid": os.getpid(), "host": socket.gethostname()}
        self.calls = _calls(said)
        self._write(self._owner)

    def note(self, calls: int) -> None:
        """Keeps how many calls are committed. Not synced: it is behind after a power failure, but never ahead."""
        if calls != self.calls:
            self.calls = calls
            self._write(self._owner)

    def release(self) -> None:
        """Gives the store up. The lock file stays: removing it would race with the next owner."""
        self._write({})
        os.close(self._fd)

    def _write(self, owner: dict[str, Any]) -> None:
        # At least as long as what was there, so that a kill between two steps leaves no half of it.
        text = orjson.dumps({**owner, "calls": self.calls}).ljust(os.fstat(self._fd).st_size)
        os.pwrite(self._fd, text, 0)


def lock_of(path: Path) -> Path:
    """The lock file of the store at `path`."""
    return path.with_name(path.name + ".lock")


def noted_calls(path: Path) -> int:
    """How many calls the store at `path` must hold, as its owners noted; 0 when it has no lock file."""
    try:
        return _calls(_said(lock_of(path).read_bytes()))
    except OSError:
        return 0


def _said(content: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _calls(said: dict[str, Any]) -> int:
    calls = said.get("calls")
    return calls if type(calls) is int else 0
