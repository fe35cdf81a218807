"""Mutated files: neither a traceback nor a hang."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.faults
def test_mutated_seed_files_and_images_end_in_one_line_each() -> None:
    command = [sys.executable, "-m", "benchmarks", "fuzz", "--seconds", "30", "--seed", "7", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(done.stdout)
    assert (found["tracebacks"], found["died"], found["hung"], done.returncode) == ([], [], [], 0)
    assert set(found["by_kind"]) == {"text", "table", "image"}
    assert found["sound"] < found["inputs"]
