"""Who owns a store: an exclusive `flock` on a file beside it, released by the kernel when its owner dies."""

import fcntl
import os
import socket
from pathlib import Path

import orjson

from .errors import StoreError


class Ownership:
    """The exclusive right to write to the store at `path`, from construction until `release`.

    Raises StoreError `locked`, at once, when another process or another part of this one has it. The pid and the
    host inside the file only inform people; the lock itself decides.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(path.name + ".lock")
        try:
            self._fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise StoreError(
                error.strerror or "cannot be opened", where=str(path), remedy="check the folder", kind="open"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _described(os.pread(self._fd, 4096, 0))
            os.close(self._fd)
            message = f"the store is in use by {owner}"
            raise StoreError(message, where=str(path), remedy="stop it or name another store", kind="locked") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, orjson.dumps({"pid": os.getpid(), "host": socket.gethostname()}), 0)

    def release(self) -> None:
        """Gives the store up. The lock file stays: removing it would race with the next owner."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def _described(content: bytes) -> str:
    try:
        owner = orjson.loads(content)
        return f"process {owner['pid']} on {owner['host']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "another process"
