"""Where things lie, and one small sample that the tests of several rooms work on."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evolgraph.samples.sample import QA, Box, Image, Sample, Step
from hypothesis import HealthCheck, settings

# On top of the profile that Hypothesis chose (another one under CI): a slow machine is no failure.
settings.register_profile("evolgraph", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evolgraph")

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "examples" / "seeds" / "seeds.json"


def repository_files() -> list[Path]:
    """What git knows or would take, sorted; without git, every file outside of hidden and built folders."""
    if shutil.which("git"):
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if listed.returncode == 0:
            found = (ROOT / name for name in listed.stdout.split("\0") if name)
            return sorted(path for path in found if path.is_file() and not path.is_symlink())
    return sorted(_walk(ROOT))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in ("__pycache__", "build", "dist") or path.suffix == ".egg-info":
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix not in (".db", ".lock") and not path.is_symlink():
            yield path


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
