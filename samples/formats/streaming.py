"""Rows of a JSON array or of JSON lines, one at a time, so that a file of any length needs little memory.

Files are UTF-8, with or without a byte order mark. A row that is not sound JSON comes with its error and the rest goes
on; what makes the rest unreadable (bad bytes, a cut array) raises FormatError.
"""

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from ...errors import EvolgraphError

MAX_ROW: Final = 64_000_000
"""Bytes of one row."""
_CHUNK: Final = 1 << 18
_TAIL: Final = 4096
_BOM: Final = codecs.BOM_UTF8
# No group is repeated: each turn would stay in memory, and `(...)*+` loses matches before Python 3.11.5 (gh-106052).
_NEXT: Final = re.compile(rb'["\[\]{}]')
"""The next bracket or string."""
_IN_STRING: Final = re.compile(rb'["\\]')
_BARE: Final = re.compile(rb"[^\s,\]]+")


class FormatError(EvolgraphError):
    """A seed file that cannot be read."""

    kind = "format"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: where it stands, and its value or what is wrong with it."""

    where: str
    """File name and line, and in an array the number of the item from 1."""
    value: Any
    """The JSON value; the text of the row when `error` is set."""
    error: str = ""


@dataclass(slots=True)
class Extent:
    """How far seeds have been read: the rows so far, and the `share` of the seeds that they are, 0 while unknown."""

    rows: int = 0
    share: float = 0.0

    @property
    def expected(self) -> int:
        """The rows that there seem to be, 0 while unknown."""
        return round(self.rows / self.share) if self.share else 0


def rows(path: Path, extent: Extent | None = None) -> Iterator[Row]:
    """The rows of the file `path`, noted in `extent` as they are read.

    Raises FormatError when the file is missing, empty, not UTF-8, cut or holds no rows.
    """
    extent = extent or Extent()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError("not a regular file", where=str(path), remedy="give a JSON or JSON lines file")
        with path.open("rb") as stream:
            scanner, size = _Scanner(path, stream), os.fstat(stream.fileno()).st_size
            for row in scanner.rows():
                extent.rows += 1
                extent.share = (scanner.read - len(scanner.buffer)) / size
                yield row
    except FileNotFoundError as error:
        raise FormatError("no such file", where=str(path), remedy="correct the path of the seeds") from error
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path), remedy="make it readable") from error


class _Scanner:
    """Reads a file in chunks and cuts it into rows; `line` is the line at the start of `buffer`."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self.stream = stream
        self.buffer = bytearray()
        self.line = 1
        self.read = 0
        self.chunk = _CHUNK
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def rows(self) -> Iterator[Row]:
        self.more()
        if self.buffer.startswith(_BOM):
            del self.buffer[: len(_BOM)]
        self.drop(self.gap(rb"\s"))
        if not self.buffer:
            raise self.error("no samples: the file is empty", "give a file with samples")
        if self.path.suffix.lower() in {".jsonl", ".ndjson"} or self.looks_like_lines():
            yield from self.lines()
        elif self.buffer.startswith(b"["):
            yield from self.items()
        else:
            found = "an object" if self.buffer.startswith(b"{") else "something else"
            raise self.error(f"expected a list of samples at the top level, found {found}", "wrap the samples in [ ]")

    def lines(self) -> Iterator[Row]:
        while True:
            while (end := self.buffer.find(b"\n")) < 0 and self.more():
                pass
            text, line = bytes(self.buffer if end < 0 else self.buffer[:end]).strip(), self.line
            self.drop(len(self.buffer) if end < 0 else end + 1)
            if text:
                yield _row(f"{self.path.name}:{line}", text)
            if end < 0:
                return

    def items(self) -> Iterator[Row]:
        self.refuse_cut()
        self.drop(1)
        number = 0
        while True:
            self.drop(self.gap(rb"[\s,]"))
            if self.buffer.startswith(b"]"):
                break
            number += 1
            where = f"{self.path.name}:{self.line} item {number}"
            end = self.item_end()
            text = bytes(self.buffer[:end])
            self.drop(end)
            yield _row(where, text)
        if not number:
            raise self.error("no samples: the list is empty", "give a file with samples")

    def item_end(self) -> int:
        """Bytes of the item at the start of the buffer, which holds it whole afterwards."""
        return self.nested_end() if self.buffer[:1] in b"[{" else self.bare_end()

    def nested_end(self) -> int:
        depth, position = 0, 0
        while True:
            found = _NEXT.search(self.buffer, position)
            if found is None:
                position = len(self.buffer)
                self.need_more()
            elif found[0] == b'"':
                position = self.string_end(found.end())
            else:
                position = found.end()
                depth += 1 if found[0] in b"[{" else -1
                if depth <= 0:
                    return position

    def string_end(self, position: int) -> int:
        """Where the string ends that `position` is in; the buffer holds it whole afterwards."""
        while True:
            found = _IN_STRING.search(self.buffer, position)
            if found is None:
                position = max(position, len(self.buffer))
                self.need_more()
            elif found[0] == b'"':
                return found.end()
            else:
                position = found.end() + 1

    def bare_end(self) -> int:
        """Bytes of a string, a number, a word or of stray text at the start of the buffer."""
        if self.buffer.startswith(b'"'):
            return self.string_end(1)
        while (found := _BARE.match(self.buffer)) is None or found.end() == len(self.buffer):
            self.need_more()
        return found.end()

    def gap(self, kind: bytes) -> int:
        """Bytes of leading separators; reads on until something else follows or the file ends."""
        pattern = re.compile(kind + rb"*")
        while True:
            found = pattern.match(self.buffer)
            end = found.end() if found else 0
            if end < len(self.buffer):
                return end
            if not self.more():
                if kind == rb"\s":
                    return end
                self.drop(end)
                raise self.cut()

    def looks_like_lines(self) -> bool:
        """Whether the first line is a whole object and another object follows on the next."""
        end = self.buffer.find(b"\n")
        if not self.buffer.startswith(b"{") or end < 0:
            return False
        try:
            orjson.loads(self.buffer[:end])
        except orjson.JSONDecodeError:
            return False
        return self.buffer[end:].lstrip().startswith(b"{")

    def more(self) -> bool:
        """Read another chunk, larger each time while one row grows; False at the end of the file."""
        chunk = self.stream.read(self.chunk)
        pending = len(self.decoder.getstate()[0])
        try:
            self.decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise self.error(f"not UTF-8 at byte {self.read - pending + error.start}", "save it as UTF-8") from error
        if self.read == 0 and b"\0" in chunk[:4]:
            raise self.error(f"not UTF-8 at byte {chunk.index(0)}", "it looks like UTF-16: save it as UTF-8")
        self.read += len(chunk)
        self.buffer += chunk
        self.chunk = max(self.chunk, len(self.buffer))
        if len(self.buffer) > MAX_ROW + 2 * _CHUNK:
            raise self.error(f"line {self.line}: row longer than the limit of {MAX_ROW} bytes", "shorten it")
        return bool(chunk)

    def need_more(self) -> None:
        if not self.more():
            raise self.cut()

    def refuse_cut(self) -> None:
        """Notice a list that is not closed before its first row is used; what hides from this is found at the end."""
        position = self.stream.tell()
        self.stream.seek(max(0, os.fstat(self.stream.fileno()).st_size - _TAIL))
        tail = self.stream.read().rstrip()
        if tail and not tail.endswith(b"]"):
            self.stream.seek(0)
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: self.stream.read(_CHUNK), b""))
            raise self.cut(lines + 1 - self.line)
        self.stream.seek(position)

    def drop(self, count: int) -> None:
        self.line += self.buffer.count(b"\n", 0, count)
        del self.buffer[:count]
        self.chunk = _CHUNK

    def cut(self, further: int | None = None) -> FormatError:
        last = self.line + (self.buffer.rstrip().count(b"\n") if further is None else further)
        return self.error(f"the JSON is cut: it ends at line {last} before its list is closed", "restore the file")

    def error(self, message: str, remedy: str) -> FormatError:
        return FormatError(message, where=str(self.path), remedy=remedy)


def _row(where: str, text: bytes) -> Row:
    try:
        value = orjson.loads(text)
        json.loads(text, object_pairs_hook=_unique)
    except _DuplicateKeyError as error:
        return Row(where, text.decode(), f"duplicate key {error}: it is given twice in one object")
    except (orjson.JSONDecodeError, RecursionError) as error:
        return Row(where, text.decode(), f"not valid JSON: {str(error).partition(': line')[0]}")
    return Row(where, value)


class _DuplicateKeyError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(repr(next(key for key in keys if keys.count(key) > 1)))
    return found
