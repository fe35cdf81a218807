"""What a run leaves beside its store: the results file, the bad rows, and why pairs were refused."""

import itertools
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

import orjson

from ..samples.formats.evolved import Evolved, RejectedQA, ScoredQA
from ..samples.sample import QA, Sample
from ..store.connections import reading
from ..store.lineage import (
    Generation,
    Lineage,
    Settled,
    Verdict,
    final_questions,
    lineages_of,
    settled_lineages,
    settled_records,
)
from ..store.runs import quarantined
from ..store.traces import loss_reasons, rejection_reasons
from .identity import RunError

_DATABASE: Final = b"SQLite format 3\0"
_LONGEST_RECORD: Final = 64 * 2**20


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and is gone when it does not.

    Raises RunError when it cannot be written, such as on a full disk; what was at `path` then stays as it was.
    """
    path = path.resolve()
    check_writable(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            remedy = "make room or name another file, then start the command again: nothing is asked again"
            raise RunError(f"cannot be written: {error.strerror}", where=str(path), remedy=remedy) from error
        raise


def check_writable(path: Path) -> None:
    """Raises RunError when no file can be written at `path`, so that nobody learns it after hours of calls.

    A store and a file that is read-only are never replaced: a file takes another's place whatever the other's mode is.
    """
    target = path.resolve()
    if target.exists():
        if not target.is_file():
            raise RunError("not a regular file", where=str(path), remedy="name a file")
        if not target.stat().st_mode & 0o222:
            raise RunError("is read-only and stays as it is", where=str(path), remedy="name another file")
        if _begins(target, len(_DATABASE)) == _DATABASE:
            raise RunError("is a store and stays as it is", where=str(path), remedy="name another file")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise RunError("no file can be written there", where=str(path), remedy="name a file in a folder that exists")


def check_results(path: Path, store: Path) -> None:
    """Raises RunError as `check_writable` does, and when `path` is the run's `store` or holds what no run wrote."""
    check_writable(path)
    target = path.resolve()
    if target == store.resolve():
        raise RunError("is the store of the run", where=str(path), remedy="name another file with --out")
    if target.exists() and target.stat().st_size and not _is_result(_begins(target, _LONGEST_RECORD)):
        told = "is there already, and no run wrote it"
        raise RunError(told, where=str(path), remedy="name another file with --out, or remove this one")


def _begins(path: Path, size: int) -> bytes:
    """The first line of a file, or `size` bytes of it."""
    with path.open("rb") as stream:
        return stream.readline(size)


def _is_result(line: bytes) -> bool:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(row, dict) and {"id", "status", "history"} <= row.keys()


def write_lines(path: Path, rows: Iterable[Any]) -> int:
    """Writes `rows` as JSON lines, atomically; gives their number."""
    count = 0
    with replacing(path) as stream:
        for row in rows:
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def write_results(store: Path, run: str, path: Path) -> int:
    """Writes the run's settled samples in seed order; gives their number."""
    with reading(store) as db:
        return write_lines(path, settled_records(db, run))


def write_quarantine(store: Path, run: str, path: Path) -> int:
    """Writes the seed rows that could not be used; without any there is no file. Gives their number."""
    with reading(store) as db:
        rows = quarantined(db, run)
        first = next(rows, None)
        if first is None:
            path.unlink(missing_ok=True)  # that of an earlier start tells what is no longer so
            return 0
        return write_lines(path, itertools.chain([first], rows))


def refusals(store: Path, run: str) -> list[tuple[str, int, str]]:
    """Why pairs of the run were rejected: code, number of pairs, and one pair's reason; the commonest first."""
    with reading(store) as db:
        return rejection_reasons(db, run)


def losses(store: Path, run: str) -> list[tuple[str, int, str]]:
    """Why nobody ruled on pairs of the run, as in `refusals`."""
    with reading(store) as db:
        return loss_reasons(db, run)


def evolved(db: sqlite3.Connection, run: str, samples: Sequence[str] | None = None) -> Iterator[Evolved]:
    """The run's settled samples with all that was accepted, as exports are written from; no failed ones.

    In seed order, or, where they are given, those of `samples` in their order.
    """
    found = settled_lineages(db, run) if samples is None else lineages_of(db, run, samples)
    for sample, end, lineage in found:
        if end.status != "failed":
            yield _evolved(sample, end, lineage)


def _evolved(sample: dict[str, Any], end: Settled, lineage: Lineage) -> Evolved:
    # Of several takes of a round the last one counts.
    versions = [*{(one.round, one.qa): one for one in lineage.generations}.values()]
    verdicts = {(one.round, one.qa): one for one in lineage.verdicts}
    first_scores = {
        one.qa: float(one.score_before) for one in reversed(lineage.verdicts) if one.score_before is not None
    }
    accepted = {decision.round: list[ScoredQA]() for decision in lineage.decisions}
    rejected: list[RejectedQA] = []
    seeds: list[ScoredQA] = []
    for version in versions:
        if version.outcome == "seed":
            seeds.append(ScoredQA(QA.model_validate(version.content), first_scores.get(version.qa)))
        elif version.outcome == "accepted":
            accepted[version.round].append(_scored(version))
        else:
            rejected.append(_rejected(version, verdicts[version.round, version.qa]))
    return Evolved(
        sample=Sample.model_validate(sample | {"qas": [seed.qa for seed in seeds]}),
        generations=tuple(tuple(accepted[number]) for number in sorted(accepted)),
        heads=tuple(
            replace(_scored(version), score=head["complexity"])
            for version, head in zip(final_questions(end, lineage), end.heads, strict=True)
        ),
        seeds=tuple(seeds),
        rejected=tuple(rejected),
        status=end.status,
    )


def _scored(version: Generation) -> ScoredQA:
    qa = QA.model_validate(version.content)
    return ScoredQA(qa, version.complexity, version.round, version.direction or "", version.parent_round or 0)


def _rejected(version: Generation, verdict: Verdict) -> RejectedQA:
    score = None if verdict.score_after is None else float(verdict.score_after)
    return RejectedQA(
        version=replace(_scored(version), score=score),
        stage=verdict.stage,
        code=verdict.code,
        reason=verdict.reason,
    )
