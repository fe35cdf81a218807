"""Charts: bars upright and lying, lines and pies, with their values known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from .chart_telling import Series, told
from .palette import RGB, VIVID, mixed, tone
from .picture import Drawing, Pen, PixelBox, font, stamp
from .topics import DAYS, MONTHS, TOPICS, TOWNS, Topic

_SIZES: Final = ((560, 380), (600, 400), (520, 400), (480, 360), (640, 400), (460, 460))
_INK: Final[tuple[RGB, ...]] = ((30, 30, 34), (44, 52, 66), (60, 46, 40))
_PAPERS: Final[tuple[RGB, ...]] = ((255, 255, 255), (252, 250, 244), (244, 247, 250), (238, 240, 236), (255, 248, 238))
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250)


@dataclass(frozen=True, slots=True)
class _Style:
    """How a chart looks, apart from its kind."""

    paper: RGB
    ink: RGB
    colours: tuple[str, ...]
    """A colour's name for every value."""
    fills: tuple[RGB, ...]
    text: int
    """Pixels."""
    grid: bool
    slim: float
    """Width of a bar as a share of its place."""


@dataclass(frozen=True, slots=True)
class _Plot:
    """The canvas, and the part of it that the marks are drawn in."""

    canvas: Image.Image
    draw: ImageDraw.ImageDraw
    area: PixelBox
    style: _Style

    def write(self, x: float, y: float, text: str, anchor: str, smaller: int = 0) -> None:
        """Text at a point; `anchor` as in Pillow ("mm" is the middle)."""
        self.draw.text((x, y), text, fill=self.style.ink, font=font(self.style.text - smaller), anchor=anchor)


def chart(rng: Random) -> Drawing:
    """A chart of 3 to 8 values."""
    topic = rng.choice(TOPICS)
    kind = rng.choice(
        ["pie", "bar", "lying"]
        if topic.share
        else ["bar", "bar", "lying", "line"]
        if topic.ordered
        else ["bar", "lying"]
    )
    series = _series(rng, topic, kind)
    style = _style(rng, kind, len(series.values))
    width, height = rng.choice(_SIZES)
    canvas = Image.new("RGB", (width, height), style.paper)
    plot = _Plot(canvas, ImageDraw.Draw(canvas), (0, 0, width, height), style)
    plot.draw.text((width / 2, 24), series.title, fill=style.ink, font=font(style.text + 5), anchor="mm")
    boxes = _KINDS[kind](plot, series)
    caption, facts = told(rng, series, style.colours)
    return Drawing(canvas, tuple(zip(series.labels, boxes, strict=True)), caption, "chart", facts)


def _series(rng: Random, topic: Topic, kind: str) -> Series:
    count = rng.randint(3, 5) if topic.share else rng.randint(3, min(len(topic.names), 7))
    if topic.ordered:
        first = rng.randrange(len(topic.names) - count + 1)
        names = topic.names[first : first + count]
    else:
        names = tuple(rng.sample(topic.names, count))
    town = rng.choice([town for town in TOWNS if town not in names])
    title = rng.choice(topic.titles).format(t=town, n=rng.choice(["4a", "5b", "6c", "7a"]))
    values = _shares(rng, count) if topic.share else tuple(sorted(rng.sample(range(topic.low, topic.high), count)))
    return Series(topic, kind, title, names, tuple(rng.sample(values, count)), _short(names))


def _shares(rng: Random, count: int) -> tuple[int, ...]:
    """Different percentages that sum to 100, none very small."""
    while True:
        cuts = sorted(rng.sample(range(6, 95), count - 1))
        parts = tuple(b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True))
        if min(parts) >= 6 and len(set(parts)) == count:
            return parts


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    """Months and days by their first three letters, as on an axis; other names as they are."""
    return tuple(name[:3] if name in MONTHS or name in DAYS else name for name in names)


def _style(rng: Random, kind: str, count: int) -> _Style:
    usable = [name for name in VIVID if name != "yellow"]
    if kind == "pie" or (kind != "line" and rng.random() < 0.3):
        colours = tuple(rng.sample(VIVID, count))
    else:
        first, other = rng.sample([*usable, "grey", "brown"], 2)
        marked = rng.randrange(count) if kind != "line" and rng.random() < 0.5 else -1
        colours = tuple(other if index == marked else first for index in range(count))
    tones = {name: tone(rng, name) for name in dict.fromkeys(colours)}
    dark = "grey" not in colours and "brown" not in colours and rng.random() < 0.15
    return _Style(
        paper=(40, 44, 56) if dark else rng.choice(_PAPERS),
        ink=(232, 232, 236) if dark else rng.choice(_INK),
        colours=colours,
        fills=tuple(tones[name] for name in colours),
        text=rng.choice([13, 14, 15]),
        grid=rng.random() < 0.6,
        slim=rng.uniform(0.5, 0.8),
    )


def _scale(values: Sequence[int]) -> tuple[int, int]:
    """A step for the axis and the axis's end, for at most seven ticks."""
    step = next(step for step in _STEPS if max(values) / step <= 6)
    return step, step * math.ceil((max(values) + step * 0.3) / step)


