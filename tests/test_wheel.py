"""The package as others get it: a wheel, installed into an empty environment outside the clone."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, SEEDS, repository_files

pytestmark = pytest.mark.slow
UV = os.environ.get("UV") or shutil.which("uv")


def uv(*words: str | Path, cwd: Path) -> None:
    assert UV, "this test needs uv: python3 -m pip install uv"
    done = subprocess.run([UV, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def constraints() -> str:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return "\n".join(settings["tool"]["uv"]["constraint-dependencies"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git knows or would take."""
    folder = tmp_path_factory.mktemp("wheel")
    for source in repository_files():
        target = folder / "source" / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    uv("build", "--wheel", "--out-dir", folder / "dist", cwd=folder / "source")
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the wheel and what it needs is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    (folder / "constraints.txt").write_text(constraints(), encoding="utf-8")
    uv("venv", "--python", sys.executable, "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--python", python, "--constraint", "constraints.txt", wheel, cwd=folder)
    return folder / "venv"


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"evolgraph"}
    assert "evolgraph/errors.py" in names
    assert "evolgraph/prompts/system.md" in names
    assert {"evolgraph/viewer/templates/base.html", "evolgraph/viewer/static/app.js"} <= set(names)
    assert not [name for name in names if "/tests/" in name or "conftest" in name]


def test_an_installed_wheel_evolves_from_another_folder(environment: Path, tmp_path: Path) -> None:
    script = environment / "bin" / "evolgraph"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVOLGRAPH_", "PYTHON"))}
    done = subprocess.run(
        [script, "evolve", SEEDS, "--limit", "2", "--rounds", "1", "--json"],
        cwd=tmp_path, capture_output=True, text=True, env=kept, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["samples"], summary["failed"], summary["pending"]) == (2, 0, 0)
    assert len((tmp_path / "seeds.evolved.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_the_import_name_agents_is_left_to_others(environment: Path, tmp_path: Path) -> None:
    code = "from importlib.util import find_spec as f; print([f(name) for name in ('agents', 'graph', 'cli', 'store')])"
    done = subprocess.run(
        [environment / "bin" / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[None, None, None, None]"
