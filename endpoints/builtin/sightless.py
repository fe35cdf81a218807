"""Answers of somebody who sees no image: only what the question itself says is known."""

import re
from collections.abc import Mapping
from typing import Any, Final

_STATED: Final = re.compile(r"(?:^|(?<=[.!?]\s))(?:It is known that|Given that|Since|As)\s+(.+?)[.,](?=\s)", re.DOTALL)


def sightless(row: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to the question in `row`, as the fields of BlindAnswer."""
    stated = _STATED.search(str(row.get("question") or ""))
    return {"id": str(row.get("id") or ""), "known": bool(stated), "answer": stated[1] if stated else ""}
