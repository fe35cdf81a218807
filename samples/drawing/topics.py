"""What charts and tables are about: titles, names, quantities and units, with the words to ask for them."""

from dataclasses import dataclass
from typing import Final

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FRUIT: Final = ("Apples", "Pears", "Plums", "Cherries", "Melons", "Grapes", "Lemons", "Peaches")
PEOPLE: Final = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "Jonas", "Lena", "Omar")
TOWNS: Final = ("Ashford", "Brookside", "Clayton", "Dunmore", "Easton", "Fairview", "Greenhill", "Harwick", "Kingsley")


@dataclass(frozen=True, slots=True)
class Topic:
    """A quantity measured for several names. `{x}` is a name, `{v}` a value; both texts are whole sentences."""

    titles: tuple[str, ...]
    names: tuple[str, ...]
    quantity: str
    unit: str
    """In words, plural ("millimetres")."""
    short: str
    """As on an axis ("mm"), or empty."""
    low: int
    high: int
    ask: str
    tell: str
    most: str
    """Question for the name with the largest value."""
    noun: str
    """What the names are, plural ("months")."""
    ordered: bool = False
    """The names have an order, so a line chart makes sense and neighbours are taken."""
    share: bool = False
    """The values are percentages that sum to 100."""


TOPICS: Final = (
    Topic(
        ("Monthly rainfall, {t}", "Rain in {t}", "Rainfall in {t} by month"),
        MONTHS,
        "rainfall",
        "millimetres",
        "mm",
        8,
        120,
        "How much rain fell in {x}?",
        "{v} mm of rain fell in {x}.",
        "Which month was the wettest?",
        "months",
        ordered=True,
    ),
    Topic(
        ("Sunshine in {t}", "Hours of sunshine, {t}"),
        MONTHS,
        "sunshine",
        "hours",
        "hours",
        40,
        260,
        "How many hours of sunshine were there in {x}?",
        "There were {v} hours of sunshine in {x}.",
        "Which month had the most sunshine?",
        "months",
        ordered=True,
    ),
    Topic(
        ("Mean temperature in {t}", "Temperature, {t}"),
        MONTHS,
        "temperature",
        "degrees",
        "degrees",
        4,
        32,
        "What was the temperature in {x}?",
        "The temperature in {x} was {v} degrees.",
        "Which month was the warmest?",
        "months",
        ordered=True,
    ),
    Topic(
        ("Museum visitors, {t}", "Visitors of the {t} museum", "{t} zoo: visitors in one week"),
        DAYS,
        "visits",
        "visitors",
        "visitors",
        60,
        900,
        "How many visitors came on {x}?",
        "{v} visitors came on {x}.",
        "Which day had the most visitors?",
        "days",
        ordered=True,
    ),
    Topic(
        ("Time spent reading", "Reading time in one week", "Reading at {t} school"),
        PEOPLE,
        "reading time",
        "minutes",
        "min",
        15,
        180,
        "How many minutes did {x} read?",
        "{x} read for {v} minutes.",
        "Who read the longest?",
        "children",
    ),
    Topic(
        ("Fruit harvest, {t} farm", "Harvest at {t}", "Fruit picked in {t}"),
        FRUIT,
        "harvest",
        "kilograms",
        "kg",
        20,
        400,
        "How many kilograms of {x} were picked?",
        "{v} kg of {x} were picked.",
        "Which fruit had the largest harvest?",
        "kinds of fruit",
    ),
    Topic(
        ("Distance from {t}", "How far is it from {t}?"),
        TOWNS,
        "distance",
        "kilometres",
        "km",
        6,
        140,
        "How far away is {x}?",
        "{x} is {v} km away.",
        "Which town is the farthest away?",
        "towns",
    ),
    Topic(
        ("Sunflower heights", "Our sunflowers in week eight", "Plants at {t} school"),
        PEOPLE,
        "height",
        "centimetres",
        "cm",
        30,
        190,
        "How tall is the sunflower of {x}?",
        "The sunflower of {x} is {v} cm tall.",
        "Who has the tallest sunflower?",
        "children",
    ),
    Topic(
        ("Water use in one day", "Water used at home, {t}"),
        ("Shower", "Washing", "Cooking", "Cleaning", "Garden", "Dishes"),
        "water use",
        "litres",
        "litres",
        6,
        90,
        "How many litres of water went into {x}?",
        "{v} litres of water went into {x}.",
        "What took the most water?",
        "uses",
    ),
    Topic(
        ("Sales in {t}", "Units sold, {t} shop", "Shop sales, first quarter"),
        ("Lamps", "Chairs", "Tables", "Shelves", "Beds", "Desks"),
        "sales",
        "units",
        "units",
        12,
        160,
        "How many {x} were sold?",
        "{v} {x} were sold.",
        "Which product sold best?",
        "products",
    ),
    Topic(
        ("Monthly budget", "Where the money goes", "Costs of a household in {t}"),
        ("Rent", "Food", "Travel", "Energy", "Books", "Sports"),
        "spending",
        "euros",
        "euros",
        30,
        700,
        "How many euros go into {x}?",
        "{v} euros go into {x}.",
        "What costs the most?",
        "kinds of spending",
    ),
    Topic(
        ("Favourite pets, class {n}", "Favourite pets at {t} school"),
        ("Dogs", "Cats", "Rabbits", "Birds", "Horses", "Hamsters"),
        "share of votes",
        "percent",
        "%",
        6,
        60,
        "What percentage of votes went to {x}?",
        "{v} percent of votes went to {x}.",
        "Which pet is the most popular?",
        "pets",
        share=True,
    ),
    Topic(
        ("Electricity by source, {t}", "Where {t} gets its power"),
        ("Wind", "Solar", "Hydro", "Gas", "Coal", "Biomass"),
        "share of electricity",
        "percent",
        "%",
        6,
        60,
        "What percentage of electricity comes from {x}?",
        "{v} percent of electricity comes from {x}.",
        "Which source has the largest share?",
        "sources",
        share=True,
    ),
    Topic(
        ("How people travel in {t}", "Ways to work, {t}"),
        ("Bicycle", "Train", "Bus", "Car", "Tram", "Walking"),
        "share of trips",
        "percent",
        "%",
        6,
        60,
        "What percentage of trips is made by {x}?",
        "{v} percent of trips are made by {x}.",
        "Which way of travelling is the most common?",
        "ways of travelling",
        share=True,
    ),
)
