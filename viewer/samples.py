"""The grid: a page of samples that meet a filter, sorted."""

import math
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from ..store.listing import SORTS, choices, listed
from ..store.rows import snapshot
from .asked import FILTERS, PAGE_SIZE, Asked, AskedError, filter_of, order_of, page_of
from .overview import STATUSES, run_line

KNOWN = {*FILTERS, "sort", "page"}


def samples(asked: Asked) -> dict[str, Any]:
    """What the grid shows. Raises AskedError for a query it does not know."""
    if unknown := sorted(set(asked.query) - KNOWN):
        raise AskedError("no such filter", where=unknown[0], remedy=f"one of {', '.join(sorted(KNOWN))}")
    wanted, order, page = filter_of(asked.query), order_of(asked.query), page_of(asked.query)
    db, run = asked.db, asked.run
    with snapshot(db):
        count, lines = listed(db, run, wanted, order, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
        line = run_line(asked)
        known = choices(db, run)
    pages = max(math.ceil(count / PAGE_SIZE), 1)
    base = {name: value for name, value in asked.query.items() if value and name != "page"}
    return {
        "run": line,
        "count": count,
        "page": page,
        "pages": pages,
        "first": (page - 1) * PAGE_SIZE + 1 if lines else 0,
        "samples": [
            asdict(one) | {"cost": asked.prices.cost(one.prompt_tokens, one.completion_tokens)} for one in lines
        ],
        "filter": wanted.given(),
        "sort": asked.query.get("sort") or "position",
        "query": urlencode(base),
        "choices": {"status": list(STATUSES), "verdict": ["accepted", "rejected"], **known},
        "sorts": list(SORTS),
        "priced": asked.prices.tokens_in is not None,
    }
