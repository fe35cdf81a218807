"""MMEvol's own format: `conversations_v0` holds the seed questions, `conversations_vK` what round K accepted."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..formats.evolved import Evolved, ScoredQA
from .choice import ALL, FINAL, Choice, Tally


def versioned(rows: Iterable[Evolved], choice: Choice, tally: Tally) -> Iterator[Evolved]:
    """Each sample with the generations that are chosen. The seeds stay, whatever the conditions on evolved versions.

    With final rounds there is one version only, v0: the questions as they stand, ready to be evolved again.
    """
    conditions = choice.min_score is not None or bool(choice.direction)
    for row in rows:
        if choice.rounds == FINAL:
            heads = choice.kept(row.sample.id, row.heads, tally)
            sample = row.sample.model_copy(update={"qas": tuple(head.qa for head in heads)})
            chosen = replace(row, sample=sample, generations=())
            taken = [*heads]
        else:
            rounds = row.generations if choice.rounds == ALL else row.generations[: int(choice.rounds)]
            generations = tuple(choice.kept(row.sample.id, generation, tally) for generation in rounds)
            chosen = replace(row, generations=generations)
            evolved = [version for generation in generations for version in generation]
            taken: list[ScoredQA] = evolved if conditions else [*row.seeds, *evolved]
        tally.take(row, taken)
        if taken:
            tally.rows += 1
            yield chosen
