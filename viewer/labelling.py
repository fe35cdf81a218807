"""A sheet on which people label pairs without knowing what the judge said: one HTML file that opens offline."""

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from ..errors import EvolgraphError
from ..samples.images import ImageRoot
from ..store.connections import reading
from ..store.lineage import Verdict, settled_lineages
from .examples import embedded
from .figures import newest
from .report import environment
from .tally import lines

REASONS: Final = {
    "grounded": "something in it is not in the image",
    "correct": "the answer or a step is wrong",
    "answerable": "it cannot be answered, or not clearly",
    "needs_image": "it can be answered without the image",
    "improved": "it is no better than the one before",
}
"""What a person can say against a pair: the judge's flags, in words for when they do not hold."""
_SIDE: Final = 900


class LabelError(EvolgraphError):
    """Labels or pairs to label that cannot be used."""

    kind = "labels"


@dataclass(frozen=True, slots=True)
class Ruled:
    """A pair that screen or judge ruled on: what it was made of, and the verdict."""

    sample: Mapping[str, Any]
    verdict: Verdict
    parent: Mapping[str, Any]
    child: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, int, str]:
        """What names the pair in its run."""
        return self.verdict.sample, self.verdict.round, self.verdict.qa

    @property
    def stratum(self) -> tuple[str, bool]:
        """Pairs are drawn evenly from these: by direction, accepted or not."""
        return self.verdict.direction, self.verdict.accepted


def ruled(db: sqlite3.Connection, run: str) -> Iterator[Ruled]:
    """The pairs of the settled samples of `run` that were ruled on. Raises StoreError `corrupt`."""
    for sample, _, lineage in settled_lineages(db, run):
        made = {(one.round, one.qa): one.content for one in lineage.generations}
        for line in lines(lineage):
            for verdict in line.verdicts:
                child = made.get((verdict.round, verdict.qa))
                if verdict.end != "lost" and child is not None:
                    yield Ruled(sample, verdict, line.head(verdict.round - 1)[0], child)


def drawn(db: sqlite3.Connection, run: str, number: int, seed: int) -> list[Ruled]:
    """Up to `number` pairs, as evenly from all strata as there are pairs, in an order that tells nothing."""

    def lot(pair: Ruled) -> bytes:
        return hashlib.blake2b(f"{seed} {pair.key}".encode(), digest_size=8).digest()

    strata: dict[tuple[str, bool], list[Ruled]] = {}
    for pair in ruled(db, run):
        waiting = strata.setdefault(pair.stratum, [])
        waiting.append(pair)
        if len(waiting) > 4 * number:
            waiting[:] = sorted(waiting, key=lot)[:number]
    queues = [sorted(strata[name], key=lot) for name in sorted(strata)]
    chosen: list[Ruled] = []
    while len(chosen) < number and any(queues):
        chosen += [queue.pop(0) for queue in queues if queue][: number - len(chosen)]
    return sorted(chosen, key=lot)


def sheet(store: Path, images: ImageRoot, number: int, seed: int = 0) -> tuple[int, str]:
    """How many pairs of the newest run in `store` the sheet holds, and the sheet as HTML.

    It says nothing of verdicts, codes, scores or strata. `images` are where the run's images lie. Raises LabelError
    when there is no pair, StoreError when the store cannot be read.
    """
    with reading(store) as db:
        run = newest(db)
        pairs = drawn(db, run.id, number, seed) if run else []
    if run is None or not pairs:
        raise LabelError("no pair has been ruled on", where=str(store), remedy="evolve some seeds first")
    used = {image["sha256"]: image for pair in pairs for image in pair.sample["images"]}
    data = {
        "run": run.id,
        "pairs": [_row(pair) for pair in pairs],
        "images": {name: embedded(images, image, _SIDE) for name, image in used.items()},
        "reasons": [*REASONS.items()],
    }
    return len(pairs), _page(environment(), data)


def _row(pair: Ruled) -> dict[str, Any]:
    sample, round_, qa = pair.key
    return {
        "sample": sample,
        "round": round_,
        "qa": qa,
        "direction": pair.verdict.direction,
        "caption": pair.sample["caption"],
        "images": pair.sample["images"],
        "boxes": pair.sample["boxes"],
        "parent": _told(pair.parent),
        "child": _told(pair.child),
    }


def _told(qa: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question": qa["question"],
        "answer": qa["answer"],
        "form": qa["form"],
        "steps": [step["description"] for step in qa["steps"]],
    }


def _page(templates: Environment, data: Mapping[str, Any]) -> str:
    """The sheet; only its own script may run, which the page's policy names by its hash."""
    script = templates.get_template("sheet.js").render()
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.get_template("sheet.html").render(data=data, script=Markup(script), digest=digest)  # noqa: S704
