"""Files that are there already: what no command of ours wrote is not replaced."""

import shutil
from pathlib import Path

import pytest

from ..conftest import SEEDS
from .conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seeds of a user's own, beside other files."""
    shutil.copytree(SEEDS.parent, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    (tmp_path / "notes.txt").write_text("mine\n")
    return tmp_path


def test_results_take_the_place_of_results_alone(evolgraph: Run, folder: Path, url: str) -> None:
    served = ["--endpoint", url, "--model", "builtin", "--limit", "1", "--rounds", "1"]
    before = {name: (folder / name).read_bytes() for name in ("seeds.json", "llava.json", "notes.txt")}
    for name in before:
        assert "no run wrote it" in evolgraph("evolve", "seeds.json", "--out", name, *served).line
    assert evolgraph("evolve", "seeds.json", "--store", "run.db", *served).code == 0
    for words in (["--store", "run.db"], ["--store", "other.db"], ["--store", "run.db", "--engine", "ray"]):
        assert "store" in evolgraph("evolve", "seeds.json", "--out", "run.db", *words, *served).line
    assert "is the store of the run" in evolgraph("evolve", "seeds.json", "--out", "x", "--store", "x", *served).line
    assert evolgraph("evolve", "seeds.json", "--store", "run.db", *served).code == 0, "its own results are replaced"
    (folder / "seeds.evolved.jsonl").chmod(0o444)
    assert "read-only" in evolgraph("evolve", "seeds.json", "--store", "run.db", *served).line
    for words in (["report", "run.db", "-o"], ["judge", "sample", "run.db", "-o"]):
        assert "run.db: is a store" in evolgraph(*words, "run.db").line
    assert evolgraph("trace", "check", "run.db").code == 0
    assert before == {name: (folder / name).read_bytes() for name in before}


@pytest.mark.parametrize("option", ["--out", "--store"])
def test_a_folder_is_no_file(evolgraph: Run, folder: Path, url: str, option: str) -> None:
    for name in (".", "", "images"):
        words = [option, name, "--endpoint", url, "--model", "builtin", "--limit", "1"]
        assert evolgraph("evolve", "seeds.json", *words).line.endswith(")")


def test_drawn_seeds_take_the_place_of_drawn_ones_alone(evolgraph: Run, folder: Path) -> None:
    before = (folder / "seeds.json").read_bytes()
    assert "was not drawn" in evolgraph("seeds", "draw", "1", "-o", ".").line
    assert (folder / "seeds.json").read_bytes() == before
    for seed in "12":
        assert evolgraph("seeds", "draw", "1", "--seed", seed, "-o", "drawn").code == 0
