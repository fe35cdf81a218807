"""Tables and documents: invoices, timetables, scores and lists, with their contents known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from .palette import RGB, mixed, shade
from .picture import Drawing, Fact, PixelBox, font
from .telling import listed, number
from .topics import DAYS, FRUIT, PEOPLE, TOWNS

_WARES: Final = (
    "pens",
    "cups",
    "lamps",
    "bags",
    "books",
    "clocks",
    "bowls",
    "candles",
    "ropes",
    "brushes",
    "bricks",
    "pots",
)
_TEAMS: Final = ("Lions", "Tigers", "Eagles", "Wolves", "Sharks", "Bears", "Falcons", "Foxes")
_GRAMS: Final = ("Flour", "Sugar", "Butter", "Rice", "Cocoa", "Nuts", "Oats", "Raisins")


@dataclass(frozen=True, slots=True)
class Content:
    """What a table says. `stated` is the caption's sentence about its numbers, `facts` the questions on the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell names the row."""
    stated: str
    facts: tuple[Fact, ...]
    topic: str
    total: tuple[str, ...] = ()
    heading: tuple[str, ...] = ()
    """Lines above the title, as on a letter."""


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
    content = rng.choice(_KINDS)(rng)
    facts = [*content.facts, *_general(content)]
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


def _row(name: str) -> str:
    """What the box of a row is called."""
    return f"{name} row"


def _general(content: Content) -> list[Fact]:
    rows = len(content.rows)
    columns = ", ".join(content.columns)
    return [
        Fact("OCR", ("table",), "What is the title of the table?", f"The title is '{content.title}'."),
        Fact(
            "Calculating",
            ("table",),
            "How many columns does the table have?",
            f"It has {number(len(content.columns))} columns.",
        ),
        Fact("OCR", ("header row",), "What are the headings of the columns?", f"The headings are {columns}."),
        Fact(
            "OCR",
            (_row(content.rows[-1][0]),),
            "What is the first cell of the last row of entries?",
            f"It is {content.rows[-1][0]}.",
        ),
        Fact(
            "OCR",
            (_row(content.rows[0][0]),),
            "Which entry comes first in the table?",
            f"The first entry is {content.rows[0][0]}.",
        ),
        Fact(
            "Existence",
            (),
            f"Does the table list {content.rows[rows // 2][0]}?",
            f"Yes, the table lists {content.rows[rows // 2][0]}.",
        ),
    ]


def _invoice(rng: Random) -> Content:
    items = rng.sample((*_WARES, *(name.lower() for name in FRUIT)), rng.randint(3, 5))
    currency = rng.choice(["dollars", "euros"])
    priced = [(item, rng.randint(2, 24), rng.randrange(25, 1250, 5)) for item in items]
    rows = tuple((item.capitalize(), str(n), _money(cents), _money(n * cents)) for item, n, cents in priced)
    count, sum_ = sum(n for _, n, _ in priced), _money(sum(n * cents for _, n, cents in priced))
    code = rng.randint(1001, 9989)
    stated = ", ".join(f"{item} {n} at {_money(cents)} for {_money(n * cents)}" for item, n, cents in priced)
    facts = [
        Fact(
            "OCR",
            ("table",),
            f"What is the number of the {(word := rng.choice(['invoice', 'order', 'bill']))}?",
            f"The number is {code}.",
        ),
        Fact("OCR", ("total row",), "What is the total amount?", f"The total amount is {sum_} {currency}."),
        Fact("OCR", ("total row",), "How many pieces were bought in total?", f"{count} pieces were bought in total."),
    ]
    for item, n, cents in priced:
        names = (_row(item.capitalize()),)
        facts += [
            Fact("OCR", names, f"How many {item} are listed?", f"{n} {item} are listed."),
            Fact(
                "OCR", names, f"What is the unit price of the {item}?", f"The unit price is {_money(cents)} {currency}."
            ),
        ]
    return Content(
        f"{word.capitalize()} {code}",
        ("Item", "Quantity", "Unit price", "Amount"),
        rows,
        f"lists items with quantity, unit price in {currency} and amount in {currency}: {stated}. "
        f"The total row shows {count} items and {sum_}.",
        tuple(facts),
        "document",
        total=("Total", str(count), "", sum_),
        heading=(f"{rng.choice(TOWNS)} {rng.choice(['Trading', 'Market', 'Supplies', 'Store'])}", _date(rng)),
    )


