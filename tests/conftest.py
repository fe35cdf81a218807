"""Where things lie, and one small sample that the tests of several rooms work on."""

from pathlib import Path
from typing import Any

import pytest
from evolgraph.samples.sample import QA, Box, Image, Sample, Step
from hypothesis import settings

settings.register_profile("evolgraph", settings.get_profile("default"), deadline=None)
settings.load_profile("evolgraph")

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "examples" / "seeds" / "seeds.json"


def make_qa(number: int = 0, **changes: Any) -> QA:
    """A plain question about the table, and its answer."""
    colours = ["red", "blue", "green", "white", "black"]
    values = {
        "id": f"q{number}",
        "objects": ("cup",),
        "skills": ("Referencing",),
        "question": f"What colour is cup number {number}?",
        "answer": f"It is {colours[number % 5]}.",
    }
    return QA(**(values | changes))


def make_sample(name: str = "table", questions: int = 2, **changes: Any) -> Sample:
    """A photograph of a table with two cups and a plate; nobody opens its image."""
    values = {
        "id": name,
        "images": (Image(path="table.png", sha256="ab" * 32, width=640, height=480),),
        "caption": "Two cups and a plate stand on a table.",
        "topic": ("kitchen",),
        "boxes": (
            Box(label="cup", bbox=(0.1, 0.2, 0.3, 0.6)),
            Box(label="cup", bbox=(0.4, 0.2, 0.6, 0.6)),
            Box(label="plate", bbox=(0.65, 0.5, 0.95, 0.8)),
        ),
        "qas": tuple(make_qa(number) for number in range(questions)),
    }
    return Sample(**(values | changes))


@pytest.fixture
def sample() -> Sample:
    return make_sample()


def solved(number: int = 0) -> QA:
    """A question with a chain of steps, as an evolution writes it."""
    return make_qa(
        number,
        objects=("cup", "plate"),
        skills=("Grounding", "Calculating"),
        form="open",
        question=f"Counting cups and plates, how many pieces of crockery are there besides cup {number}?",
        steps=(
            Step(manipulation="Grounding_1(plate)->bbx_1", description="The plate is at [0.650, 0.500, 0.950, 0.800]."),
            Step(manipulation="Calculate_1(2 + 1)->res_1", description="2 cups and 1 plate: 2 + 1 = 3."),
        ),
        answer="There are 3 pieces.",
    )
