"""What tables and documents say: invoices, timetables, scores and lists, with questions and true answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .picture import Fact
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


def row_label(name: str) -> str:
    """What the box of a row is called."""
    return f"{name} row"


def general_facts(content: Content) -> list[Fact]:
    """Questions that any table answers."""
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
            (row_label(content.rows[-1][0]),),
            "What is the first cell of the last row of entries?",
            f"It is {content.rows[-1][0]}.",
        ),
        Fact(
            "OCR",
            (row_label(content.rows[0][0]),),
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
        names = (row_label(item.capitalize()),)
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
            Fact(
                "OCR", (row_label(town),), f"When is the departure to {town}?", f"The departure to {town} is at {time}."
            ),
            Fact(
                "OCR",
                (row_label(town),),
                f"How long is the journey to {town}?",
                f"The journey to {town} takes {m} minutes.",
            ),
            Fact(
                "OCR",
                (row_label(town),),
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
            Fact("OCR", (row_label(team),), f"How many points do the {team} have?", f"The {team} have {p} points."),
            Fact("OCR", (row_label(team),), f"How many games did the {team} win?", f"The {team} won {wins} games."),
            Fact(
                "OCR", (row_label(team),), f"How many games did the {team} play?", f"The {team} played {games} games."
            ),
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
            (row_label(name),),
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
            Fact("OCR", (row_label(name),), f"How many hours did {name} work?", f"{name} worked {h} hours."),
            Fact("OCR", (row_label(name),), f"On which day is {name} free?", f"{name} is free on {day}."),
        )
    ]
    most = names[hours.index(max(hours))]
    facts.append(_most("Who worked the most hours?", most, f"{most}, with {max(hours)} hours."))
    title = f"{rng.choice(['Working hours', 'Hours worked', 'Staff hours'])}, week {rng.randint(1, 52)}"
    stated = _stated("working time", "hours", names, hours)
    return Content(title, ("Name", "Day off", "Hours"), rows, stated, tuple(facts), "document")


CONTENTS: Final[tuple[Callable[[Random], Content], ...]] = (_invoice, _invoice, _timetable, _scores, _recipe, _shifts)


def _stated(quantity: str, unit: str, names: Sequence[str], values: Sequence[int]) -> str:
    return (
        f"shows {quantity} in {unit}: {listed([f'{name} {value}' for name, value in zip(names, values, strict=True)])}."
    )


def _most(question: str, name: str, answer: str) -> Fact:
    return Fact("Relationship Description", (row_label(name),), question, answer)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _date(rng: Random) -> str:
    return f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.{rng.randint(2019, 2026)}"
