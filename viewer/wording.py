"""Texts made ready to be shown: word differences, cited places, and numbers as people read them."""

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS: Final = 4000
"""Longer texts are shown as wholly replaced: comparing them takes time that grows with the square."""
_TOGETHER: Final = 3
"""Words in a row that both texts must have to be told as common."""
_PLACE: Final = re.compile(r"\[\s*(\d*\.?\d+)\s*,\s*(\d*\.?\d+)\s*,\s*(\d*\.?\d+)\s*,\s*(\d*\.?\d+)\s*\]")
_TOLERANCE: Final = 0.011

Change = tuple[str, str]
"""A piece of text with "=" (both have it), "-" (only the old one) or "+" (only the new one)."""


def word_changes(old: str, new: str) -> list[Change]:
    """How `old` became `new`, word by word; texts with little in common, as one taking the place of the other."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if old == new:
        return [("=", old)] if old else []
    if len(before) + len(after) > _MOST_WORDS:
        return _replaced(old, new)
    codes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changes: list[Change] = []
    common = 0
    removed: list[str] = []
    added: list[str] = []
    for place, (kind, a, b, c, d) in enumerate(codes):
        inside = 0 < place < len(codes) - 1
        # A word or two that both have by chance, amid others, would only tear the changes to pieces.
        if kind == "equal" and not (inside and len("".join(before[a:b]).split()) < _TOGETHER):
            changes += [*_replaced("".join(removed), "".join(added)), ("=", "".join(before[a:b]))]
            removed, added = [], []
            common += b - a
        else:
            removed += before[a:b]
            added += after[c:d]
    changes += _replaced("".join(removed), "".join(added))
    return changes if common * 3 >= len(after) else _replaced(old, new)


def _replaced(old: str, new: str) -> list[Change]:
    return [change for change in (("-", old), ("+", new)) if change[1]]


class Places:
    """The boxes of a sample, and the places beside them that its texts cite."""

    def __init__(self, boxes: Sequence[Mapping[str, Any]]) -> None:
        self.boxes: list[dict[str, Any]] = [{"key": f"b{n}", "cited": False, **box} for n, box in enumerate(boxes)]

    def marked(self, text: str) -> list[tuple[str, str | None]]:
        """`text` in pieces, each with the key of the box it cites, or None; a place that is no box becomes one."""
        pieces: list[tuple[str, str | None]] = []
        end = 0
        for found in _PLACE.finditer(text):
            corners = tuple(float(number) for number in found.groups())
            if (key := self._key(corners)) is not None:
                pieces += [(text[end : found.start()], None), (found.group(), key)]
                end = found.end()
        return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]

    def _key(self, corners: tuple[float, ...]) -> str | None:
        x1, y1, x2, y2 = corners
        if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
            return None
        for box in self.boxes:
            if all(abs(mine - theirs) <= _TOLERANCE for mine, theirs in zip(corners, box["bbox"], strict=True)):
                return box["key"]
        key = f"c{len(self.boxes)}"
        self.boxes.append({"key": key, "cited": True, "label": "", "bbox": corners, "image": 0, "origin": "cited"})
        return key


def model_words(told: str) -> str:
    """A model as a fingerprint tells it, "role: name {parameters}", with its parameters in words."""
    name, brace, _ = told.partition(" {")
    try:
        known = ast.literal_eval(told[len(name) + 1 :]) if brace else {}
    except (SyntaxError, ValueError):  # a name that holds a brace
        return told
    return ", ".join([name, *(f"{key} {value}" for key, value in known.items())])


def moment(ns: int | None) -> str:
    """A time as people read it, in UTC; nanoseconds since 1970."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") if ns is not None else "-"


def duration(ms: float | None) -> str:
    """Milliseconds in the unit that fits."""
    if ms is None:
        return "-"
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"


def short(number: float | None) -> str:
    """A count in at most four characters and a unit: 950, 12.3k, 4.5M."""
    if number is None:
        return "-"
    for limit, divisor, unit in ((1e3, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if abs(number) < limit:
            return f"{number:.0f}" if divisor == 1 else f"{number / divisor:.3g}{unit}"
    return f"{number / 1e9:.3g}G"
