"""Writes chosen samples in any of the formats."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import IO, Any, Final, TypeVar

import orjson

from ..formats.evolved import Evolved
from ..formats.mmevol import to_row
from .choice import Choice, Tally
from .conversation import Conversation, conversations
from .llava import llava_row
from .mmevol import versioned
from .openai import openai_row
from .parquet import write_parquet
from .pictures import Pictures
from .preference import Pair, pairs, preference_row
from .sharegpt import sharegpt_row

FORMATS: Final = ("mmevol", "llava", "sharegpt", "openai", "parquet", "preference")
EMBEDDING: Final = ("openai", "parquet")
"""Formats that can carry the bytes of images."""
CONVERSATIONS: Final = ("llava", "sharegpt", "openai", "parquet")
"""Formats that are made of turns; the others are about the rounds and take all of them unless told otherwise."""
_LINES: Final = ("openai", "preference")

_Located = TypeVar("_Located", Conversation, Evolved, Pair)


def write(
    stream: IO[bytes],
    form: str,
    rows: Iterable[Evolved],
    choice: Choice,
    pictures: Pictures,
    *,
    single: bool = False,
    lines: bool = False,
) -> Tally:
    """Writes what `choice` takes of `rows` as `form`; gives the counts of what was taken and left out.

    With `single`, a conversation holds one question. With `lines`, JSON formats are written as JSON lines, which some
    always are. Raises ImageError, or EvolgraphError when a library is missing.
    """
    tally = Tally()
    if form == "parquet":
        found = conversations(rows, choice, tally, single=single)
        write_parquet(stream, (_located(one, pictures) for one in found), pictures)
        return tally
    if form == "mmevol":
        chosen = versioned(rows, choice, tally)
        written = (to_row(_located(row, pictures), number) for number, row in enumerate(chosen))
    elif form == "preference":
        written = (preference_row(_located(pair, pictures)) for pair in pairs(rows, choice, tally))
    else:
        found = conversations(rows, choice, tally, single=single, token=form != "openai")
        to_json = _row_writer(form, pictures)
        written = (to_json(_located(one, pictures)) for one in found)
    (_write_lines if lines or form in _LINES else _write_list)(stream, written)
    return tally


def _row_writer(form: str, pictures: Pictures) -> Callable[[Conversation], dict[str, Any]]:
    if form == "openai":
        return lambda one: openai_row(one, [pictures.uri(image) for image in one.sample.images])
    return llava_row if form == "llava" else sharegpt_row


def _located(item: _Located, pictures: Pictures) -> _Located:
    return replace(item, sample=pictures.located(item.sample))


def _write_lines(stream: IO[bytes], rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _write_list(stream: IO[bytes], rows: Iterator[dict[str, Any]]) -> None:
    """One JSON list with a row a line."""
    between = b"[\n"
    for row in rows:
        stream.write(between + orjson.dumps(row))
        between = b",\n"
    stream.write(b"[]\n" if between == b"[\n" else b"\n]\n")
