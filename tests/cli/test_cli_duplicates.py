"""Samples that ask the same about one image: an export leaves the copies out, and the report counts them."""

import json
from pathlib import Path

import pytest

from ..conftest import SEEDS
from .conftest import Run, run_in

pytestmark = pytest.mark.slow
IMAGES = ("--images", SEEDS.parent)


def evolved(folder: Path, url: str, names: list[str]) -> Run:
    """A run over copies of one seed, called `names`, in this order."""
    (coins,) = [seed for seed in json.loads(SEEDS.read_text(encoding="utf-8")) if seed["id"] == "coins"]
    (folder / "seeds.json").write_text(json.dumps([coins | {"id": name} for name in names]))
    run = run_in(folder)
    said = run("evolve", "seeds.json", *IMAGES, "--rounds", 1, "--endpoint", url, "--model", "builtin")
    assert said.code == 0, said.err
    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="module")
def run(home: Path, url: str) -> Run:
    return evolved(home, url, ["c", "a", "b"])


def export(run: Run, *words: str) -> tuple[dict, list]:
    said = run("export", "seeds.db", "--format", "llava", "-o", "out.jsonl", "--overwrite", "--json", *words)
    assert said.code == 0, said.err
    return said.json, said.err.splitlines()


def test_copies_are_left_out_and_counted(run: Run, home: Path) -> None:
    everything, _ = export(run, "--rounds", "0", "--duplicates", "keep")
    assert everything["counts"]["samples"] == 3
    told, lines = export(run, "--rounds", "0")
    assert [json.loads(row)["id"] for row in (home / "out.jsonl").read_text().splitlines()] == ["a"]
    reason = "near duplicates of another sample's question about the same image"
    assert told["left_out"][reason] == everything["counts"]["questions"] * 2 / 3
    assert f"left out: {reason}: {told['left_out'][reason]} (--duplicates keep takes them)" in lines
    assert told["options"]["duplicates"] == "leave-out"
    assert reason in (home / "out.jsonl.README.md").read_text()


def test_the_same_stay_whatever_the_order_of_the_seeds(run: Run, home: Path, url: str, tmp_path: Path) -> None:
    other = evolved(tmp_path, url, ["b", "c", "a"])
    kept = []
    for each, folder in ((run, home), (other, tmp_path)):
        export(each)
        kept.append(sorted((folder / "out.jsonl").read_text().splitlines()))
    assert kept[0] == kept[1]


def test_the_report_counts_them(run: Run, home: Path) -> None:
    everything, _ = export(run, "--duplicates", "keep")
    told, _ = export(run)
    said = run("report", "seeds.db", "--json", "-o", "report.html")
    assert said.code == 0, said.err
    found = said.json["duplicates"]
    near = everything["counts"]["questions"] - told["counts"]["questions"]
    assert (found["samples"], found["questions"], found["near"]) == (3, everything["counts"]["questions"], near)
    assert near > 0
    first = found["examples"][0]
    assert first["kept_sample"] < first["sample"]
    assert "Near duplicates across samples" in (home / "report.html").read_text(encoding="utf-8")
