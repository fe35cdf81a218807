"""What carried-out steps brought, as the judge weighs it against what the steps say."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .colours import base_name, compatible
from .reading import Posed
from .truth import Fault

_SEES: Final = "sees there: "
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?")


def contradicted(rows: Any, evolved: Posed) -> Iterator[Fault]:
    """A fault for each step that its evidence speaks against: in its own word, or with another colour."""
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, Mapping) or not isinstance(number := row.get("step"), int):
            continue
        found = str(row.get("found") or "")
        if row.get("agrees") is False:
            yield Fault("correct", f"step {number} does not hold: {found[:200]}")
        elif 1 <= number <= len(evolved.steps) and _SEES in found:
            seen, told = _colours(found.partition(_SEES)[2]), _colours(evolved.steps[number - 1][1])
            if told and seen and all(compatible(one, other) is False for one in told for other in seen):
                yield Fault("correct", f"step {number} says {told[0]}, and what is seen there is {seen[0]}")


def _colours(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if base_name(word)]
