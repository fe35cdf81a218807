"""Forms that offer something to choose from: choices, statements, regions, matches, missing things."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Final

from ..drafts.draft import Chain, Draft, fineness, in_words, merged, sentence, with_form
from ..geometry import literal, same
from ..scene import Region, Scene
from ..words import capital, listed

_TWOFOLD: Final = frozenset(
    (
        *("of two", "found by place", "times", "sizes in row", "amount share"),
        *("second price", "price ranking", "odd colour", "nested light"),
    )
)
"""Families that ask two things: choices would answer only one of them, or tell it."""
_LETTERS: Final = "ABCDEF"
_ABSENT: Final = (
    (r"cup|plate|spoon|saucer|food|fruit|kitchen|bottle|bread", ("fork", "knife", "teapot", "napkin", "jug", "bowl")),
    (r"cat|dog|pet|eye|nose|ear", ("collar", "bell", "leash", "paw", "water bowl")),
    (r"horse|cow|farm|legs?", ("saddle", "rider", "bridle", "fence", "foal")),
    (r"rocket|tower|space|planet|astronaut|shuttle", ("satellite dish", "parachute", "crane", "moon", "fuel truck")),
    (r"camera|man|woman|person|people", ("umbrella", "backpack", "bench", "bicycle", "hat", "walking stick")),
    (r"fish|shell|starfish|water|sea|beach", ("crab", "anchor", "seahorse", "turtle", "octopus", "jellyfish")),
    (r"car|bus|street|road|traffic|house", ("bicycle", "traffic light", "lorry", "bench", "bridge", "lamp post")),
    (r"kite|balloon|sun|cloud|sky|bird", ("aeroplane", "rainbow", "parachute", "moon", "bird")),
    (r"triangle|circle|square|heart|star|arrow", ("pentagon", "hexagon", "crescent", "oval", "cross", "diamond")),
    (r"vase|clock|book|ball|block|hat|shelf|room", ("lamp", "mirror", "candle", "teapot", "picture frame", "cushion")),
    (r"galax|coin|moon|telescope", ("comet", "banknote", "planet", "ring", "key")),
)
"""Things that often go with what the words of the caption, the topic and the labels name."""


def lettered(options: Sequence[str]) -> str:
    """The options, each on a line of its own behind its letter."""
    return "\n".join(f"{letter}. {capital(option)}" for letter, option in zip(_LETTERS, options, strict=False))


def _mixed(rng: random.Random, right: str, wrong: Sequence[str], most: int = 4) -> tuple[list[str], int]:
    """The right option among at most `most - 1` wrong ones, shuffled, and its position."""
    others = [option for option in dict.fromkeys(wrong) if option.lower() != right.lower()]
    options = [right, *rng.sample(others, min(len(others), most - 1))]
    rng.shuffle(options)
    return options, options.index(right)


def multi_choice(scene: Scene, draft: Draft, rng: random.Random) -> Draft | None:
    """The question with up to four choices, one of them right."""
    if len(draft.wrong) < 2 or not draft.short or draft.family in _TWOFOLD:
        return None
    options, at = _mixed(rng, draft.short, draft.wrong)
    steps = merged(draft.steps, [(None, f"Of the choices, only {_LETTERS[at]} agrees with this: {draft.short}.")])
    return with_form(
        draft,
        "multi_choice",
        question=f"{draft.question}\n{lettered(options)}",
        steps=steps,
        answer=f"{_LETTERS[at]}. {capital(draft.short)}",
    )


def text_image_matching(scene: Scene, drafts: Sequence[Draft], rng: random.Random) -> Draft | None:
    """Three statements about different things; one fits the image."""
    if len(drafts) < 3:
        return None
    true, *false = drafts[:3]
    statements = [true.answer]
    for draft in false:
        if not draft.short or not draft.wrong or draft.short not in draft.answer:
            return None
        statements.append(capital(draft.answer.replace(draft.short, rng.choice(draft.wrong), 1)))
    order = list(range(3))
    rng.shuffle(order)
    at = order.index(0)
    verdicts = [
        (None, f"So statement {_LETTERS[order.index(i + 1)]} does not fit: in truth, {_lower(draft.answer)}")
        for i, draft in enumerate(false)
    ]
    steps = merged(*(draft.steps for draft in drafts[:3]), verdicts)
    question = f"Only one of these statements fits the image. Which one?\n{lettered([statements[i] for i in order])}"
    return with_form(
        true,
        "text_image_matching",
        question=question,
        steps=steps,
        answer=f"{_LETTERS[at]}. {true.answer}",
        objects=tuple(dict.fromkeys(o for d in drafts[:3] for o in d.objects)),
        skills=tuple(dict.fromkeys(s for d in drafts[:3] for s in d.skills)),
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if re.match(r"(?:The|There|It|On|In|From|Of)\b", text) else text


def _distinct(regions: Sequence[Region]) -> list[Region]:
    """Regions whose boxes can be told apart at a glance."""
    chosen: list[Region] = []
    for region in regions:
        if " at [" not in region.name and all(not same(region.bbox, other.bbox, 0.06) for other in chosen):
            chosen.append(region)
    return chosen


def region_selection(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Which of several boxes belongs to a thing."""
    choices = _distinct(regions)
    if len(choices) < 3:
        return
    for region in choices:
        others = [r for r in choices if r is not region]
        options, at = _mixed(rng, region.at, [r.at for r in others])
        chain = Chain()
        for option in options:
            found = scene.boxed_as(next(r.bbox for r in choices if r.at == option))
            if found:
                chain.ground(found)
        chain.think(f"only region {_LETTERS[at]} holds the {region.name}")
        question = (
            "Boxes are given as [x1, y1, x2, y2] in shares of the image's width and height. Which of these "
            f"regions shows the {region.name}?\n{lettered(options)}"
        )
        yield Draft(
            "region selection",
            (region.label,),
            chain.skills,
            question,
            tuple(chain.steps),
            f"{_LETTERS[at]}. {region.at}",
            form="region_selection",
            fineness=fineness([region]),
        )


