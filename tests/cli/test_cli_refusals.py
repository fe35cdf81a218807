"""Wrong use: one line that says what, where and the remedy, exit code 2, and nothing half done."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from ..conftest import SEEDS
from .conftest import Run, script_in


@pytest.fixture
def dead_url() -> str:
    """A URL where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "seeds.json: no such file"),
        ("", "seeds.json: no samples: the file is empty"),
        ("[]", "seeds.json: no samples"),
        ('[{"id": "a"', "seeds.json: the JSON is cut: it ends at line 1"),
    ],
    ids=["missing", "empty", "no rows", "cut"],
)
def test_a_seed_file_that_cannot_be_used(evolgraph: Run, tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "seeds.json").write_text(content)
    line = evolgraph("evolve", "seeds.json").line
    assert told in line
    assert line.endswith(")")  # the remedy
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.slow
def test_the_console_script_itself_refuses_in_one_line(tmp_path: Path) -> None:
    assert (
        script_in(tmp_path)("evolve", "seeds.json").line == "seeds.json: no such file (correct the path of the seeds)"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "unifrom"], "no policy is called 'unifrom' (did you mean uniform?)"),
        (["--polcy", "uniform"], "No such option '--polcy'. Did you mean '--policy'?"),
        (["--ablate", "feedbak"], "no part is called 'feedbak' (did you mean feedback?)"),
        (["--retry-failed", "rate_limited"], "no failure is called 'rate_limited' (did you mean rate-limited?)"),
        (["--workers", "3"], "--workers and --ray-address belong to Ray"),
        (["--images", "nowhere"], "'--images': Directory 'nowhere' does not exist"),
        (["--rounds", "0"], "'--rounds': 0 is not in the range"),
        (["--prompts", "nowhere"], "nowhere: no such folder of prompts"),
        (["--endpoint", "ftp://127.0.0.1/v1", "--model", "m"], "the URL is not an http or https address"),
        (["--endpoint", "http://127.0.0.1:9/v1"], "give each --endpoint its --model"),
        (["--store", SEEDS], "not an SQLite file"),
        (["--store", "no/such/run.db"], "no/such/run.db"),
        (["--config", "absent.toml"], "absent.toml: no such file"),
    ],
)
def test_an_option_that_cannot_be_used(evolgraph: Run, tmp_path: Path, words: list[str | Path], told: str) -> None:
    assert told in evolgraph("evolve", SEEDS, *words).line
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_results_file_that_cannot_be_written_is_refused_before_the_first_call(evolgraph: Run, url: str) -> None:
    words = ["--limit", "1", "--out", "no/such/out.jsonl", "--endpoint", url, "--model", "builtin"]
    assert "no/such" in evolgraph("evolve", SEEDS, *words).line


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('polcy = "uniform"', "evolgraph.toml: unknown key 'polcy' (did you mean policy?)"),
        ("rounds = ", "evolgraph.toml: cannot be read"),
        ('rounds = "many"', "'--rounds': 'many' is not a valid integer"),
        ("endpoint = 3", "evolgraph.toml: endpoint is not a list of tables (write [[endpoint]])"),
        ('[[endpoint]]\nurl = "http://127.0.0.1:9/v1"', "evolgraph.toml: an endpoint has no model"),
        ('[[endpoint]]\nurl = "x"\nmodle = "m"', "evolgraph.toml: unknown key 'modle' (did you mean model?)"),
        ("rounds = [1, 2]", "rounds"),
        ('[[endpoint]]\nurl = 3\nmodel = "m"', "evolgraph.toml"),
        ('[[endpoint]]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nmax_in_flight = "x"', "in_flight"),
        ('[[endpoint]]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nroles = "judge"', "roles"),
    ],
)
def test_a_config_file_that_cannot_be_used(evolgraph: Run, tmp_path: Path, config: str, told: str) -> None:
    (tmp_path / "evolgraph.toml").write_text(config)
    assert told in evolgraph("evolve", SEEDS).line


def test_an_endpoint_that_cannot_be_reached(evolgraph: Run, dead_url: str) -> None:
    line = evolgraph("evolve", SEEDS, "--endpoint", dead_url, "--model", "m").line
    assert line.startswith(f"{dead_url}: cannot be reached")
    assert line.endswith("(start the server or correct the URL)")


