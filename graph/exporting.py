"""Writes a run's questions in a training format, with a manifest and a dataset card beside the file."""

import hashlib
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import orjson

from ..errors import EvolgraphError
from ..samples.embedded import kept_images
from ..samples.exports.choice import ALL, FINAL, Choice, Tally
from ..samples.exports.pictures import Pictures
from ..samples.exports.writing import CONVERSATIONS, EMBEDDING, FORMATS, write
from ..samples.images import ImageRoot
from ..samples.novelty import Place, duplicates
from ..store.connections import reading
from ..store.figures import Acceptance, acceptance
from ..store.runs import Run, newest_run, quarantined
from ..store.sharing import sharing
from ..store.traces import RunTotals, rejection_reasons, totals
from .card import card
from .results import evolved, replacing

__all__ = ["FORMATS", "IMAGES", "ExportError", "Plan", "export"]

IMAGES: Final = ("copy", "link", "embed")


class ExportError(EvolgraphError):
    """An export that cannot be made as asked."""

    kind = "export"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written where. `rounds` is `final`, `all` or a number; None is the format's own."""

    format: str
    output: Path
    rounds: str | int | None = None
    min_score: float | None = None
    direction: str = ""
    images: str = ""
    """`copy`, `link` or `embed`; empty: paths stay relative to the image root."""
    image_root: Path = field(default_factory=Path)
    single: bool = False
    overwrite: bool = False
    duplicates: bool = False
    """Whether near duplicates of other samples' questions about the same image are kept."""

    @property
    def choice(self) -> Choice:
        """The questions asked for."""
        rounds = (FINAL if self.format in CONVERSATIONS else ALL) if self.rounds is None else self.rounds
        return Choice(rounds, self.min_score, self.direction)

    @property
    def manifest(self) -> Path:
        """The manifest's place."""
        return _beside(self.output, "manifest.json")

    @property
    def folder(self) -> Path:
        """Where images are copied or linked to."""
        return _beside(self.output, "images")

    @property
    def sums(self) -> Path:
        """The hashes of the images in `folder`, as `sha256sum -c` reads them there."""
        return _beside(self.output, "images.sha256")

    @property
    def card(self) -> Path:
        """The dataset card's place."""
        return _beside(self.output, "README.md")


@dataclass(frozen=True, slots=True)
class Figures:
    """The run that is exported, in numbers."""

    run: Run
    totals: RunTotals
    acceptance: list[Acceptance]
    rejections: list[tuple[str, int, str]]
    quarantined: int


def export(store: Path, plan: Plan) -> dict[str, Any]:
    """Writes the newest run of `store` as `plan` says: the file, `.manifest.json` and `.README.md`; gives the manifest.

    All three are the same bytes each time for the same store. Samples are streamed. Raises ExportError when the plan
    does not fit the run, when there is nothing to write, or when `plan.output` holds something else than an earlier
    export; ImageError when an image file is needed and not there; StoreError.
    """
    figures = _figures(store)
    _refuse_misfit(plan, figures.run)
    _refuse_to_overwrite(plan, store)
    pictures = Pictures(plan.images, ImageRoot(plan.image_root, kept=kept_images(store)), plan.folder)
    with reading(store) as db, replacing(plan.output) as stream:
        choice, lines = plan.choice, plan.output.suffix == ".jsonl"
        if not plan.duplicates:
            choice = replace(choice, duplicates=_found_again(db, figures.run.id, choice))
        rows = evolved(db, figures.run.id)
        tally = write(stream, plan.format, rows, choice, pictures, single=plan.single, lines=lines)
        left = dict(_left_out(tally, figures))
        if not tally.rows:
            told = ", ".join(f"{reason}: {count}" for reason, count in left.items())
            raise ExportError(f"nothing to export: {told or 'the run has no samples yet'}", where=str(store))
    if pictures.placed:
        with replacing(plan.sums) as stream:
            stream.writelines(f"{sha}  {name}\n".encode() for name, sha in sorted(pictures.placed.items()))
    manifest = _manifest(plan, figures, pictures, tally, left)
    with replacing(plan.manifest) as stream:
        stream.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    with replacing(plan.card) as stream:
        stream.write(card(manifest, tally, figures.acceptance, figures.rejections).encode())
    return manifest


