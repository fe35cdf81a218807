"""The page of `policy plot` in a browser: every figure is there, drawn, labelled, and nothing is fetched."""

from pathlib import Path

import pytest

from ..cli.conftest import script_in

pytestmark = pytest.mark.browser
FIGURES = (
    "Verdicts",
    "Mean summed reward by estimator, 95% intervals",
    "Weights of the samples",
    "Shares of directions by round",
    "Shares of directions by kind of image",
    "Reward so far, in the order of the seeds",
    "Reward against cost",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    evolgraph = script_in(folder)
    assert evolgraph("seeds", "draw", "60", "-o", "drawn").code == 0
    words = ("evolve", "drawn/seeds.json", "--store", "run.db", "--out", "out.jsonl", "--rounds", "1")
    assert evolgraph(*words).code == 0
    policies = ("--policy", "uniform", "--policy", "fixed:perception=2,reasoning=1,interaction=1", "--policy", "cycle")
    said = evolgraph("policy", "plot", "run.db", *policies, "-o", "policies.html")
    assert said.code == 0, said.err
    return folder / "policies.html"


def test_every_figure_is_drawn(page, file: Path) -> None:
    page.goto(file.as_uri())
    assert [heading.inner_text() for heading in page.locator("h2").all()] == [*FIGURES]
    boxes = [figure.bounding_box() for figure in page.locator("svg").all()]
    assert len(boxes) == len(FIGURES) - 1
    assert all(box["width"] > 300 and box["height"] > 100 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("svg path").count() > 100
    rows = page.locator("tr").all_inner_texts()
    assert any(row.startswith("cycle\trefused") for row in rows)
    assert page.asked == [file.as_uri()]
    assert page.said == []