def test_a_start_that_was_refused_does_not_stand_in_the_way(evolgraph: Run, dead_url: str, url: str) -> None:
    words = ["--limit", "1", "--rounds", "1"]
    assert evolgraph("evolve", SEEDS, *words, "--endpoint", dead_url, "--model", "bultin").code == 2
    assert evolgraph("evolve", SEEDS, *words, "--endpoint", url, "--model", "builtin").code == 0


def test_a_key_that_is_not_set_is_named_by_its_variable(evolgraph: Run, dead_url: str) -> None:
    line = evolgraph("evolve", SEEDS, "--endpoint", dead_url, "--model", "m", "--key-env", "ABSENT_KEY").line
    assert "ABSENT_KEY" in line


def test_a_missing_image_costs_its_row_alone(evolgraph: Run, tmp_path: Path, url: str) -> None:
    shutil.copytree(SEEDS.parent, tmp_path / "seeds")
    (tmp_path / "seeds" / "images" / "cat.jpg").unlink()
    words = ["--limit", "2", "--rounds", "1", "--endpoint", url, "--model", "builtin"]
    said = evolgraph("evolve", "seeds/seeds.json", *words, "--json")
    assert said.code == 0
    assert (said.json["samples"], said.json["quarantined"]) == (1, 1)
    (row,) = [json.loads(line) for line in (tmp_path / "seeds.evolved.quarantine.jsonl").read_text().splitlines()]
    assert "(cat)" in row["where"]
    assert "images/cat.jpg: missing image" in row["reason"]


def test_no_image_at_all_is_wrong_use(evolgraph: Run, tmp_path: Path, url: str) -> None:
    said = evolgraph("evolve", SEEDS, "--images", tmp_path, "--endpoint", url, "--model", "builtin")
    assert said.code == 2
    assert "Traceback" not in said.err
    assert said.err.splitlines()[-1].endswith("no row could be used (see seeds.evolved.quarantine.jsonl)")
    rows = [json.loads(line) for line in (tmp_path / "seeds.evolved.quarantine.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    assert all("--images DIR" in row["reason"] for row in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["evolv"], "No such command 'evolv'."),
        (["evolve"], "Missing argument 'SEEDS'."),
        (["trace", "list", "absent.db"], "absent.db: no such store"),
        (["export", "absent.db", "--format", "llava", "-o", "out.json"], "absent.db: no such store"),
        (["graph", "--format", "jpeg"], "'jpeg' is not one of 'mermaid', 'png'"),
        (["serve", "--port", "99999"], "'--port': 99999 is not in the range"),
        (["seeds", "draw", "0", "-o", "drawn"], "0 is not in the range"),
        (["graph", "-o", "no/such.mmd"], "no/such.mmd"),
    ],
)
def test_other_commands_used_wrongly(evolgraph: Run, words: list[str], told: str) -> None:
    assert told in evolgraph(*words).line


@pytest.mark.parametrize("words", [[], ["trace"]])
def test_a_group_without_a_command_shows_its_commands(evolgraph: Run, words: list[str]) -> None:
    said = evolgraph(*words)
    assert "Commands:" in (said.out + said.err).splitlines()


def test_a_model_without_an_endpoint_is_not_the_embedded_one(evolgraph: Run) -> None:
    assert "add --endpoint URL" in evolgraph("evolve", SEEDS, "--model", "m").line


def test_what_is_no_file_is_never_replaced(evolgraph: Run, tmp_path: Path, url: str) -> None:
    (tmp_path / "pipe").mkdir()
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "real.jsonl")
    words = ["--limit", "1", "--rounds", "1", "--endpoint", url, "--model", "builtin"]
    assert "pipe: not a regular file" in evolgraph("evolve", SEEDS, *words, "--out", "pipe").line
    assert evolgraph("evolve", SEEDS, *words, "--out", "link.jsonl").code == 0
    assert link.is_symlink()
    assert (tmp_path / "real.jsonl").read_text().count("\n") == 1