def _axes(plot: _Plot, series: Series, *, lying: bool) -> _Plot:
    """Draw the axes with their ticks and texts; gives the plot with the area between them."""
    width, height = plot.canvas.size
    style = plot.style
    longest = max(plot.draw.textlength(name, font=font(style.text - 1)) for name in series.shown)
    left = longest + 20 if lying else 62
    area = (left, 66 if not lying else 52, width - 22, height - (52 if lying else 42))
    step, end = _scale(series.values)
    for value in range(0, end + 1, step):
        if lying:
            x = area[0] + (area[2] - area[0]) * value / end
            line, spot, anchor = (x, area[1], x, area[3]), (x, area[3] + 6), "mt"
        else:
            y = area[3] - (area[3] - area[1]) * value / end
            line, spot, anchor = (area[0], y, area[2], y), (area[0] - 8, y), "rm"
        if style.grid:
            plot.draw.line(line, fill=mixed(style.paper, style.ink, 0.14), width=1)
        plot.write(*spot, str(value), anchor, smaller=2)
    axis = f"{series.topic.quantity} ({series.topic.short})"
    if lying:
        plot.write((area[0] + area[2]) / 2, height - 14, axis, "mm", smaller=1)
    else:
        plot.write(14, 50, axis, "lm", smaller=1)
    plot.draw.line((area[0], area[1], area[0], area[3]), fill=style.ink, width=1)
    plot.draw.line((area[0], area[3], area[2], area[3]), fill=style.ink, width=1)
    return _Plot(plot.canvas, plot.draw, area, style)


def _bars(plot: _Plot, series: Series) -> list[PixelBox]:
    plot = _axes(plot, series, lying=False)
    left, top, right, bottom = plot.area
    end, place = _scale(series.values)[1], (right - left) / len(series.values)
    boxes: list[PixelBox] = []
    for index, value in enumerate(series.values):
        middle, half = left + place * (index + 0.5), place * plot.style.slim / 2
        box = (round(middle - half), round(bottom - (bottom - top) * value / end), round(middle + half), round(bottom))
        plot.draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=plot.style.fills[index])
        plot.write(middle, bottom + 14, series.shown[index], "mm", smaller=1 if len(series.shown) < 6 else 3)
        plot.write(middle, box[1] - 9, str(value), "mm", smaller=1)
        boxes.append(box)
    return boxes


def _lying(plot: _Plot, series: Series) -> list[PixelBox]:
    plot = _axes(plot, series, lying=True)
    left, top, right, bottom = plot.area
    end, place = _scale(series.values)[1], (bottom - top) / len(series.values)
    boxes: list[PixelBox] = []
    for index, value in enumerate(series.values):
        middle, half = top + place * (index + 0.5), place * plot.style.slim / 2
        box = (round(left) + 1, round(middle - half), round(left + (right - left) * value / end), round(middle + half))
        plot.draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=plot.style.fills[index])
        plot.write(left - 8, middle, series.shown[index], "rm", smaller=1)
        plot.write(box[2] + 5, middle, str(value), "lm", smaller=1)
        boxes.append(box)
    return boxes


def _line(plot: _Plot, series: Series) -> list[PixelBox]:
    plot = _axes(plot, series, lying=False)
    left, top, right, bottom = plot.area
    end, place = _scale(series.values)[1], (right - left) / len(series.values)
    points = [
        (left + place * (index + 0.5), bottom - (bottom - top) * value / end)
        for index, value in enumerate(series.values)
    ]
    pen = Pen(right - left, bottom - top, plot.style.fills[0])
    pen.line([((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in points], plot.style.fills[0], 0.012)
    stamp(plot.canvas, pen.finished(), round(left), round(top))
    boxes: list[PixelBox] = []
    for index, (x, y) in enumerate(points):
        dot = Pen(15, 15, plot.style.fills[0])
        dot.ellipse(0, 0, 1, 1, plot.style.fills[0])
        boxes.append(stamp(plot.canvas, dot.finished(), round(x) - 7, round(y) - 7))
        plot.write(x, bottom + 14, series.shown[index], "mm", smaller=1 if len(points) < 6 else 3)
        plot.write(x, y - 17, str(series.values[index]), "mm", smaller=1)
    return boxes


def _pie(plot: _Plot, series: Series) -> list[PixelBox]:
    width, height = plot.canvas.size
    side = min(height - 104, width * 0.5)
    left, top, start = (width - side) * 0.36, 66.0, -90.0
    boxes: list[PixelBox] = []
    for index, value in enumerate(series.values):
        fill, stop = plot.style.fills[index], start + 3.6 * value
        pen = Pen(side, side, fill)
        pen.pie(0, 0, 1, 1, turn=(start, stop), colour=fill)
        boxes.append(stamp(plot.canvas, pen.finished(), round(left), round(top)))
        angle = math.radians((start + stop) / 2)
        centre = left + side / 2, top + side / 2
        x, y = centre[0] + math.cos(angle) * side * 0.575, centre[1] + math.sin(angle) * side * 0.575
        plot.write(x, y, f"{value}%", "mm", smaller=1)
        row = top + 16 + index * (plot.style.text + 12)
        edge = left + side * 1.24
        plot.draw.rectangle((edge, row - 7, edge + 13, row + 6), fill=fill)
        plot.write(edge + 20, row, series.shown[index], "lm", smaller=1)
        start = stop
    return boxes


_KINDS: Final = {"bar": _bars, "lying": _lying, "line": _line, "pie": _pie}
