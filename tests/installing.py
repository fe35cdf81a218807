"""The package as others get it: a wheel, and environments that it is installed into."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from .conftest import ROOT, repository_files

UV = os.environ.get("UV") or shutil.which("uv")


def uv(*words: str | Path, cwd: Path) -> None:
    assert UV, "this test needs uv: python3 -m pip install uv"
    done = subprocess.run([UV, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def constraints() -> str:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return "\n".join(settings["tool"]["uv"]["constraint-dependencies"])


def built(folder: Path) -> Path:
    """The wheel, built in `folder` from a copy of what git knows or would take."""
    for source in repository_files():
        target = folder / "source" / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    uv("build", "--wheel", "--out-dir", folder / "dist", cwd=folder / "source")
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def installed(folder: Path, *packages: str | Path) -> Path:
    """A new environment in `folder` in which `packages` and what they need are installed, and nothing else."""
    (folder / "constraints.txt").write_text(constraints(), encoding="utf-8")
    uv("venv", "--python", sys.executable, "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--python", python, "--constraint", "constraints.txt", *packages, cwd=folder)
    return folder / "venv"


def evolgraph(environment: Path, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What the console script of `environment` says to `words`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVOLGRAPH_", "PYTHON"))}
    command = [environment / "bin" / "evolgraph", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=kept, check=False)
