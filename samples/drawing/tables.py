"""Tables and documents as pictures, with the boxes of their rows."""

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from .documents import CONTENTS, Content, general_facts, row_label
from .palette import RGB, mixed, shade
from .picture import Drawing, PixelBox, font


@dataclass(frozen=True, slots=True)
class _Look:
    paper: RGB
    head: RGB
    head_ink: RGB
    line: RGB
    striped: bool
    ruled: str
    """`all` lines, lines between `rows`, or `none`."""
    text: int
    row: int
    """Pixels from one row to the next."""
    left: bool
    """Cells are aligned to the left."""


def table(rng: Random) -> Drawing:
    """A table of 3 to 6 rows, alone or on a sheet of paper."""
    content = rng.choice(CONTENTS)(rng)
    facts = [*content.facts, *general_facts(content)]
    rng.shuffle(facts)
    canvas, boxes = _drawn(rng, content)
    opening = rng.choice(
        [
            f"A table titled '{content.title}'",
            f"The table '{content.title}'",
            f"A document with the table '{content.title}'",
        ]
    )
    return Drawing(canvas, boxes, f"{opening} {content.stated}", content.topic, tuple(facts))


def _look(rng: Random) -> _Look:
    hue: RGB = rng.choice([(52, 84, 138), (40, 110, 92), (140, 60, 66), (92, 72, 130), (70, 74, 82), (176, 110, 40)])
    solid = rng.random() < 0.6
    return _Look(
        paper=rng.choice([(255, 255, 255), (253, 251, 245), (246, 249, 252)]),
        head=hue if solid else mixed(hue, (255, 255, 255), 0.82),
        head_ink=(255, 255, 255) if solid else shade(hue, 0.6),
        line=rng.choice([(40, 40, 44), (150, 154, 160), mixed(hue, (255, 255, 255), 0.5)]),
        striped=rng.random() < 0.5,
        ruled=rng.choice(["all", "rows", "none"]),
        text=rng.choice([14, 15, 16]),
        row=rng.choice([30, 34, 38]),
        left=rng.random() < 0.5,
    )


def _drawn(rng: Random, content: Content) -> tuple[Image.Image, tuple[tuple[str, PixelBox], ...]]:
    """The document and the boxes of its title and rows."""
    look = _look(rng)
    wide = max(rng.choice([420, 500, 560]), 130 * len(content.columns))
    rim = rng.choice([0, 0, 22, 36])
    above = 24 * len(content.heading) + 74
    rows = [content.columns, *content.rows, *([content.total] if content.total else [])]
    width, height = wide + 2 * rim, above + look.row * len(rows) + 34 + 2 * rim
    canvas = Image.new(
        "RGB", (width, height), rng.choice([(120, 92, 66), (78, 88, 96), (168, 160, 146)]) if rim else look.paper
    )
    draw = ImageDraw.Draw(canvas)
    if rim:
        draw.rectangle((rim + 5, rim + 5, width - rim + 4, height - rim + 4), fill=(50, 46, 44))
        draw.rectangle((rim, rim, width - rim - 1, height - rim - 1), fill=look.paper)
    for index, line in enumerate(content.heading):
        draw.text((rim + 24, rim + 26 + 22 * index), line, fill=(90, 92, 98), font=font(13), anchor="lm")
    spot = (rim + 24, rim + above - 40) if look.left else (width / 2, rim + above - 40)
    anchor = "lm" if look.left else "mm"
    title = draw.textbbox(spot, content.title, font=font(look.text + 5), anchor=anchor)
    draw.text(spot, content.title, fill=(28, 30, 36), font=font(look.text + 5), anchor=anchor)
    labels = ["header row", *(row_label(row[0]) for row in content.rows), *(["total row"] if content.total else [])]
    frame = (rim + 20, rim + above - 14, width - rim - 20, rim + above - 14 + look.row * len(rows))
    boxes = _grid(draw, look, rows, frame, bool(content.total))
    return canvas, (("title", title), *zip(labels, boxes, strict=True))


def _grid(
    draw: ImageDraw.ImageDraw, look: _Look, rows: list[tuple[str, ...]], frame: PixelBox, total: bool
) -> list[PixelBox]:
    """Draw the rows into `frame`, the first as the header; gives a box for each."""
    left, top, right, _ = frame
    column = (right - left) / len(rows[0])
    boxes: list[PixelBox] = []
    for index, cells in enumerate(rows):
        y = top + look.row * index
        box = (left, y, right, y + look.row)
        last = total and index == len(rows) - 1
        if index == 0:
            draw.rectangle(box, fill=look.head)
        elif last or (look.striped and index % 2 == 0):
            draw.rectangle(box, fill=shade(look.paper, 0.9 if last else 0.95))
        if look.ruled != "none":
            draw.rectangle(box, outline=look.line)
        for place, cell in enumerate(cells):
            _write_cell(
                draw, look, cell, (left + column * place, y, left + column * (place + 1), y + look.row), index == 0
            )
        boxes.append(box)
    if look.ruled == "all":
        for place in range(1, len(rows[0])):
            x = round(left + column * place)
            draw.line((x, top, x, boxes[-1][3]), fill=look.line)
    return boxes


def _write_cell(draw: ImageDraw.ImageDraw, look: _Look, text: str, cell: PixelBox, header: bool) -> None:
    left, top, right, bottom = cell
    x, anchor = (left + 12, "lm") if look.left else ((left + right) / 2, "mm")
    draw.text(
        (x, (top + bottom) / 2),
        text,
        fill=look.head_ink if header else (34, 36, 42),
        font=font(look.text),
        anchor=anchor,
    )
