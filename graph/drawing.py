"""The state machine as a drawing: Mermaid text from LangGraph itself, or a PNG drawn here, since LangGraph's needs
a web service or Graphviz."""

import io
from typing import Final, TypeVar

from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel

from ..agents.registry import directions, prompt_library
from ..endpoints.client import Answer, Ask
from .assembly import assembled
from .policies.uniform import Uniform
from .settings import Settings

_NODE: Final = (170, 56)
_GAP: Final = (40, 62)
_MARGIN: Final = 40
_INK, _FILL, _DASHED = "#33415c", "#eef2ff", "#7a86a8"


T = TypeVar("T", bound=BaseModel)


class _Unasked:
    """The model of a graph that is drawn and never run."""

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Never called."""
        raise AssertionError("a drawn graph asks no model")


def _names() -> list[str]:
    return list(directions())


def mermaid() -> str:
    """The compiled graph with all installed directions, as Mermaid."""
    return assembled(_Unasked(), prompt_library(), Uniform(), Settings()).get_graph().draw_mermaid()


def png() -> bytes:
    """The same graph as a PNG: route chooses a direction, the judge chooses the next or the end.

    Left of route stands curation, through which samples without questions pass.
    """
    names = _names()
    width = 2 * _MARGIN + len(names) * _NODE[0] + (len(names) - 1) * _GAP[0] + 60
    height = 2 * _MARGIN + 5 * _NODE[1] + 4 * _GAP[1]
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    centre = (width - 60) // 2
    rows = [_MARGIN + _NODE[1] // 2 + row * (_NODE[1] + _GAP[1]) for row in range(5)]
    middle = [_MARGIN + _NODE[0] // 2 + column * (_NODE[0] + _GAP[0]) for column in range(len(names))]
    _arrow(pen, (centre, rows[0]), (centre, rows[1]))
    for x in middle:
        _arrow(pen, (centre, rows[1]), (x, rows[2]))
        _arrow(pen, (x, rows[2]), (centre, rows[3]))
    _arrow(pen, (centre, rows[3]), (centre, rows[4]))
    _back(pen, centre, rows[3], rows[1], width - 30)
    beside = centre - _NODE[0] - _GAP[0]
    _arrow_aside(pen, centre - _NODE[0] // 2, beside + _NODE[0] // 2, rows[1])
    boxes = [("start", centre, rows[0]), ("route", centre, rows[1]), ("judge", centre, rows[3])]
    for name, x, y in [*boxes, ("curation", beside, rows[1])]:
        _box(pen, name, x, y)
    for name, x in zip(names, middle, strict=True):
        _box(pen, name, x, rows[2])
    _box(pen, "end", centre, rows[4])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _box(pen: ImageDraw.ImageDraw, name: str, x: int, y: int) -> None:
    half = (_NODE[0] // 2, _NODE[1] // 2)
    pen.rounded_rectangle((x - half[0], y - half[1], x + half[0], y + half[1]), 12, _FILL, _INK, 2)
    pen.text((x, y), name, _INK, ImageFont.load_default(20), anchor="mm")


def _arrow(pen: ImageDraw.ImageDraw, start: tuple[int, int], end: tuple[int, int]) -> None:
    top, bottom = (start[0], start[1] + _NODE[1] // 2), (end[0], end[1] - _NODE[1] // 2)
    pen.line((top, bottom), _DASHED, 2)
    x, y = bottom
    pen.polygon([(x, y), (x - 6, y - 10), (x + 6, y - 10)], _DASHED)


def _arrow_aside(pen: ImageDraw.ImageDraw, start: int, end: int, y: int) -> None:
    """There and back."""
    pen.line([(start, y), (end, y)], _DASHED, 2)
    for tip, base in ((start, start - 10), (end, end + 10)):
        pen.polygon([(tip, y), (base, y - 6), (base, y + 6)], _DASHED)


def _back(pen: ImageDraw.ImageDraw, x: int, below: int, above: int, edge: int) -> None:
    side = x + _NODE[0] // 2
    pen.line([(side, below), (edge, below), (edge, above), (side, above)], _DASHED, 2, "curve")
    pen.polygon([(side, above), (side + 10, above - 6), (side + 10, above + 6)], _DASHED)
    pen.text((edge - 8, above + 22), "next round", _DASHED, ImageFont.load_default(14), anchor="rm")
