"""The package as others get it: a wheel, installed into an empty environment outside the clone."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from .conftest import SEEDS
from .installing import built, evolgraph, installed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git knows or would take."""
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the wheel and what it needs is installed, and nothing else."""
    return installed(tmp_path_factory.mktemp("environment"), wheel)


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
    done = evolgraph(environment, "evolve", SEEDS, "--limit", "2", "--rounds", "1", "--json", cwd=tmp_path)
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
