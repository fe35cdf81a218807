"""What a page is asked for, and answers that are kept for a while because they take long to find."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar, cast

from ..errors import EvolgraphError
from ..store.listing import SORTS, VERDICTS, Filter, Order

T = TypeVar("T")
PAGE_SIZE: Final = 50
_KEPT_TIMES: Final = 20
"""An answer is kept for so many times as long as it took to find: a large store is not read all the time."""


class AskedError(EvolgraphError):
    """A page was asked for in a way that nobody can answer."""

    kind = "asked"


class Kept:
    """Answers by what was asked. Usable from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, ...], tuple[float, Any]] = {}

    def get(self, key: tuple[str, ...], find: Callable[[], T]) -> T:
        """The answer for `key`, found now unless it was found a short while ago."""
        with self._lock:
            until, answer = self._answers.get(key, (0.0, None))
        if time.monotonic() < until:
            return cast(T, answer)
        started = time.monotonic()
        answer = find()
        now = time.monotonic()
        with self._lock:
            self._answers[key] = (now + _KEPT_TIMES * (now - started), answer)
        return answer


@dataclass(frozen=True, slots=True)
class Prices:
    """Money for a million tokens, in any currency; None: not told."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, tokens_in: float | None, tokens_out: float | None) -> float | None:
        """What these tokens cost, None without prices."""
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return ((tokens_in or 0) * self.tokens_in + (tokens_out or 0) * self.tokens_out) / 1e6


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a run: the connection to read with, and the words after the question mark."""

    db: sqlite3.Connection
    run: str
    query: Mapping[str, str] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)
    kept: Kept = field(default_factory=Kept)

    def slowly(self, name: str, find: Callable[[], T]) -> T:
        """What `find` gives, or what it gave a short while ago."""
        return self.kept.get((self.run, name), find)


_NUMBERS: Final = {"round": int, "tokens_from": int, "score_from": float, "score_to": float}
FILTERS: Final = tuple(each.name for each in fields(Filter) if each.name != "cost_from")


def filter_of(query: Mapping[str, str]) -> Filter:
    """The filter that a query asks for; empty values are left out. Raises AskedError."""
    given = {name: _value(name, query[name]) for name in FILTERS if query.get(name)}
    if given.get("verdict") not in (None, *VERDICTS):
        raise AskedError("verdict is accepted or rejected", where=f"verdict={query['verdict']}")
    return Filter(**given)


def order_of(query: Mapping[str, str]) -> Order:
    """The order that `sort` asks for: a name of SORTS, with a minus for the other way round. Raises AskedError."""
    word = query.get("sort") or "position"
    name = word.removeprefix("-")
    if name not in SORTS:
        raise AskedError("no such order", where=f"sort={word}", remedy=f"one of {', '.join(SORTS)}")
    return Order(name, descending=word.startswith("-"))


def page_of(query: Mapping[str, str]) -> int:
    """The page that is asked for, from 1. Raises AskedError."""
    page = _number(int, "page", query.get("page") or "1")
    if not 1 <= page <= 10**9:
        raise AskedError("no such page", where=f"page={query['page']}")
    return page


def _value(name: str, word: str) -> Any:
    return _number(_NUMBERS[name], name, word) if name in _NUMBERS else word


def _number(kind: type[int] | type[float], name: str, word: str) -> Any:
    try:
        number = kind(word)
        if abs(number) < 1e15:  # NaN neither; SQLite takes 64 bits
            return number
    except ValueError:
        pass
    raise AskedError("not a number", where=f"{name}={word:.80}")