def object_region_matching(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Each of three or four things to be matched with its box."""
    choices = _distinct(regions)
    for size in (3, 4):
        if len(choices) < size:
            return
        chosen = rng.sample(choices, size)
        boxes = rng.sample(chosen, size)
        chain = Chain()
        for region in chosen:
            chain.ground(region)
        pairs = [f"the {region.name} belongs to {_LETTERS[boxes.index(region)]}" for region in chosen]
        chain.think(listed(pairs))
        lines = lettered([literal(region.bbox) for region in boxes])
        question = (
            f"Match {listed(in_words(chosen))} to these regions, given as [x1, y1, x2, y2] in shares of "
            f"the image's width and height.\n{lines}"
        )
        yield Draft(
            "object region matching",
            tuple(dict.fromkeys(r.label for r in chosen)),
            chain.skills,
            question,
            tuple(chain.steps),
            f"{capital(listed(pairs))}.",
            form="object_region_matching",
            fineness=fineness(chosen),
        )


def missing_object_selection(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Which of several things is not in the image. Only where a caption tells what is."""
    labels = list(dict.fromkeys(region.label for region in regions))
    text = f"{scene.caption} {' '.join(labels)}".lower()
    context = f"{text} {' '.join(scene.topic)}".lower()
    fitting = [things for sign, things in _ABSENT if re.search(rf"\b(?:{sign})(?:e?s|y|ies)?\b", context)]
    absent = [thing for things in fitting for thing in things if not any(word in text for word in thing.split())]
    if len(labels) < 2 or not scene.caption or not absent or {"chart", "document"} & set(scene.topic):
        return
    present = rng.sample(labels, min(len(labels), 4))
    gone = rng.choice(absent)
    options, at = _mixed(rng, gone, present, most=5)
    chain = Chain("Existence")
    for label in present:
        chain.ground(next(region for region in regions if region.label == label))
    chain.think(f"no {gone} can be found anywhere in the image")
    question = f"Which of these is missing from the image?\n{lettered(options)}"
    yield Draft(
        "missing object",
        tuple(present),
        chain.skills,
        question,
        tuple(chain.steps),
        f"{_LETTERS[at]}. {sentence(gone)}",
        form="missing_object_selection",
    )
