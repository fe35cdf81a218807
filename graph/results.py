"""What a run leaves beside its store: the results file, the bad rows, and why pairs were refused."""

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from ..samples.formats.evolved import Evolved, ScoredQA
from ..samples.sample import QA, Sample
from ..store.connections import reading
from ..store.lineage import Lineage, Settled, settled_lineages, settled_records
from ..store.runs import quarantined
from ..store.traces import loss_reasons, rejection_reasons
from .identity import RunError


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
    """Raises RunError when no file can be written at `path`, so that nobody learns it after hours of calls."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise RunError("not a regular file", where=str(path), remedy="name a file")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise RunError("no file can be written there", where=str(path), remedy="name a file in a folder that exists")


def write_lines(path: Path, rows: Iterable[Any]) -> int:
    """Writes `rows` as JSON lines, atomically; gives their number."""
    count = 0
    with replacing(path) as stream:
        for row in rows:
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def write_list(path: Path, rows: Iterable[Any]) -> int:
    """Writes `rows` as one JSON list with a row a line, atomically; gives their number."""
    count = 0
    with replacing(path) as stream:
        for row in rows:
            stream.write(b",\n" if count else b"[\n")
            stream.write(orjson.dumps(row))
            count += 1
        stream.write(b"\n]\n" if count else b"[]\n")
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


def evolved(store: Path, run: str) -> Iterator[Evolved]:
    """The run's settled samples with all that was accepted, in seed order, as exports are written from."""
    with reading(store) as db:
        for sample, end, lineage in settled_lineages(db, run):
            yield _evolved(sample, end, lineage)


def _evolved(sample: dict[str, Any], end: Settled, lineage: Lineage) -> Evolved:
    rounds = {decision.round: list[ScoredQA]() for decision in lineage.decisions}
    seeds = []
    for generation in lineage.generations:
        if generation.outcome == "seed":
            seeds.append(generation.content)
        elif generation.outcome == "accepted":
            rounds[generation.round].append(_scored(generation.content, generation.complexity))
    return Evolved(
        sample=Sample.model_validate(sample | {"qas": seeds}),
        generations=tuple(tuple(rounds[number]) for number in sorted(rounds)),
        heads=tuple(_scored(head["qa"], head["complexity"]) for head in end.heads),
    )


def _scored(content: dict[str, Any], score: float | None) -> ScoredQA:
    return ScoredQA(QA.model_validate(content), score)
