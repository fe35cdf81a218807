"""A name for every box by which a reader can find it: "helmet", "left eye", "third coin in the second row"."""

from collections import defaultdict
from collections.abc import Sequence

from .geometry import BBox, centre, literal, spaced
from .words import ordinal


def names(labels: Sequence[str], boxes: Sequence[BBox]) -> list[str]:
    """Names in the order of the boxes, unique, without an article; a box literal where words do not suffice."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        groups[label].append(index)
    result = list(labels)
    for label, members in groups.items():
        for index, name in zip(members, _tell_apart(label, [boxes[i] for i in members]), strict=True):
            result[index] = name
    return result


def _tell_apart(label: str, boxes: list[BBox]) -> list[str]:
    if len(boxes) == 1:
        return [label]
    for axis, ends in ((0, ("leftmost", "rightmost", "left")), (1, ("topmost", "lowest", "top"))):
        positions = [centre(box)[axis] for box in boxes]
        if len(boxes) <= 7 and spaced(positions, 0.06):
            return _along(label, positions, ends)
    placed = grid_places(boxes)
    if placed:
        return [f"{ordinal(place)} {label} in the {ordinal(row)} row" for row, place in placed]
    return [f"{label} at {literal(box)}" for box in boxes]


def _along(label: str, positions: list[float], ends: tuple[str, str, str]) -> list[str]:
    order = sorted(range(len(positions)), key=positions.__getitem__)
    result = [label] * len(order)
    first, last, side = ends
    for rank, index in enumerate(order):
        if len(order) == 2:
            result[index] = f"{('left', 'right')[rank] if side == 'left' else ('upper', 'lower')[rank]} {label}"
        elif rank in {0, len(order) - 1}:
            result[index] = f"{first if rank == 0 else last} {label}"
        else:
            result[index] = f"{ordinal(rank + 1)} {label} from the {side}"
    return result


def grid_places(boxes: Sequence[BBox]) -> list[tuple[int, int]] | None:
    """(row, place in the row) of every box, both from 1, when the boxes stand in two or more clear rows; else None."""
    order = sorted(range(len(boxes)), key=lambda i: centre(boxes[i])[1])
    rows: list[list[int]] = []
    for index in order:
        if rows and centre(boxes[index])[1] < max(boxes[i][1] * 0.25 + boxes[i][3] * 0.75 for i in rows[-1]):
            rows[-1].append(index)
        else:
            rows.append([index])
    if len(rows) < 2 or min(map(len, rows)) < 2 or len(boxes) < 6:
        return None
    tops = [max(centre(boxes[i])[1] for i in row) for row in rows]
    starts = [min(centre(boxes[i])[1] for i in row) for row in rows]
    if any(start - top < 0.05 for top, start in zip(tops, starts[1:], strict=False)):
        return None
    places: dict[int, tuple[int, int]] = {}
    for number, row in enumerate(rows, 1):
        row.sort(key=lambda i: centre(boxes[i])[0])
        if not spaced([centre(boxes[i])[0] for i in row], 0.04):
            return None
        places |= {index: (number, place) for place, index in enumerate(row, 1)}
    return [places[index] for index in range(len(boxes))]
