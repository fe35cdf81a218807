"""Questions about numbers of things, from the caption and the boxes, and about what stands on what."""

from collections.abc import Iterator
from itertools import combinations

from ..claims.numbers import Counted
from ..scene import Region, Scene
from ..words import capital, figure, number_word, ordinal, plural
from .draft import Chain, Draft, fineness, sentence


def counts(scene: Scene) -> Iterator[Draft]:
    """Numbers of things and their differences; rows; chains of what stands on what."""
    known = _known(scene)
    for noun, number in known.items():
        yield _count(scene, noun, number)
    for one, other in combinations(known, 2):
        yield from _compare(scene, one, known[one], other, known[other])
    yield from _grid(scene)
    yield from _standing(scene)


def _known(scene: Scene) -> dict[str, int]:
    """The caption's numbers of things, by the longest noun phrase."""
    told = scene.facts.counts
    return {
        noun: n for noun, n in told.items() if not any(other != noun and other.endswith(" " + noun) for other in told)
    }


def _ground_all(scene: Scene, chain: Chain, noun: str, number: int) -> bool:
    """Grounds each of the things when all of them have a box and they are few."""
    regions = scene.with_label(noun.rsplit(maxsplit=1)[-1])
    if len(regions) == number and number <= 6:
        for region in regions:
            chain.ground(region)
        return True
    return False


def _count(scene: Scene, noun: str, number: int) -> Draft:
    chain = Chain()
    if not _ground_all(scene, chain, noun, number):
        chain.refer(noun, f"the {plural(noun)} can be told apart and counted one by one")
    grid = scene.facts.grid
    if grid and grid[0] * grid[1] == number:
        chain.calculate(
            f"{grid[0]} * {grid[1]}", number, f"{number_word(grid[0])} rows of {number_word(grid[1])} make {number}"
        )
    elif number <= 12:
        chain.calculate(" + ".join("1" for _ in range(number)), number)
    else:
        chain.think(Counted(number, noun))
    claim = Counted(number, noun)
    wrong = tuple(number_word(n) for n in (number - 1, number + 1, number + 2) if n > 0)
    question = f"How many {plural(noun)} can be seen in the image?"
    return Draft(
        "count",
        (noun,),
        chain.skills,
        question,
        tuple(chain.steps),
        sentence(claim.say()),
        number_word(number),
        wrong,
        fineness=0.6,
    )


def _compare(scene: Scene, one: str, first: int, other: str, second: int) -> Iterator[Draft]:
    if first == second:
        return
    chain = Chain("Relationship Description")
    for noun, number in ((one, first), (other, second)):
        if not _ground_all(scene, chain, noun, number):
            chain.refer(noun, Counted(number, noun).say())
    more, fewer = (one, other) if first > second else (other, one)
    gap, total = abs(first - second), first + second
    chain.calculate(f"{max(first, second)} - {min(first, second)}", gap)
    question = f"Are there more {plural(one)} or more {plural(other)}, and how many more?"
    numbers = f"{max(first, second)} against {min(first, second)}"
    answer = f"There are more {plural(more)} than {plural(fewer)}: {numbers}, which is {gap} more."
    yield Draft("count gap", (one, other), chain.skills, question, tuple(chain.steps), answer, fineness=0.7)
    chain.calculate(f"{first} + {second}", total)
    question = f"How many {plural(one)} and {plural(other)} are there altogether, and which kind is in the majority?"
    answer = (
        f"There are {number_word(total)} altogether, and the {plural(more)} are in the majority with "
        f"{number_word(max(first, second))}."
    )
    yield Draft("count total", (one, other), chain.skills, question, tuple(chain.steps), answer, fineness=0.7)


def _rows(scene: Scene) -> tuple[str, list[list[Region]]] | None:
    """The label and rows of things that stand in a full grid as the caption says."""
    if scene.facts.grid is None:
        return None
    for label in dict.fromkeys(region.label for region in scene.regions):
        regions = [region for region in scene.regions if region.label == label]
        rows = [
            [r for r in regions if r.name.endswith(f"{label} in the {ordinal(n)} row")]
            for n in range(1, scene.facts.grid[0] + 1)
        ]
        if all(len(row) == scene.facts.grid[1] for row in rows):
            return label, rows
    return None


def _grid(scene: Scene) -> Iterator[Draft]:
    found = _rows(scene)
    if found is None:
        return
    label, rows = found
    for number, row in enumerate(rows, 1):
        yield from _largest_in_row(label, number, row)
    yield from _taken_away(label, rows)
    for one, other in combinations(range(len(rows)), 2):
        yield from _rows_compared(label, one, other, rows)


def _width(region: Region) -> float:
    return round(region.bbox[2] - region.bbox[0], 3)


