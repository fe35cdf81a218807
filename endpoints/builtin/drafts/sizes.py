"""Questions about how large things are in the image."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..claims.looks import Larger, Times
from ..claims.numbers import Extreme
from ..geometry import inside
from ..scene import Region, Scene
from ..words import figure, listed
from .draft import Chain, Draft, fineness, in_words, phrasing, sentence


def sizes(scene: Scene, groups: Sequence[tuple[Region, ...]]) -> Iterator[Draft]:
    """Which of two things covers more and how many times as much; the largest and smallest of several."""
    for group in groups:
        if len(group) == 2:
            yield from _pair(scene, *group)
        elif len(group) in {3, 4}:
            yield from _rank(scene, group)


def _area(chain: Chain, region: Region) -> float:
    x1, y1, x2, y2 = region.bbox
    width, height = figure(x2 - x1, 3), figure(y2 - y1, 3)
    text = (
        f"the box of the {region.name.split(' at [')[0]} covers {figure(float(width) * float(height), 4)} of the image"
    )
    return float(chain.calculate(f"{width} * {height}", float(width) * float(height), text))


def _pair(scene: Scene, one: Region, other: Region) -> Iterator[Draft]:
    large, small = sorted((one, other), key=lambda region: -region.area)
    if not 1.3 <= large.area / small.area <= 40 or large.area > 0.9:
        return
    rng = phrasing(scene, "pair", one.name, other.name)
    plain = Chain()
    plain.ground(one)
    plain.ground(other)
    plain.think(f"the box of the {large.name} is the larger one")
    asked = f"Going by their boxes, which covers more of the image, the {one.name} or the {other.name}"
    larger = Larger(large.name, small.name)
    wrong = (Larger(small.name, large.name).say(),)
    objects = tuple(dict.fromkeys((one.label, other.label)))
    fine = fineness([one, other])
    if large.area < 6 * small.area and not inside(small.bbox, large.bbox):
        yield Draft(
            "larger",
            objects,
            plain.skills,
            f"{asked}?",
            tuple(plain.steps),
            sentence(larger.say()),
            larger.say(),
            wrong,
            fineness=fine,
        )
    chain = Chain()
    chain.ground(one)
    chain.ground(other)
    areas = {region: _area(chain, region) for region in (one, other)}
    if areas[small] < 0.002:
        return
    ratio = areas[large] / areas[small]
    chain.calculate(f"{figure(areas[large], 4)} / {figure(areas[small], 4)}", ratio, places=2)
    claim = Times(large.name, small.name, round(ratio, 1))
    answer = f"{sentence(larger.say(rng))} {sentence(claim.say())}"
    right = f"about {figure(ratio, 1)} times"
    others = tuple(f"about {figure(ratio * k, 1)} times" for k in (0.5, 1.6, 2.4))
    yield Draft(
        "times",
        objects,
        chain.skills,
        f"{asked}, and about how many times as much?",
        tuple(chain.steps),
        answer,
        right,
        others,
        fineness=fine,
    )


def _rank(scene: Scene, group: tuple[Region, ...]) -> Iterator[Draft]:
    order = sorted(group, key=lambda region: -region.area)
    if any(big.area < 1.25 * small.area for big, small in pairwise(order)) or order[0].area > 0.9:
        return
    rng = phrasing(scene, "rank", *(region.name for region in group))
    names = listed(in_words(group))
    chain = Chain()
    for region in group:
        chain.ground(region)
    areas = {region: _area(chain, region) for region in group}
    objects = tuple(dict.fromkeys(region.label for region in group))
    large, small = order[0], order[-1]
    if areas[small] < 0.002:
        return
    extreme = Extreme(f"the {large.name}", "largest box", tuple(in_words(group)))
    middle = order[1]
    second = f"Of {names}, the {middle.name} has the second-largest box."
    steps = (*chain.steps, (None, f"From the largest box to the smallest, the order is {listed(in_words(order))}."))
    question = rng.choice(
        (
            "Going by their boxes, which of {} is the second largest in the image?",
            "Of {}, which has the second-largest box?",
        )
    ).format(names)
    wrong = tuple(f"the {region.name}" for region in order if region is not middle)
    yield Draft(
        "second largest",
        objects,
        chain.skills,
        question,
        steps,
        second,
        f"the {middle.name}",
        wrong,
        fineness=fineness(group),
    )
    ratio = areas[large] / areas[small]
    chain.calculate(f"{figure(areas[large], 4)} / {figure(areas[small], 4)}", ratio, places=2)
    question = (
        f"Which of {names} has the largest box, which has the smallest, and how many times as large "
        "is the one as the other?"
    )
    times = Times(large.name, small.name, round(ratio, 1))
    answer = f"{sentence(extreme.say())} The {small.name} has the smallest. {sentence(times.say())}"
    yield Draft(
        "largest and smallest", objects, chain.skills, question, tuple(chain.steps), answer, fineness=fineness(group)
    )
