"""What docs/other-tools.md shows is tried, in the order in which it stands there for a new store."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .cli.conftest import run_in
from .conftest import ROOT, SEEDS

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "other-tools.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^evolgraph .*", PAGE, re.MULTILINE)]


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    shutil.copytree(SEEDS.parent, tmp_path / "examples" / "seeds")
    evolgraph = run_in(tmp_path)
    made = sorted(COMMANDS, key=lambda words: words[0] != "evolve")
    assert [words[:2] for words in made] == [
        ["evolve", "examples/seeds/seeds.json"], ["trace", "otel"], ["trace", "otel"], ["trace", "datasette"],
        ["trace", "fork"],
    ]  # fmt: skip
    for words in made:
        if "--otlp" in words:  # sent to a receiver in tests/store/test_otel.py
            continue
        shell = words.index(">") if ">" in words else len(words)
        # The forked sample is the third of the seeds, and the round that it is forked in the second.
        said = evolgraph(*words[:shell], *(("--limit", "3", "--rounds", "2") if words[0] == "evolve" else ()))
        assert said.code == 0, said.err
    assert len((tmp_path / "spans.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_the_script_of_the_page_prints_a_state() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["round"] == 0
