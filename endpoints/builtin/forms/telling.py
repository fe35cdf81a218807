"""Forms that ask for a text: blanks, instructions, explanations, completions, coreference, captions."""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from .. import geometry
from ..claims.looks import Coloured, Larger
from ..claims.places import Beside, Ordered, Placed
from ..drafts.draft import Chain, Draft, fineness, in_words, merged, sentence, with_form
from ..drafts.places import nested_pair, told_by_name
from ..scene import Region, Scene
from ..words import capital, listed, number_word

_SIDES = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}


def fill_in_the_blank(scene: Scene, draft: Draft, rng: random.Random) -> Draft | None:
    """The answer's sentence with its decisive words left out."""
    if (
        not draft.short
        or draft.family in {"side", "nested light", "purchase"}
        or len(draft.objects) > 2
        or "It is" in draft.answer
        or "second" in draft.family
        or draft.answer.count(draft.short) != 1
        or len(draft.short) > 40
        or (draft.answer.startswith(draft.short) and len(draft.short.split()) > 3)
    ):
        return None
    gap = draft.answer.replace(draft.short, "____")
    if not re.search(r"\w{3,}.*\w{3,}", gap):
        return None
    lead = rng.choice(
        (
            "Complete the sentence so that it fits the image",
            "Fill in the blank so that the sentence is true of the image",
        )
    )
    return with_form(draft, "fill_in_the_blank", question=f"{lead}: {gap}", answer=draft.answer)


def rationales_generation(scene: Scene, draft: Draft, rng: random.Random) -> Draft | None:
    """Why the answer is right, told from what was found."""
    if draft.depth < 3 or len(draft.answer) > 200:
        return None
    found = " ".join(text for _, text in draft.steps)
    if len(found) > 1200:
        return None
    evidence = "the values that are printed" if "OCR" in draft.skills else "the places and sizes of the things involved"
    if "Referencing" in draft.skills:
        evidence = "what is seen at the places involved"
    question = f"{draft.question} Explain step by step, from {evidence}, how the answer is found."
    return with_form(
        draft,
        "rationales_generation",
        question=question,
        answer=f"{found} Therefore: {draft.answer}",
    )


