"""What samples ask twice about one image, counted over the questions as they stand at the end."""

import sqlite3
from itertools import groupby
from typing import Any, Final

from ..samples.novelty import Place, duplicates
from ..samples.sample import QA
from ..store.lineage import final_questions, lineages_of
from ..store.sharing import sharing

_SHOWN: Final = 3
"""Duplicates that are told in words."""


def duplicated(db: sqlite3.Connection, run: str) -> dict[str, Any]:
    """How many samples of `run` share their images with others, what these ask, and what of it is asked twice.

    `examples` are some of the near duplicates: each beside the question that stays.
    """
    samples = questions = near = 0
    examples: list[dict[str, Any]] = []
    for _, group in groupby(sharing(db, run), lambda one: one[0]):
        names = [sample for _, sample in group]
        asked = {
            Place(end.sample, version.qa, version.round): QA.model_validate(version.content)
            for _, end, lineage in lineages_of(db, run, names)
            for version in final_questions(end, lineage)
        }
        again = duplicates(asked.items())
        samples, questions, near = samples + len(names), questions + len(asked), near + len(again)
        for place, kept in [*again.items()][: _SHOWN - len(examples)]:
            both = {"sample": place.sample, "question": asked[place].question}
            examples.append(both | {"kept_sample": kept.sample, "kept_question": asked[kept].question})
    return {"samples": samples, "questions": questions, "near": near, "examples": examples}
