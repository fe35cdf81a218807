"""Forms for kinds of image and for text in it: style, art, depth, distance, detection and translation of text."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Final

from .. import geometry
from ..drafts.draft import Chain, Draft, fineness, in_words
from ..drafts.places import nested_pair
from ..scene import Region, Scene
from ..words import article, capital, figure, listed, number_word
from .choosing import lettered

_LANGUAGES: Final = ("French", "German", "Spanish")
_DICTIONARY: Final = {
    "january": ("janvier", "Januar", "enero"),
    "february": ("février", "Februar", "febrero"),
    "march": ("mars", "März", "marzo"),
    "april": ("avril", "April", "abril"),
    "may": ("mai", "Mai", "mayo"),
    "june": ("juin", "Juni", "junio"),
    "july": ("juillet", "Juli", "julio"),
    "august": ("août", "August", "agosto"),
    "september": ("septembre", "September", "septiembre"),
    "october": ("octobre", "Oktober", "octubre"),
    "november": ("novembre", "November", "noviembre"),
    "december": ("décembre", "Dezember", "diciembre"),
    "monday": ("lundi", "Montag", "lunes"),
    "tuesday": ("mardi", "Dienstag", "martes"),
    "wednesday": ("mercredi", "Mittwoch", "miércoles"),
    "thursday": ("jeudi", "Donnerstag", "jueves"),
    "friday": ("vendredi", "Freitag", "viernes"),
    "saturday": ("samedi", "Samstag", "sábado"),
    "sunday": ("dimanche", "Sonntag", "domingo"),
    "north": ("nord", "Norden", "norte"),
    "south": ("sud", "Süden", "sur"),
    "east": ("est", "Osten", "este"),
    "west": ("ouest", "Westen", "oeste"),
    "spring": ("printemps", "Frühling", "primavera"),
    "summer": ("été", "Sommer", "verano"),
    "autumn": ("automne", "Herbst", "otoño"),
    "winter": ("hiver", "Winter", "invierno"),
    "apples": ("pommes", "Äpfel", "manzanas"),
    "pears": ("poires", "Birnen", "peras"),
    "melons": ("melons", "Melonen", "melones"),
    "oranges": ("oranges", "Orangen", "naranjas"),
    "bananas": ("bananes", "Bananen", "plátanos"),
    "lemons": ("citrons", "Zitronen", "limones"),
    "tomatoes": ("tomates", "Tomaten", "tomates"),
    "potatoes": ("pommes de terre", "Kartoffeln", "patatas"),
    "carrots": ("carottes", "Karotten", "zanahorias"),
    "onions": ("oignons", "Zwiebeln", "cebollas"),
    "eggs": ("œufs", "Eier", "huevos"),
    "books": ("livres", "Bücher", "libros"),
    "pens": ("stylos", "Stifte", "bolígrafos"),
    "cups": ("tasses", "Tassen", "tazas"),
}
_ALIKE: Final = (
    (
        "a bar chart",
        "a line chart",
        "a pie chart",
        "a table",
        "a horizontal bar chart",
        "a scatter plot",
        "a flow chart",
    ),
    ("a black-and-white photograph", "a colour photograph", "an oil painting", "a pencil sketch", "a coloured drawing"),
    ("a silhouette drawing", "a coloured drawing", "a colour photograph", "an oil painting", "a watercolour"),
)
"""Kinds of image that a reader could take for each other."""
_ARTS: Final = ("silhouette", "oil painting", "watercolour", "pencil sketch", "collage")


def _style(scene: Scene) -> tuple[str, str] | None:
    """The kind of image and what shows it, from the caption's words and the pixels; None when they do not tell."""
    text = scene.caption.lower()
    for word, style, sign in (
        ("horizontal bar chart", "a horizontal bar chart", "bars of different lengths stand for the values"),
        ("bar chart", "a bar chart", "bars of different heights stand for the values"),
        ("line chart", "a line chart", "a line joins the values"),
        ("pie chart", "a pie chart", "slices of a disc stand for the values"),
        ("silhouette", "a silhouette drawing", "the shape is filled evenly and has no inner detail"),
    ):
        if word in text:
            return style, sign
    if re.search(r"\ba table\b (?:titled|of|lists|shows)", text):
        return "a table", "texts and numbers stand in rows and columns"
    if re.search(r"\b(?:drawing|simple picture)\b", text) and not scene.natural:
        return "a coloured drawing", "its shapes are filled with even colours and lack natural detail"
    if "photograph" not in text and not scene.natural:
        return None
    if scene.grey:
        return "a black-and-white photograph", "it shows natural detail, but only shades of grey"
    return "a colour photograph", "it shows natural detail in many clear hues"


