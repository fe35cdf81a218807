"""The dataset card of an export: what it holds and how it came about, in the Hugging Face form."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from ..samples.exports.choice import Contents, Tally
from ..store.figures import Acceptance

_IMAGES: Final = {
    None: "named by path; not part of this data set",
    "copy": "in the folder `{folder}`",
    "link": "in the folder `{folder}`",
    "embed": "inside the file",
}
_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def card(
    manifest: Mapping[str, Any],
    tally: Tally,
    acceptance: list[Acceptance],
    rejections: list[tuple[str, int, str]],
) -> str:
    """The card of the export that `manifest` describes, in Markdown with a YAML head."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    text = files("evolgraph.graph").joinpath("card.md").read_text(encoding="utf-8")
    before, after = tally.before, tally.after
    file = manifest["files"][0]["path"]
    directions = sorted({one.direction for one in acceptance})
    return environment.from_string(text).render(
        manifest=manifest,
        name=PurePosixPath(file).name.partition(".")[0],
        file=file,
        size=next((name for limit, name in _SIZES if manifest["counts"]["rows"] < limit), "n>10M"),
        images=_IMAGES[manifest["options"]["images"]].format(folder=f"{file}.images"),
        models=[_model(line) for line in manifest["fingerprint"]["models"]],
        before=before,
        after=after,
        directions=directions,
        rounds=_rounds(acceptance, directions),
        rejections=rejections,
        skills=_by_count(before.skills + after.skills),
        forms=_by_count(before.forms + after.forms),
        made=sorted(after.directions.items(), key=lambda item: (-item[1], item[0])),
        scored=_scored(before, after),
        figure=_figure,
        each=lambda contents, count: _figure(count / contents.questions if contents.labelled else None),
        share=_share,
        told=lambda contents, count: _share(contents, count) if contents.labelled else "-",
    )


def _model(line: str) -> tuple[str, str]:
    """`evolver: name {sampling}` as role and name."""
    role, _, told = line.partition(": ")
    return role, told.partition(" {")[0]


def _rounds(acceptance: list[Acceptance], directions: list[str]) -> list[tuple[str, list[str]]]:
    """The table of accepted pairs: a row a round, then all rounds; a cell a direction, then all directions."""
    numbers = sorted({one.round for one in acceptance})
    rows: list[tuple[str, list[str]]] = []
    for name, of_round in [*((str(number), {number}) for number in numbers), ("all", set(numbers))]:
        found = [one for one in acceptance if one.round in of_round]
        cells = [_cell([one for one in found if one.direction == direction]) for direction in directions]
        rows.append((name, [*cells, _cell(found)]))
    return rows


def _cell(counted: list[Acceptance]) -> str:
    accepted, pairs = sum(one.accepted for one in counted), sum(one.pairs for one in counted)
    return f"{accepted / pairs:.0%} of {pairs:,}" if pairs else "-"


def _by_count(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))


def _scored(before: Contents, after: Contents) -> str:
    unjudged = [contents.questions - contents.judged for contents in (before, after)]
    if not any(unjudged):
        return ""
    return f"; {unjudged[0]:,} of the seed questions and {unjudged[1]:,} in this file were never judged"


def _share(contents: Contents, count: int) -> str:
    return f"{count / contents.questions:.1%}" if contents.questions else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