def _timetable(rng: Random) -> Content:
    start, *towns = rng.sample(TOWNS, rng.randint(4, 6))
    minutes = rng.sample(range(8, 95), len(towns))
    times = sorted(rng.sample(range(6 * 60, 22 * 60, 5), len(towns)))
    rows = tuple(
        (town, _clock(time), str(m), str(rng.randint(1, 9)))
        for town, time, m in zip(towns, times, minutes, strict=True)
    )
    vehicle = rng.choice(["Trains", "Buses"])
    facts = [
        fact
        for town, time, m, stop in rows
        for fact in (
            Fact("OCR", (_row(town),), f"When is the departure to {town}?", f"The departure to {town} is at {time}."),
            Fact(
                "OCR", (_row(town),), f"How long is the journey to {town}?", f"The journey to {town} takes {m} minutes."
            ),
            Fact(
                "OCR",
                (_row(town),),
                f"From which platform does the connection to {town} leave?",
                f"It leaves from platform {stop}.",
            ),
        )
    ]
    stated = _stated("journey time", "minutes", towns, minutes)
    longest = towns[minutes.index(max(minutes))]
    facts.append(
        _most("Which journey takes the longest?", longest, f"The journey to {longest}, with {max(minutes)} minutes.")
    )
    columns = ("Destination", "Departure", "Minutes", "Platform")
    return Content(f"{vehicle} from {start}", columns, rows, stated, tuple(facts), "timetable")


def _scores(rng: Random) -> Content:
    teams = rng.sample(_TEAMS, rng.randint(4, 6))
    points = sorted(rng.sample(range(6, 48), len(teams)), reverse=True)
    rows = tuple(
        (team, str(rng.randint(10, 18)), str(rng.randint(2, 9)), str(p)) for team, p in zip(teams, points, strict=True)
    )
    facts = [
        fact
        for team, games, wins, p in rows
        for fact in (
            Fact("OCR", (_row(team),), f"How many points do the {team} have?", f"The {team} have {p} points."),
            Fact("OCR", (_row(team),), f"How many games did the {team} win?", f"The {team} won {wins} games."),
            Fact("OCR", (_row(team),), f"How many games did the {team} play?", f"The {team} played {games} games."),
        )
    ]
    facts.append(_most("Which team leads the table?", teams[0], f"The {teams[0]} lead with {points[0]} points."))
    title = rng.choice(["League table", f"{rng.choice(TOWNS)} league", "Standings, spring season"])
    stated = _stated("score", "points", teams, points)
    return Content(title, ("Team", "Played", "Won", "Points"), rows, stated, tuple(facts), "sports")


def _recipe(rng: Random) -> Content:
    names = rng.sample(_GRAMS, rng.randint(3, 5))
    grams = rng.sample(range(40, 600, 10), len(names))
    rows = tuple((name, str(weight)) for name, weight in zip(names, grams, strict=True))
    facts = [
        Fact(
            "OCR",
            (_row(name),),
            f"How many grams of {name.lower()} are needed?",
            f"{weight} grams of {name.lower()} are needed.",
        )
        for name, weight in rows
    ]
    most = names[grams.index(max(grams))]
    facts.append(_most("Which ingredient weighs the most?", most, f"{most}, with {max(grams)} grams."))
    title = rng.choice(["Recipe for one cake", "Muesli mix", "Biscuits for twelve", f"Cake from {rng.choice(TOWNS)}"])
    stated = _stated("weight", "grams", names, grams)
    return Content(title, ("Ingredient", "Grams"), rows, stated, tuple(facts), "recipe")


def _shifts(rng: Random) -> Content:
    names = rng.sample(PEOPLE, rng.randint(3, 6))
    hours = rng.sample(range(4, 40), len(names))
    rows = tuple((name, rng.choice(DAYS), str(h)) for name, h in zip(names, hours, strict=True))
    facts = [
        fact
        for name, day, h in rows
        for fact in (
            Fact("OCR", (_row(name),), f"How many hours did {name} work?", f"{name} worked {h} hours."),
            Fact("OCR", (_row(name),), f"On which day is {name} free?", f"{name} is free on {day}."),
        )
    ]
    most = names[hours.index(max(hours))]
    facts.append(_most("Who worked the most hours?", most, f"{most}, with {max(hours)} hours."))
    title = f"{rng.choice(['Working hours', 'Hours worked', 'Staff hours'])}, week {rng.randint(1, 52)}"
    stated = _stated("working time", "hours", names, hours)
    return Content(title, ("Name", "Day off", "Hours"), rows, stated, tuple(facts), "document")


_KINDS: Final[tuple[Callable[[Random], Content], ...]] = (_invoice, _invoice, _timetable, _scores, _recipe, _shifts)


def _stated(quantity: str, unit: str, names: Sequence[str], values: Sequence[int]) -> str:
    return (
        f"shows {quantity} in {unit}: {listed([f'{name} {value}' for name, value in zip(names, values, strict=True)])}."
    )


def _most(question: str, name: str, answer: str) -> Fact:
    return Fact("Relationship Description", (_row(name),), question, answer)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _date(rng: Random) -> str:
    return f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.{rng.randint(2019, 2026)}"


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
    labels = ["header row", *(_row(row[0]) for row in content.rows), *(["total row"] if content.total else [])]
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
