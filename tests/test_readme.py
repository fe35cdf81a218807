"""The README's commands do what it says: every one is run, in a folder with nothing but the examples."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from .cli.conftest import run_in
from .conftest import ROOT

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPT = Path(sys.executable).with_name("evolgraph")
ELSEWHERE = ("python3 -m pip install uv", "vllm serve ", "uv run pytest")
"""Commands of other programs: an installer, a server that needs a GPU, and the test run this test is part of."""


def commands() -> list[str]:
    """The lines of the README's shell blocks, and the commands inside its sentences."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    inline = re.findall(r"`(uv run evolgraph [^`]+)`", README)
    return [line for line in (*blocks.splitlines(), *inline) if line and not line.startswith(ELSEWHERE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the examples, also under the names that the README gives to a user's own files."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "examples" / "seeds" / "seeds.json", folder / "my_seeds.json")
    shutil.copytree(ROOT / "examples" / "seeds", folder / "my_images")
    shutil.copytree(ROOT / "examples" / "seeds" / "images", folder / "images")
    return folder


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The embedded model as a server of its own, in the place of the README's vLLM."""
    process = subprocess.Popen([SCRIPT, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    yield orjson.loads(process.stdout.readline())["url"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def look(words: list[str], folder: Path) -> None:
    """Runs a `view` command until its first page is there, and ends it as Ctrl-C would."""
    command = [str(SCRIPT), *words, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as viewer:
        assert viewer.stdout and viewer.stderr
        address = viewer.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), viewer.stderr.read()
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.status == 200 and b"<title>" in page.read()
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(20) == 0, viewer.stderr.read()


def test_every_command_works(folder: Path, url: str) -> None:
    found = commands()
    assert len(found) >= 6
    for line in found:
        if "evolgraph view " in line:
            look(shlex.split(line.removeprefix("uv run evolgraph")), folder)
            continue
        served = line.replace("http://127.0.0.1:8000/v1", url).replace("Qwen/Qwen2.5-VL-72B-Instruct", "builtin")
        done = run_in(folder)(*shlex.split(served.removeprefix("uv run evolgraph")))
        assert done.code == 0, (line, done.err)
    made = {"seeds.evolved.jsonl", "seeds.db", "evolved.llava.json", "drawn"}
    assert made <= {path.name for path in folder.iterdir()}


def test_the_script_and_the_example_work(folder: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (folder / "snippet.py").write_text(code)
    said = run([sys.executable, "snippet.py"], folder)
    assert (said.returncode, said.stdout.count(" -> ")) == (0, 10), said.stderr
    said = run([sys.executable, "examples/evolve_from_a_script.py"], folder)
    assert said.returncode == 0, said.stderr
    assert "pairs accepted" in said.stdout


def test_the_config_file_is_one(folder: Path) -> None:
    (config,) = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (folder / "readme.toml").write_text(config.replace(":8000", ":9").replace(":8001", ":9"))
    words = [
        str(SCRIPT),
        "evolve",
        "my_seeds.json",
        "--images",
        "my_images",
        "--config",
        "readme.toml",
        "--store",
        "x.db",
    ]
    said = run(words, folder)
    assert said.returncode == 2
    assert "cannot be reached" in said.stderr
