"""A run's results from the stores of its workers."""

import heapq
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..graph.outcome import STATUSES, Summary
from ..graph.results import losses, refusals, write_lines
from ..store.connections import reading
from ..store.errors import StoreError
from ..store.folder import shards
from ..store.lineage import settled_records
from ..store.runs import quarantined
from ..store.traces import RunTotals, totals
from .plan import Status

_MEANS = (
    "SELECT count(*), total(complexity_before), total(complexity_after) FROM v_settled"
    " WHERE run = ? AND complexity_before IS NOT NULL AND complexity_after IS NOT NULL"
)
_PAID = (
    "SELECT total(calls), total(prompt_tokens), total(cached_tokens), total(completion_tokens) FROM call_totals"
    " WHERE run = ? AND kind <> 'cut-off'"
)
_PLACES = (
    "SELECT s.position FROM samples s JOIN v_settled e ON e.run = s.run AND e.sample = s.id"
    " WHERE s.run = ? ORDER BY s.position, s.rowid"
)


class Paid(NamedTuple):
    """Calls that a run's stores hold, and their tokens."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def since(self, before: "Paid") -> "Paid":
        """What has come since there was `before`."""
        return Paid(*(now - then for now, then in zip(self, before, strict=True)))


def paid(folder: Path, run: str) -> Paid | None:
    """The calls of all workers' stores in `folder`; None while one of them cannot be read until its run goes on."""
    found = [Paid()]
    for shard in shards(folder):
        try:
            with reading(shard) as db:
                found.append(Paid(*map(int, db.execute(_PAID, (run,)).fetchone())))
        except StoreError as error:
            if error.kind != "open":
                raise
            return None
    return Paid(*map(sum, zip(*found, strict=True)))


def summary(folder: Path, run: str, status: Status, before: Paid | None, seconds: float) -> Summary:
    """All workers' stores in `folder` in numbers, with the counts of this start from `status`.

    What a worker did between its last report and its death is in its store alone, so calls and tokens are what the
    stores hold beyond what they held `before`, if that is known and more.
    """
    found: list[RunTotals] = []
    judged = [0.0, 0.0, 0.0]
    for shard in shards(folder):
        with reading(shard) as db:
            found.append(totals(db, run))
            judged = [sum(pair) for pair in zip(judged, db.execute(_MEANS, (run,)).fetchone(), strict=True)]
    statuses = _sum(one.statuses for one in found)
    settled = {name: statuses.get(name, 0) for name in STATUSES}
    progress, stats = status.progress, status.stats
    samples = max(progress.seen, sum(statuses.values()))
    metered = stats.tells_tokens
    told = Paid(stats.received, stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens)
    held = paid(folder, run)
    spent = Paid(*map(max, told, held.since(before))) if held and before else told
    return Summary(
        run=run,
        samples=samples,
        **settled,
        pending=samples - sum(settled.values()),
        quarantined=len(_bad_rows(folder, run)),
        calls=spent.calls,
        replayed=stats.replayed,
        accepted=sum(one.accepted for one in found),
        rejected=sum(one.rejected for one in found),
        lost=sum(one.lost for one in found),
        directions=dict(sorted(_sum(one.directions for one in found).items())),
        prompt_tokens=spent.prompt_tokens if metered else None,
        cached_tokens=spent.cached_tokens if metered else None,
        completion_tokens=spent.completion_tokens if metered else None,
        image_tokens=stats.image_tokens if metered else None,
        maybe_billed=sum(one.maybe_billed for one in found),
        complexity_before=judged[1] / judged[0] if judged[0] else None,
        complexity_after=judged[2] / judged[0] if judged[0] else None,
        seconds=round(seconds, 3),
        cpu_ms_per_call=round(status.cpu_s * 1000 / spent.calls, 3) if spent.calls else None,
    )


def _sum(parts: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


def write_results(folder: Path, run: str, path: Path) -> int:
    """Writes the settled samples of all stores in seed order, as graph.results does for one; gives their number."""
    parts = [_placed(shard, run) for shard in shards(folder)]
    return write_lines(path, (record for _, record in heapq.merge(*parts, key=lambda one: one[0])))


def _placed(shard: Path, run: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with reading(shard) as db:
        places = [position for (position,) in db.execute(_PLACES, (run,))]
        yield from zip(places, settled_records(db, run), strict=True)


def write_quarantine(folder: Path, run: str, path: Path) -> int:
    """Writes the seed rows that could not be used; without any there is no file. Gives their number."""
    rows = _bad_rows(folder, run)
    if not rows:
        path.unlink(missing_ok=True)  # that of an earlier start tells what is no longer so
        return 0
    return write_lines(path, rows)


def _bad_rows(folder: Path, run: str) -> list[dict[str, str]]:
    """Each once: a start may have handed a row to another worker than the start before."""
    rows: dict[str, dict[str, str]] = {}
    for shard in shards(folder):
        with reading(shard) as db:
            rows |= {row["where"]: row for row in quarantined(db, run)}
    return list(rows.values())


def reasons(folder: Path, run: str) -> dict[str, list[tuple[str, int, str]]]:
    """Why pairs were rejected and lost: code, number of pairs, one pair's reason; the commonest first."""
    return {"rejected": _added(folder, run, refusals), "lost": _added(folder, run, losses)}


def _added(folder: Path, run: str, ask: Any) -> list[tuple[str, int, str]]:
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for shard in shards(folder):
        for code, count, example in ask(shard, run):
            counts[code] += count
            examples[code] = min(example, examples.get(code, example))
    return [(code, count, examples[code]) for code, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
