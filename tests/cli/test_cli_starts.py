"""What a command imports before it does anything: whatever is installed beside evolgraph must not slow every start."""

import subprocess
from pathlib import Path

import pytest
from evolgraph.store.connections import open_for_writing

from .conftest import SCRIPT

HEAVY = {"sqlite_utils", "pandas", "langgraph", "langchain_core", "aiohttp", "ray", "pyarrow"}
CODE = """
import sys
from evolgraph.cli.main import cli
cli.main([*sys.argv[1:]], standalone_mode=False)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("words", [["runs"], ["list"]], ids=["runs", "list"])
def test_looking_at_a_store_loads_neither_pandas_nor_the_graph(tmp_path: Path, words: list[str]) -> None:
    store = tmp_path / "run.db"
    db = open_for_writing(store)
    db.execute('INSERT INTO runs VALUES (\'r\', 1, \'{"models": [], "policy": "uniform"}\', 0, NULL)')
    db.commit()
    db.close()
    command = [SCRIPT.with_name("python"), "-c", CODE, "trace", *words, store]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {*done.stdout.splitlines()[-1].split()}
    assert "sqlite3" in loaded
    assert loaded & HEAVY == set()