def ordered_names(
    scene: Scene, regions: Sequence[Region]
) -> Iterator[tuple[list[Region], str, tuple[tuple[str | None, str], ...]]]:
    """Sets of three to five regions in a clear order, the direction, and the steps that show it."""
    for size in (3, 4, 5):
        groups = [list(g) for g in combinations(regions, size) if not told_by_name(g) and not nested_pair(g)]
        for group in groups[:: max(1, len(groups) // 4)]:
            for at, direction in ((0, "from left to right"), (1, "from top to bottom")):
                places = [geometry.centre(region.bbox)[at] for region in group]
                if not geometry.spaced(places, geometry.CLEAR_STEP):
                    continue
                chain = Chain("Relationship Description")
                for region in group:
                    chain.ground(region)
                order = sorted(group, key=lambda region: geometry.centre(region.bbox)[at])
                chain.think(Ordered(direction, tuple(in_words(order))))
                yield order, direction, tuple(chain.steps)


_ORDER_SKILLS = ("Relationship Description", "Grounding")


def instruction_following(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Lists in a prescribed order and shape."""
    for order, direction, steps in () if scene.charted else ordered_names(scene, regions):
        names = [region.name.upper() for region in order]
        shuffled = rng.sample(order, len(order))
        mark, word = rng.choice(((";", "semicolons"), (",", "commas"), (" >", '" > " signs')))
        answer = f"{mark} ".join(names)
        question = (
            f"Write the names of these things in order {direction}, by the centres of their boxes, in capital "
            f"letters, separated by {word}, and nothing else: {listed(in_words(shuffled))}."
        )
        full = merged(steps, [(None, f"In capital letters, separated by {word}, this is: {answer}")])
        yield Draft(
            "instruction",
            tuple(dict.fromkeys(r.label for r in order)),
            _ORDER_SKILLS,
            question,
            full,
            answer,
            form="instruction_following",
            fineness=fineness(order),
        )
    yield from _ranked_values(scene, rng)


def _ranked_values(scene: Scene, rng: random.Random) -> Iterator[Draft]:
    data = scene.facts.series
    if data is None:
        return
    what = "chart" if "chart" in scene.caption.lower() else "table"
    for count in (3, 4):
        order = sorted(zip(data.names, data.values, strict=True), key=lambda entry: -entry[1])
        if (
            len(order) <= count
            or order[count - 1][1] == order[count][1]
            or len({v for _, v in order[: count + 1]}) <= count
        ):
            continue
        chain = Chain()
        for name, value in order[:count]:
            chain.read(name, f"the value for {name} is {value:g} {data.unit}".strip())
        answer = "; ".join(f"{name}={value:g}" for name, value in order[:count])
        chain.think(f"from the highest down, with an equals sign and semicolons: {answer}")
        question = (
            f"List the {number_word(count)} entries of the {what} with the highest values, highest first. "
            "Write each as NAME=VALUE without a unit, separated by semicolons, and nothing else."
        )
        yield Draft(
            "instruction",
            tuple(name for name, _ in order[:count]),
            chain.skills,
            question,
            tuple(chain.steps),
            answer,
            form="instruction_following",
        )


def completeness_of_response(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """What is missing from somebody's list."""
    for order, direction, steps in ordered_names(scene, regions):
        gone = rng.randrange(1, len(order) - 1)
        left = [region for region in order if region is not order[gone]]
        before, after = order[gone - 1], order[gone + 1]
        shuffled = rng.sample(order, len(order))
        question = (
            f"Someone was asked to list {listed(in_words(shuffled))} {direction} by their centres and wrote: "
            f'"{", ".join(r.name for r in left)}".'
            " Is the response complete? If not, what is missing, and where does it belong?"
        )
        answer = (
            f"It is not complete: the {order[gone].name} is missing. It belongs between the {before.name} "
            f"and the {after.name}."
        )
        full = merged(
            steps,
            [
                (
                    None,
                    (
                        f"The list leaves out the {order[gone].name}, which comes after the {before.name} and before "
                        f"the {after.name}."
                    ),
                )
            ],
        )
        yield Draft(
            "completeness",
            tuple(dict.fromkeys(r.label for r in order)),
            _ORDER_SKILLS,
            question,
            full,
            answer,
            form="completeness_of_response",
            fineness=fineness(order),
        )


def coreference_resolution(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """Which of two things "it" stands for, decided by what the image shows."""
    for one in regions:
        for other in regions:
            if one is other or one.label == other.label or nested_pair((one, other)):
                continue
            side = next((s for s in _SIDES if geometry.beside(one.bbox, other.bbox, s)), None)
            if side is None:
                continue
            first = sentence(Beside(one.name, _SIDES[side], other.name).say())
            for it, rest, told, chain in _tellings(scene, one, other):
                question = (
                    f'In the text "{first} {told}", which of the two does the word "It" stand for in this image: '
                    f"the {one.name} or the {other.name}?"
                )
                answer = f"It stands for the {it.name}, not for the {rest.name}."
                chain.think(f"so the second sentence is true of the {it.name} and not of the {rest.name}")
                yield Draft(
                    "coreference",
                    (one.label, other.label),
                    chain.skills,
                    question,
                    tuple(chain.steps),
                    answer,
                    form="coreference_resolution",
                    fineness=fineness([one, other]),
                )


def _tellings(scene: Scene, one: Region, other: Region) -> Iterator[tuple[Region, Region, str, Chain]]:
    """Sentences about "it" that are true of one of the two only."""
    for it, rest in ((one, other), (other, one)):
        place, elsewhere = geometry.ninth(it.bbox), geometry.ninth(rest.bbox)
        if place and elsewhere and place not in {elsewhere, "centre"} and it.area < 0.4:
            chain = Chain("Relationship Description")
            for region in (one, other):
                where = (geometry.ninth(region.bbox) or "").replace("centre", "middle")
                chain.ground(region, f", with its centre in the {where} part of the image")
            yield it, rest, f"It has its centre in the {place} of the image.", chain
        mine, yours = scene.colour(it), scene.colour(rest)
        if mine and yours and scene.could_be(rest, mine) is False and mine not in it.label:
            chain = Chain("Relationship Description")
            for region in (one, other):
                chain.refer(chain.ground(region), Coloured(region.name, scene.colour(region) or "").say())
            yield it, rest, f"It is {mine}.", chain
        if it.area > 1.6 * rest.area:
            chain = Chain("Relationship Description")
            for region in (one, other):
                chain.ground(region)
            chain.think(Larger(it.name, rest.name))
            yield it, rest, "It takes up more of the image than the other one.", chain


def creative_content_generation(scene: Scene, regions: Sequence[Region], rng: random.Random) -> Iterator[Draft]:
    """A short caption that must keep to facts of the image."""
    for one in regions:
        for other in regions:
            colour, place = scene.colour(one), geometry.ninth(one.bbox)
            side = next(
                (s for s in ("left", "right", "above", "below") if geometry.beside(one.bbox, other.bbox, s)), None
            )
            if one.label == other.label or side is None or nested_pair((one, other)):
                continue
            if not (colour or (place and one.area < 0.4)):
                continue
            chain = Chain("Relationship Description")
            box = chain.ground(one)
            chain.ground(other)
            if colour:
                chain.refer(box, Coloured(one.name, colour).say())
                wish, told = "its colour", f"the {one.name} is {colour}"
            else:
                chain.think(Placed(one.name, f"{place} part" if place != "centre" else "centre"))
                wish, told = "the part of the image it is in", f"the {one.name} is in the {place} of the image"
            chain.think(Beside(one.name, _SIDES[side], other.name))
            question = (
                "Write a two-sentence caption for this image in plain words. The first sentence must say where "
                f"the {one.name} is in relation to the {other.name},"
                f" the second must give {wish}. Add nothing that cannot be seen."
            )
            answer = f"{sentence(Beside(one.name, _SIDES[side], other.name).say())} {capital(told)}."
            yield Draft(
                "creative",
                (one.label, other.label),
                chain.skills,
                question,
                tuple(chain.steps),
                answer,
                form="creative_content_generation",
                fineness=fineness([one, other]),
            )
