"""The mock endpoint: its replies are what the real agents and the real screen take, and its slots queue."""

from pathlib import Path

import orjson
import pytest
from evolgraph.agents.judge import accepted
from evolgraph.agents.replies import EvolvedQA, EvolveReply, JudgeReply
from evolgraph.agents.screen import Pair, normalise, screen
from evolgraph.benchmarks.bodies import bodies
from evolgraph.benchmarks.data import write_seeds
from evolgraph.benchmarks.mock import Slots
from evolgraph.benchmarks.replies import LEVELS, completion, evolved
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample


def said(body: bytes) -> str:
    return orjson.loads(completion(body, 1))["choices"][0]["message"]["content"]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    return write_seeds(tmp_path / "data", 2)


async def test_evolves_and_judges_every_question_of_a_request(seeds: Path):
    made = await bodies(seeds)

    evolving = [EvolveReply.model_validate_json(said(body)) for body in made[::2]]
    assert [[qa.id for qa in reply.evolved] for reply in evolving] == [["q1", "q2"], ["q1", "q2", "q3"]]
    judging = [JudgeReply.model_validate_json(said(body)) for body in made[1::2]]
    assert [[verdict.id for verdict in reply.verdicts] for reply in judging] == [["q1", "q2"], ["q1", "q2", "q3"]]
    assert all(accepted(verdict, "reasoning") for reply in judging for verdict in reply.verdicts)


@pytest.mark.parametrize("direction", ["perception", "reasoning", "interaction"])
def test_every_evolved_question_passes_the_screen_beside_parent_and_siblings(seeds: Path, direction: str):
    sample = next(row for row in read(seeds, ImageRoot(seeds.parent)) if isinstance(row, Sample) and len(row.qas) == 3)
    heads = list(sample.qas)
    for level in range(1, LEVELS + 1):
        replies = [
            EvolvedQA.model_validate({"id": head.id} | evolved(place, level)) for place, head in enumerate(heads)
        ]
        made = [normalise(reply, head) for reply, head in zip(replies, heads, strict=True)]
        for place, candidate in enumerate(made):
            siblings = [qa for other, qa in enumerate(heads) if other != place] + [one.qa for one in made[:place]]
            pair = Pair(candidate, heads[place], direction, sample.boxes, siblings)
            assert screen(pair) is None
        heads = [candidate.qa for candidate in made]


def test_requests_beyond_the_slots_wait_for_one():
    slots = Slots(2, latency_s=1.0)

    assert [slots.take(10.0) for _ in range(5)] == [1.0, 1.0, 2.0, 2.0, 3.0]
    assert slots.take(20.5) == 1.0