def _other_styles(style: str) -> list[str]:
    """The styles that exclude this one."""
    kind = next(kind for kind in _ALIKE if any(known in style for known in kind))
    return [other for other in kind if other != style and not ("drawing" in style and "drawing" in other)]


def image_style_classification(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """The kind of image, with the sign that shows it."""
    found = _style(scene)
    if found is None:
        return
    style, sign = found
    options = [style, *rng.sample(_other_styles(style), 3)]
    rng.shuffle(options)
    letter = "ABCD"[options.index(style)]
    chain = Chain("Context Understanding")
    if scene.facts.quoted:
        chain.read("title", f"the title reads '{scene.facts.quoted[0]}'")
    chain.refer("image", sign)
    chain.think(f"these signs belong to {style}, so {letter} is right")
    question = f"Which kind of image is this, and which visible sign tells you?\n{lettered(options)}"
    yield Draft(
        "style",
        ("image",),
        chain.skills,
        question,
        tuple(chain.steps),
        f"{letter}. {capital(style)}: {sign}.",
        form="image_style_classification",
    )


def art_type(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """The kind of art, where the caption names one."""
    kind = next((art for art in _ARTS if art in scene.caption.lower()), None)
    if kind is None:
        return
    options = [kind, *rng.sample([art for art in _ARTS if art != kind], 3)]
    rng.shuffle(options)
    letter = "ABCD"[options.index(kind)]
    chain = Chain("Knowledge Integration")
    for region in regions[:2]:
        chain.ground(region)
    parts = listed(in_words(regions[:2])) if regions else "the shape"
    chain.refer(
        "image",
        f"{parts} can be told by the outline alone" if kind == "silhouette" else f"the caption's {kind} can be seen",
    )
    chain.think(f"this is how {article(kind)} looks")
    lines = lettered([article(option) for option in options])
    question = f"Which type of art is this picture, judged by the way {parts} can be told apart?\n{lines}"
    yield Draft(
        "art",
        tuple(dict.fromkeys(r.label for r in regions[:2])) or ("image",),
        chain.skills,
        question,
        tuple(chain.steps),
        f"{letter}. {capital(article(kind))}.",
        form="art_type",
    )


def depth_order(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """What is nearer or further back, where the caption tells: things in the distance, things on others."""
    far_text = " ".join(re.findall(r"([^.]*?)\b(?:is|are) in the (?:distance|background)", scene.caption))
    far = [r for r in regions if re.search(rf"\b{re.escape(r.label)}s?\b", far_text)]
    near = [r for r in regions if r not in far and r.label not in {"lawn", "sky", "sea", "table", "floor"}]
    for back in far:
        for front in near:
            chain = Chain("Relationship Description")
            chain.ground(front)
            chain.ground(back)
            chain.refer("bbx_2", f"the {back.name} is in the distance")
            chain.think(f"from the nearest to the furthest, the order is the {front.name} and then the {back.name}")
            one, other = rng.sample([front, back], 2)
            question = (
                f"Which is further away from the viewer, the {one.name} or the {other.name}? Give their order "
                "from near to far."
            )
            yield Draft(
                "depth",
                (front.label, back.label),
                chain.skills,
                question,
                tuple(chain.steps),
                f"The {back.name} is further away: from near to far come the {front.name} and the {back.name}.",
                form="depth_order",
                fineness=fineness([back]),
            )
    on = {a.split()[-1]: b.split()[-1] for a, how, b in scene.facts.relations if how == "on"}
    for top, middle in on.items():
        base = on.get(middle)
        things = [scene.named(name) for name in (top, middle, base or "")]
        found = [thing for thing in things if thing is not None]
        if base is None or len(found) < 3:
            continue
        chain = Chain("Relationship Description")
        for region in found:
            chain.ground(region)
        chain.think(f"the {top} is on the {middle}")
        chain.think(f"the {middle} is on the {base}")
        shuffled = rng.sample(found, 3)
        question = (
            f"Order {listed(in_words(shuffled))} by how they lie on each other, from the one on top to "
            "the one at the bottom of the stack."
        )
        yield Draft(
            "depth",
            (top, middle, base),
            chain.skills,
            question,
            tuple(chain.steps),
            f"From the top to the bottom come the {top}, the {middle} and the {base}.",
            form="depth_order",
            fineness=0.6,
        )


def relative_distance(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Distances of two centres along the width and the height."""
    for position, one in enumerate(regions):
        for other in regions[position + 1 :]:
            gaps = [geometry.distance(one.bbox, other.bbox, axis) for axis in "xy"]
            if abs(gaps[0] - gaps[1]) < 0.05 or max(gaps) < 0.1 or min(gaps) < 0.03 or nested_pair((one, other)):
                continue
            chain = Chain("Relationship Description")
            chain.ground(one)
            chain.ground(other)
            for at, extent in ((0, "width"), (1, "height")):
                high, low = sorted(
                    (figure(geometry.centre(r.bbox)[at], 4) for r in (one, other)), key=float, reverse=True
                )
                chain.calculate(
                    f"{high} - {low}",
                    float(high) - float(low),
                    f"the centres are about {100 * (float(high) - float(low)):.0f}% of the image {extent} apart",
                )
            shares = [re.findall(r"about (\d+)%", text)[0] for _, text in chain.steps[2:]]
            wide = gaps[0] > gaps[1]
            more, less = ("width", "height") if wide else ("height", "width")
            question = (
                f"How far apart are the centres of the {one.name} and the {other.name}, as percentages of the "
                "image's width and of its height, and which of the two is the larger?"
            )
            answer = (
                f"They are about {shares[0]}% of the image width and about {shares[1]}% of the image "
                f"height apart, so the share of the {more} is larger than that of the {less}."
            )
            yield Draft(
                "relative distance",
                tuple(dict.fromkeys((one.label, other.label))),
                chain.skills,
                question,
                tuple(chain.steps),
                answer,
                form="relative_distance",
                fineness=fineness([one, other]),
            )


def text_detection(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """The title: what it says, how many words it has, and whether it holds a number."""
    if not scene.facts.quoted or not re.search(r"\b(?:titled|title|chart)\b", scene.caption):
        return
    title = scene.facts.quoted[0]
    words = re.findall(r"[^\s,;:]+", title)
    if len(words) < 2:
        return
    chain = Chain()
    chain.read("title", f"the title reads '{title}'")
    chain.calculate(
        " + ".join("1" for _ in words),
        len(words),
        f"the title has {number_word(len(words))} words, counting numbers and single letters as words",
    )
    longest = sorted(words, key=len)[-1]
    if sum(len(word) == len(longest) for word in words) > 1:
        longest = ""
    else:
        chain.think(f"the longest of them is '{longest}'")
    ask = ", and which is the longest" if longest else ""
    question = (
        "Find the text that serves as the title. What does it say, how many words does it have, counting "
        f"numbers and single letters as words{ask}?"
    )
    answer = f"The title reads '{title}'. It has {number_word(len(words))} words" + (
        f", and the longest is '{longest}'." if longest else "."
    )
    yield Draft(
        "title", ("title",), chain.skills, question, tuple(chain.steps), answer, form="text_detection", fineness=0.6
    )


def text_translation(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """The name of an entry, found by its value, in another language."""
    for names, values, what in _columns(scene):
        if len(set(values)) < len(values):
            continue
        order = sorted(zip(names, values, strict=True), key=lambda entry: -entry[1])
        for position, rank in ((0, "highest"), (len(order) - 1, "lowest"), (1, "second-highest")):
            name = order[position][0]
            words = _DICTIONARY.get(name.lower())
            if words is None or len(order) < 3:
                continue
            at = rng.randrange(3)
            chain = Chain("Knowledge Integration")
            for one, number in order:
                chain.read(one, f"the {what} {'of' if what != 'value' else 'for'} {one} is {figure(number)}")
            chain.think(f"{name} has the {rank} {what}")
            chain.think(f'the {_LANGUAGES[at]} word for "{name}" is "{words[at]}"')
            question = f"Which entry has the {rank} {what}? Give its name in {_LANGUAGES[at]}."
            answer = f'The entry with the {rank} {what} is {capital(name)}; in {_LANGUAGES[at]} this is "{words[at]}".'
            yield Draft(
                "translation",
                tuple(names),
                chain.skills,
                question,
                tuple(chain.steps),
                answer,
                form="text_translation",
                fineness=0.7,
            )


def _columns(scene: Scene) -> Iterator[tuple[Sequence[str], Sequence[float], str]]:
    if (data := scene.facts.series) is not None:
        yield data.names, data.values, "value"
    if (table := scene.facts.table) is not None:
        yield table.items, table.quantities, "quantity"
        yield table.items, table.prices, "unit price"