def _largest_in_row(label: str, number: int, row: list[Region]) -> Iterator[Draft]:
    order = sorted(row, key=lambda region: -region.area)
    large, small = order[0], order[-1]
    if large.area < 1.1 * order[1].area:
        return
    chain = Chain()
    chain.think(f"the {ordinal(number)} row from the top holds {number_word(len(row))} {plural(label)}")
    chain.ground(large)
    question = f"Which {label} of the {ordinal(number)} row from the top is the largest, counted from the left?"
    place = ordinal(row.index(large) + 1)
    answer = f"The {place} {label} from the left is the largest in the {ordinal(number)} row, at {large.at}."
    wrong = tuple(
        f"The {ordinal(n)} {label} from the left" for n in range(1, len(row) + 1) if n != row.index(large) + 1
    )
    yield Draft(
        "largest in row",
        (label,),
        chain.skills,
        question,
        tuple(chain.steps),
        answer,
        f"The {place} {label} from the left",
        wrong,
        fineness=0.8,
    )
    if order[-2].area < 1.1 * small.area:
        return
    chain.ground(small)
    ratio = _width(large) / _width(small)
    chain.calculate(f"{figure(_width(large), 3)} / {figure(_width(small), 3)}", ratio, places=2)
    question = (
        f"In the {ordinal(number)} row from the top, how many times as wide is the largest {label} "
        "as the smallest one, going by their boxes?"
    )
    answer = (
        f"The largest {label}, the {large.name}, is about {figure(ratio, 1)} times as wide as the smallest, "
        f"the {small.name}."
    )
    yield Draft(
        "sizes in row",
        (label,),
        chain.skills,
        question,
        tuple(chain.steps),
        answer,
        f"about {figure(ratio, 1)} times",
        tuple(f"about {figure(ratio + by, 1)} times" for by in (0.6, 1.2, 2)),
        fineness=0.8,
    )


def _taken_away(label: str, rows: list[list[Region]]) -> Iterator[Draft]:
    """What is left when a row and a column are taken away."""
    count, each = len(rows), len(rows[0])
    for row in range(1, count + 1):
        for column in range(1, each + 1):
            chain = Chain("Relationship Description")
            chain.calculate(
                f"{count} * {each}",
                count * each,
                f"there are {count * each} {plural(label)} in {number_word(count)} rows of {number_word(each)}",
            )
            chain.ground(rows[row - 1][column - 1], ", where the row and the column cross")
            gone = each + count - 1
            chain.calculate(
                f"{each} + {count} - 1",
                gone,
                f"{gone} {plural(label)} lie in the {ordinal(row)} row or the {ordinal(column)} column",
            )
            left = count * each - gone
            chain.calculate(f"{count * each} - {gone}", left)
            question = (
                f"How many {plural(label)} are left if the whole {ordinal(row)} row from the top and the whole "
                f"{ordinal(column)} column from the left are taken away?"
            )
            wrong = tuple(f"{left + by} {plural(label)}" for by in (-1, 1, 2))
            yield Draft(
                "taken away",
                (label,),
                chain.skills,
                question,
                tuple(chain.steps),
                f"{left} {plural(label)} are left.",
                f"{left} {plural(label)}",
                wrong,
                fineness=0.7,
            )


def _rows_compared(label: str, one: int, other: int, rows: list[list[Region]]) -> Iterator[Draft]:
    """The largest thing of each of two rows compared."""
    best = [max(rows[n], key=lambda region: region.area) for n in (one, other)]
    large, small = sorted(best, key=lambda region: -region.area)
    if large.area < 1.15 * small.area:
        return
    chain = Chain("Relationship Description")
    boxes = []
    for number, region in zip((one, other), best, strict=True):
        chain.ground(region, f"; it is the largest {label} of the {ordinal(number + 1)} row")
        width, height = _width(region), round(region.bbox[3] - region.bbox[1], 3)
        boxes.append(float(chain.calculate(f"{figure(width, 3)} * {figure(height, 3)}", width * height)))
    ratio = max(boxes) / min(boxes)
    chain.calculate(f"{figure(max(boxes), 4)} / {figure(min(boxes), 4)}", ratio, places=2)
    question = (
        f"Compare the largest {label} of the {ordinal(one + 1)} row with the largest {label} of the "
        f"{ordinal(other + 1)} row, counting rows from the top."
        f" Which box is larger, and by what factor?"
    )
    answer = f"The {large.name} has the larger box, about {figure(ratio, 1)} times that of the {small.name}."
    yield Draft("rows compared", (label,), chain.skills, question, tuple(chain.steps), answer, fineness=fineness(best))


def _standing(scene: Scene) -> Iterator[Draft]:
    """What a thing stands on, and what that stands on in turn, by the caption's words."""
    on = [(a, b) for a, how, b in scene.facts.relations if how == "on"]
    for above, below in on:
        chain = Chain("Relationship Description")
        _find(scene, chain, above)
        chain.think(f"the {_head(above)} is on the {below}")
        yield Draft(
            "on",
            (_head(above), _head(below)),
            chain.skills,
            f"What is directly underneath the {_head(above)}?",
            tuple(chain.steps),
            f"The {below} is directly underneath the {_head(above)}.",
            f"The {below}",
            fineness=0.6,
        )
        for lower, base in on:
            if _head(lower) != _head(below):
                continue
            longer = Chain("Relationship Description")
            for thing in (above, lower, base):
                _find(scene, longer, thing)
            longer.think(f"the {_head(above)} is on the {_head(lower)}")
            longer.think(f"the {_head(lower)} is on the {base}, so the {base} is at the bottom of the stack")
            question = (
                f"Starting from the {_head(above)} and going down, what supports it, and what supports that in turn?"
            )
            answer = f"The {_head(above)} is on the {below}, and the {_head(lower)} is on the {base}."
            yield Draft(
                "stack",
                (_head(above), _head(lower), _head(base)),
                longer.skills,
                question,
                tuple(longer.steps),
                capital(answer),
                fineness=0.7,
            )


def _head(phrase: str) -> str:
    return phrase.rsplit(maxsplit=1)[-1]


def _find(scene: Scene, chain: Chain, phrase: str) -> None:
    region = scene.named(_head(phrase))
    if region is not None:
        chain.ground(region)
