"""Small English: number words, plurals, articles, lists, ordinals and numbers as people write them."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_SMALL: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_WORDS: Final = {
    **{word: number for number, word in enumerate(_SMALL)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
    **{f"{ten}-{_SMALL[unit]}": 10 * number + unit for number, ten in enumerate(_TENS, 2) for unit in range(1, 10)},
}
_WORD_FOR: Final = {number: word for word, number in NUMBER_WORDS.items()}
_IRREGULAR: Final = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "leaf": "leaves",
    "knife": "knives",
    "shelf": "shelves",
    "mouse": "mice",
    "foot": "feet",
    "tooth": "teeth",
    "sheep": "sheep",
    "fish": "fish",
}
_SINGULAR: Final = {plural: single for single, plural in _IRREGULAR.items()}
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NUMBER: Final = r"-?\d+(?:\.\d+)?"


def number_of(word: str) -> int | None:
    """The whole number that a word or numeral stands for ("Twenty-four" gives 24), or None."""
    word = word.lower()
    return int(word) if word.isdecimal() else NUMBER_WORDS.get(word)


def number_word(number: int) -> str:
    """`number` in words up to twelve, in figures above."""
    return _WORD_FOR[number] if 0 <= number <= 12 else str(number)


def plural(noun: str) -> str:
    """The plural of an English noun phrase; its last word is inflected."""
    *front, last = noun.split(" ")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif re.search(r"[^aeiou]y$", last):
        last = last[:-1] + "ies"
    elif re.search(r"(s|x|z|ch|sh)$", last):
        last += "es"
    else:
        last += "s"
    return " ".join([*front, last])


@lru_cache(4096)
def singular(noun: str) -> str:
    """The singular of a plural noun phrase; a singular one comes back unchanged."""
    *front, last = noun.split(" ")
    if last in _SINGULAR:
        last = _SINGULAR[last]
    elif last.endswith("ies") and len(last) > 4:
        last = last[:-3] + "y"
    elif re.search(r"(sses|xes|ches|shes)$", last):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith(("ss", "us", "is")):
        last = last[:-1]
    return " ".join([*front, last])


@lru_cache(8192)
def whole(phrase: str, before: str = "", after: str = "") -> re.Pattern[str]:
    """A pattern for `phrase` in whole words, whatever its case, between the patterns `before` and `after`."""
    return re.compile(rf"\b{before}{re.escape(phrase)}\b{after}", re.IGNORECASE)


def article(noun: str) -> str:
    """`noun` with "a" or "an" before it."""
    return (
        f"an {noun}"
        if noun[:1].lower() in "aeiou" and not noun.lower().startswith(("uni", "one", "eu"))
        else f"a {noun}"
    )


def listed(items: Sequence[str], last: str = "and") -> str:
    """The items as an English list: "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def split_list(text: str) -> list[str]:
    """The items of an English list, without their articles."""
    parts = re.split(r",\s*(?:and\s+)?|\s+and\s+", text)
    return [re.sub(r"^(?:the|a|an)\s+", "", part.strip(), flags=re.I) for part in parts if part.strip()]


def ordinal(number: int) -> str:
    """The ordinal of a number from 1 ("third"); figures above ten."""
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"


def ordinal_number(word: str) -> int | None:
    """The number of an ordinal word ("third" gives 3), or None."""
    return ORDINALS.index(word.lower()) + 1 if word.lower() in ORDINALS else None


def figure(number: float, places: int = 2) -> str:
    """`number` rounded to `places` decimals, without a decimal part when it is whole."""
    rounded = round(number + 0.0, places)
    return str(int(rounded)) if rounded == int(rounded) else f"{rounded:.{places}f}".rstrip("0")


def capital(text: str) -> str:
    """`text` with its first letter in upper case."""
    return text[:1].upper() + text[1:]
