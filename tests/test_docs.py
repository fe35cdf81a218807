"""What the pages in docs/ show is tried: commands, script, configs, metric names, keys."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from evolgraph.cli.configuration import ENDPOINT_KEYS
from evolgraph.graph import Settings, evolve
from evolgraph.graph.looking import look_at
from evolgraph.graph.metrics import registry_of
from evolgraph.store.connections import reading
from prometheus_client import generate_latest

from .cli.conftest import clean_environment, run_in
from .conftest import ROOT, SEEDS

pytestmark = pytest.mark.slow

WATCHING, LANGCHAIN, ENDPOINTS, FORMATS, ELIMINATION, VIEWING = (
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("watching.md", "langchain.md", "endpoints.md", "formats.md", "elimination.md", "viewing.md")
)


def block(page: str, language: str) -> str:
    """The page's one code block in `language`."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SEEDS.parent, tmp_path / "examples" / "seeds")
    shutil.copytree(SEEDS.parent, tmp_path, dirs_exist_ok=True)
    shutil.copy(SEEDS, tmp_path / "my_seeds.json")
    return tmp_path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The embedded model, in the place of the pages' servers."""
    command = [sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        yield orjson.loads(child.stdout.readline())["url"]
        child.stdin.close()


def test_the_watched_command_works(folder: Path) -> None:
    words = shlex.split(block(WATCHING, "sh").removeprefix("uv run evolgraph").replace("9464", "0"))
    said = run_in(folder)(*words)
    assert said.code == 0, said.err
    assert said.err.startswith("metrics at http://127.0.0.1:")


async def test_the_metrics_of_the_page_are_those_that_are_served(tmp_path: Path) -> None:
    async with evolve(SEEDS, store=tmp_path / "run.db", settings=Settings(rounds=1, limit=3)) as run:
        async for _ in run:
            pass
        several = replace(look_at(run), workers={"number": 2, "restarts": 0, "cpu_seconds": 1.0})
        said = generate_latest(registry_of(lambda: several)).decode()
    served = set(re.findall(r"^(evolgraph_\w+)[ {]", said, re.MULTILINE))
    named = set(re.findall(r"\b(evolgraph_\w+)", WATCHING))
    unnamed = {name for name in served - named if not name.startswith("evolgraph_process_")}
    assert (named - served, unnamed) == (set(), set())


def test_the_script_works(folder: Path, url: str) -> None:
    code = block(LANGCHAIN, "python")
    (folder / "snippet.py").write_text(code.replace("gpt-4.1", "builtin"))
    environment = clean_environment(OPENAI_API_KEY="none", OPENAI_API_BASE=url)
    done = subprocess.run(
        [sys.executable, "snippet.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.count(" -> ")) == (0, 4), done.stderr


def test_the_config_works(folder: Path, url: str) -> None:
    config = re.sub(r'model = ".*"', 'model = "builtin"', block(LANGCHAIN, "toml"))
    served = re.sub(r'url = ".*"', f'url = "{url}"', config)
    (folder / "evolgraph.toml").write_text(served)
    words = ("evolve", "my_seeds.json", "--rounds", "1", "--limit", "2")
    assert "OPENAI_API_KEY" in run_in(folder)(*words, OPENAI_API_KEY="").line
    said = run_in(folder)(*words, OPENAI_API_KEY="none")
    assert said.code == 0, said.err


def test_every_key_of_an_endpoint_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", ENDPOINTS, re.MULTILINE)
    named = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(ENDPOINT_KEYS)


def test_the_evolutions_of_the_page_on_elimination_work(folder: Path) -> None:
    for line in block(ELIMINATION, "sh").splitlines():
        said = run_in(folder)(*shlex.split(line)[3:], "--limit", "2", "--rounds", "1")
        assert said.code == 0, said.err


def test_the_panel_of_the_page_on_elimination_works(folder: Path, url: str) -> None:
    served = re.sub(
        r'url = ".*"', f'url = "{url}"', re.sub(r'model = ".*"', 'model = "builtin"', block(ELIMINATION, "toml"))
    )
    (folder / "evolgraph.toml").write_text(served)
    said = run_in(folder)("evolve", "my_seeds.json", "--store", "run.db", "--rounds", "1", "--limit", "1", "--json")
    assert said.code == 0, said.err
    with reading(folder / "run.db") as db:
        judged = db.execute("SELECT step FROM calls WHERE agent = 'judge' ORDER BY step").fetchall()
    assert judged == [(0,), (2,), (4,)]


def test_the_trace_commands_of_the_page_on_viewing_work(folder: Path) -> None:
    assert run_in(folder)("evolve", "my_seeds.json", "--store", "seeds.db", "--rounds", "1", "--limit", "3").code == 0
    (commands,) = re.findall(r"^## In the terminal\n\n```sh\n(.*?)^```", VIEWING, re.MULTILINE | re.DOTALL)
    for line in commands.splitlines():
        said = run_in(folder)(*shlex.split(line)[3:])
        assert said.code == 0, (line, said.err)


def abilities(table: str) -> list[str]:
    """The first column of a table that `check` printed; rows that go on in a further line count once."""
    names = [line.split("│")[1].strip() for line in table.splitlines() if line.startswith("│")]
    return [name for name in names if name]


def test_the_checks_of_the_page_work(folder: Path, url: str) -> None:
    first, second = block(ENDPOINTS, "sh").splitlines()
    assert run_in(folder)(*shlex.split(first)[3:]).code == 0
    told = re.sub(r"--endpoint \S+ --model \S+", f"--endpoint {url} --model builtin", second)
    said = run_in(folder)(*shlex.split(told)[3:])
    assert said.code == 0
    (shown,) = re.findall(r"^```\n(http.*?)^```", ENDPOINTS, re.MULTILINE | re.DOTALL)
    assert abilities(said.out) == abilities(shown)


def test_the_two_endpoints_of_the_page_work(folder: Path, url: str) -> None:
    (config, *_) = re.findall(r"^```toml\n(.*?)^```", ENDPOINTS, re.MULTILINE | re.DOTALL)
    served = re.sub(r'url = ".*"', f'url = "{url}"', re.sub(r'model = ".*"', 'model = "builtin"', config))
    (folder / "evolgraph.toml").write_text(served)
    said = run_in(folder)("evolve", "my_seeds.json", "--rounds", "1", "--limit", "2", "--json")
    assert said.code == 0, said.err
    assert said.json["calls"] == 4


def test_the_exports_of_the_page_work(folder: Path, url: str) -> None:
    (commands,) = re.findall(r"^## Out\n\n```sh\n(.*?)^```", FORMATS, re.MULTILINE | re.DOTALL)
    for line in commands.splitlines():
        words = shlex.split(line.removeprefix("uv run evolgraph"))
        if words[0] == "evolve":
            words += ["--endpoint", url, "--model", "builtin"]
        said = run_in(folder)(*words)
        assert said.code == 0, said.err
    made = {path.name for path in folder.iterdir()}
    assert {"evolved.json", "evolved.json.manifest.json", "evolved.json.README.md", "sharegpt.json.images"} <= made
    assert {name for name in re.findall(r"`(\w+_\w+)`", FORMATS) if name.startswith(("chosen", "rejected"))} == {
        key for key in orjson.loads((folder / "pairs.jsonl").read_bytes().splitlines()[0]) if "_" in key
    }