def _found_again(db: sqlite3.Connection, run: str, choice: Choice) -> Collection[Place]:
    """The versions that `choice` takes and that nearly copy one of another sample about the same image."""
    found: set[Place] = set()
    samples = [sample for _, sample in sharing(db, run)]
    for _, rows in groupby(evolved(db, run, samples), lambda row: [one.sha256 for one in row.sample.images]):
        found |= duplicates(
            (Place(row.sample.id, version.qa.id, version.round), version.qa)
            for row in rows
            for group in choice.groups(row)
            for version in choice.kept(row.sample.id, group, Tally())
        ).keys()
    return found


def _figures(store: Path) -> Figures:
    with reading(store) as db:
        run = newest_run(db)
        if run is None:
            raise ExportError("the store holds no run", where=str(store), remedy="evolve some seeds first")
        bad = sum(1 for _ in quarantined(db, run.id))
        return Figures(run, totals(db, run.id), acceptance(db, run.id), rejection_reasons(db, run.id), bad)


def _refuse_misfit(plan: Plan, run: Run) -> None:
    known = run.fingerprint
    if plan.images == "embed" and plan.format not in EMBEDDING:
        remedy = f"use --images copy, or --format {' or '.join(EMBEDDING)}"
        raise ExportError(f"{plan.format} files hold no image bytes", remedy=remedy)
    if plan.single and plan.format not in CONVERSATIONS:
        raise ExportError(f"{plan.format} has no turns", remedy="leave out --turns")
    if plan.direction and plan.direction not in known["directions"]:
        remedy = f"name one of {', '.join(known['directions'])}"
        raise ExportError(f"the run has no direction {plan.direction!r}", remedy=remedy)
    if isinstance(plan.rounds, int) and plan.rounds > known["rounds"]:
        raise ExportError(f"the run has no round {plan.rounds}", remedy=f"name one from 0 to {known['rounds']}")


def _refuse_to_overwrite(plan: Plan, store: Path) -> None:
    """A file is replaced when its manifest says that an export wrote it, or when that is asked for; a store never."""
    output = plan.output
    if output.resolve() in {store.resolve().with_name(store.name + end) for end in ("", "-wal", "-shm", ".lock")}:
        raise ExportError("that is the store itself", where=str(output), remedy="name another file")
    if plan.overwrite or not output.is_file():
        return
    try:
        written = orjson.loads(plan.manifest.read_bytes())["files"][0]["sha256"]
    except (OSError, ValueError, LookupError, TypeError):
        written = ""
    if written != _sha256(output):
        message = "there is a file that no export wrote, or that was changed since"
        raise ExportError(message, where=str(output), remedy="name another file, or add --overwrite")


def _left_out(tally: Tally, figures: Figures) -> Iterator[tuple[str, int]]:
    """What is not in the file: in words, and how many."""
    samples = {
        "seed rows that were quarantined": figures.quarantined,
        "samples pending": figures.totals.statuses.get("pending", 0),
        "samples failed": figures.totals.statuses.get("failed", 0),
        "samples of which nothing was chosen": tally.unchosen,
    }
    yield from ((reason, count) for reason, count in samples.items() if count)
    yield from sorted((reason, count) for reason, count in tally.left.items() if count)


def _manifest(plan: Plan, figures: Figures, pictures: Pictures, tally: Tally, left: dict[str, int]) -> dict[str, Any]:
    run, choice = figures.run, plan.choice
    return {
        "evolgraph": version("evolgraph"),
        "run": run.id,
        "seed": run.seed,
        "fingerprint": run.fingerprint,
        "options": {
            "format": plan.format,
            "rounds": choice.rounds,
            "min_score": choice.min_score,
            "direction": choice.direction or None,
            "images": plan.images or None,
            "duplicates": "keep" if plan.duplicates else "leave-out",
            "turns": ("single" if plan.single else "multi") if plan.format in CONVERSATIONS else None,
        },
        "counts": {"rows": tally.rows, "samples": tally.samples, "questions": tally.after.questions},
        "left_out": left,
        "files": [_file(path) for path in (plan.output, *([plan.sums] if pictures.placed else []))],
        "images": {"files": pictures.files, "bytes": pictures.bytes},
    }


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _file(path: Path) -> dict[str, Any]:
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
