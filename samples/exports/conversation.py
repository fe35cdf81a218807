"""Questions as conversations, which most training formats are made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..formats.evolved import Evolved, ScoredQA
from ..sample import Sample
from .choice import ALL, Choice, Tally

IMAGE_TOKEN: Final = "<image>"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of an export: the images of `sample`, then each question with its answer."""

    id: str
    sample: Sample
    versions: tuple[ScoredQA, ...]


def conversations(
    rows: Iterable[Evolved], choice: Choice, tally: Tally, *, single: bool = False, token: bool = True
) -> Iterator[Conversation]:
    """One conversation a sample, or a question with `single`; with all rounds chosen, one a sample and round.

    With `token`, a question that itself holds the text `<image>` is left out: a trainer would put a picture there.
    """
    for row in rows:
        taken: list[ScoredQA] = []
        for group in choice.groups(row):
            versions = choice.kept(row.sample.id, group, tally)
            versions = _without_token(versions, tally) if token else versions
            taken += versions
            for part in [(version,) for version in versions] if single else [versions] if versions else []:
                tally.rows += 1
                yield Conversation(_name(row.sample.id, part, choice, single), row.sample, part)
        tally.take(row, taken)


def turns(conversation: Conversation) -> list[dict[str, str]]:
    """Alternating turns of `human` and `gpt`, with one `<image>` for each image before the first question."""
    found: list[dict[str, str]] = []
    tokens = f"{IMAGE_TOKEN}\n" * len(conversation.sample.images)
    for version in conversation.versions:
        question = version.qa.question if found else tokens + version.qa.question
        found += [{"from": "human", "value": question}, {"from": "gpt", "value": version.qa.answer}]
    return found


def paths(sample: Sample) -> list[str]:
    """The paths of the sample's images."""
    return [image.path for image in sample.images]


def part_id(sample: str, part: str) -> str:
    """An id for a part of a sample: no two parts of any samples share one."""
    return f"{sample.replace('%', '%25').replace('#', '%23')}#{part}"


def _name(sample: str, versions: tuple[ScoredQA, ...], choice: Choice, single: bool) -> str:
    round_ = f"r{versions[0].round}" if choice.rounds == ALL else ""
    if single:
        return part_id(sample, "@".join(filter(None, [versions[0].qa.id, round_])))
    return part_id(sample, round_) if round_ else sample


def _without_token(versions: tuple[ScoredQA, ...], tally: Tally) -> tuple[ScoredQA, ...]:
    kept = tuple(one for one in versions if IMAGE_TOKEN not in one.qa.question + one.qa.answer)
    if len(kept) < len(versions):
        tally.left[f"questions whose text holds {IMAGE_TOKEN}"] += len(versions) - len(kept)
    return kept
