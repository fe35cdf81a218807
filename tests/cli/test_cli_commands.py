"""What the commands do, from the first run to the export."""

import io
import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from ..conftest import SEEDS
from .conftest import SCRIPT, Run, Said, clean_environment, run_in, script_in

SUMMARY = [
    "run", "samples", "reached", "exhausted", "stalled", "failed", "pending", "quarantined", "calls", "replayed",
    "accepted", "rejected", "lost", "directions", "prompt_tokens", "cached_tokens", "completion_tokens", "image_tokens",
    "maybe_billed", "complexity_before", "complexity_after", "seconds", "cpu_ms_per_call",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    return run_in(home)


@pytest.fixture(scope="module")
def first(home: Path, url: str) -> Said:
    """One run of three samples; the store, the results and everything below come of it."""
    words = ["--limit", "3", "--rounds", "2", "--seed", "1", "--endpoint", url, "--model", "builtin"]
    return script_in(home)("evolve", SEEDS, *words, "--json")


def test_evolve_prints_one_json_object_and_writes_results_and_store(first: Said, home: Path) -> None:
    assert first.code == 0
    assert list(first.json) == SUMMARY
    assert first.json["samples"] == 3
    assert sum(first.json[name] for name in ("reached", "exhausted", "stalled", "failed", "pending")) == 3
    rows = [json.loads(line) for line in (home / "seeds.evolved.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["astronaut", "cat", "coffee"]
    assert list(rows[0]) == [
        "id", "image", "status", "rounds", "complexity_before", "complexity_after", "qas", "history"
    ]  # fmt: skip
    assert list(rows[0]["history"][0])[:3] == ["round", "direction", "propensity"]
    assert (home / "seeds.db").is_file()


def test_evolve_again_makes_no_call(first: Said, run: Run, url: str, home: Path) -> None:
    before = (home / "seeds.evolved.jsonl").read_bytes()
    words = ["--limit", "3", "--rounds", "2", "--seed", "1", "--endpoint", url, "--model", "builtin"]
    again = run("evolve", SEEDS, *words)
    assert (again.code, again.out) == (0, "")
    assert "no call was made" in again.err
    assert (home / "seeds.evolved.jsonl").read_bytes() == before


def test_evolve_with_other_settings_says_what_differs(first: Said, run: Run, url: str) -> None:
    line = run("evolve", SEEDS, "--rounds", "3", "--seed", "1", "--endpoint", url, "--model", "builtin").line
    assert "rounds was 2, is 3" in line
    assert "seed" not in line.partition("settings:")[2].partition("(")[0]


def test_settings_come_from_file_environment_and_options_in_this_order(run: Run, url: str, home: Path) -> None:
    config = home / "mine.toml"
    config.write_text(f'rounds = 1\nlimit = 1\n[[endpoint]]\nurl = "{url}"\nmodel = "builtin"\n')

    def rounds(*words: str, **environment: str) -> int:
        store = f"{len(list(home.glob('*.db')))}.db"
        said = run("evolve", SEEDS, "--config", config, "--store", store, "--out", "x.jsonl", "--target", "10",
                   "--json", *words, **environment)  # fmt: skip
        return sum(said.json["directions"].values())

    assert rounds() == 1
    assert rounds(EVOLGRAPH_EVOLVE_ROUNDS="2") == 2
    assert rounds("--rounds", "3", EVOLGRAPH_EVOLVE_ROUNDS="2") == 3


def test_trace_lists_runs_and_samples(first: Said, run: Run) -> None:
    (told,) = run("trace", "runs", "seeds.db", "--json").json["runs"]
    assert (told["id"], told["samples"], told["settled"]) == (first.json["run"], 3, 3)
    samples = run("trace", "list", "seeds.db", "--json").json["samples"]
    assert [sample["sample"] for sample in samples] == ["astronaut", "cat", "coffee"]
    table = run("trace", "list", "seeds.db")
    assert table.code == 0
    assert all(sample["sample"] in table.out for sample in samples)


def test_trace_shows_what_happened_to_a_sample_and_why(first: Said, run: Run) -> None:
    told = run("trace", "show", "seeds.db", "coffee", "--json").json
    assert told["id"] == "coffee"
    assert {"lineage", "spans", "calls", "settled"} <= set(told)
    shown = run("trace", "show", "seeds.db", "coffee")
    assert shown.code == 0
    for verdict in told["lineage"]["verdicts"]:
        assert ("accepted" if verdict["accepted"] else verdict["code"]) in shown.out
    assert run("trace", "show", "seeds.db", "tea").line.endswith("no sample is called 'tea' (see evolgraph trace list)")


@pytest.mark.parametrize("layout", ["mmevol", "llava"])
def test_an_export_can_be_evolved_again(first: Said, run: Run, home: Path, url: str, layout: str) -> None:
    said = run("export", "seeds.db", "--format", layout, "-o", f"{layout}.json")
    assert (said.code, said.out) == (0, "")
    rows = json.loads((home / f"{layout}.json").read_text())
    assert [row["id"] for row in rows] == ["astronaut", "cat", "coffee"]
    again = run("evolve", f"{layout}.json", "--images", SEEDS.parent, "--rounds", "1", "--limit", "1",
                "--endpoint", url, "--model", "builtin", "--json")  # fmt: skip
    assert again.code == 0
    assert (again.json["samples"], again.json["quarantined"]) == (1, 0)


def test_graph_draws_the_state_machine(run: Run, home: Path) -> None:
    said = run("graph")
    assert said.code == 0
    assert all(name in said.out for name in ("route", "perception", "reasoning", "interaction", "judge"))
    assert run("graph", "--format", "png", "-o", "graph.png").code == 0
    with Image.open(io.BytesIO((home / "graph.png").read_bytes())) as picture:
        assert picture.format == "PNG"


def test_serve_names_its_model(url: str) -> None:
    with urllib.request.urlopen(f"{url}/models") as reply:
        assert [model["id"] for model in json.load(reply)["data"]] == ["builtin"]


def test_drawn_seeds_can_be_evolved(run: Run, home: Path, url: str) -> None:
    told = run("seeds", "draw", "3", "--seed", "7", "-o", "drawn", "--json").json
    assert (told["samples"], told["seeds"]) == (3, "drawn/seeds.json")
    said = run("evolve", told["seeds"], "--rounds", "1", "--endpoint", url, "--model", "builtin", "--store", "drawn.db",
               "--out", "drawn.jsonl", "--json")  # fmt: skip
    assert (said.code, said.json["samples"], said.json["quarantined"]) == (0, 3, 0)


def test_help_and_version_are_told_on_standard_output(run: Run) -> None:
    help_text = run("--help")
    assert (help_text.code, help_text.err) == (0, "")
    assert all(name in help_text.out for name in ("evolve", "export", "graph", "seeds", "serve", "trace"))
    assert run("--version").out.startswith("evolgraph, version ")


@pytest.mark.slow
def test_an_interrupted_run_says_so_and_goes_on_later(home: Path) -> None:
    words = ["evolve", SEEDS, "--store", "stopped.db", "--out", "stopped.jsonl", "--rounds", "2", "--json"]
    command = [str(SCRIPT), *map(str, words)]
    with subprocess.Popen(
        command, cwd=home, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr
        child.stderr.readline()  # what answers is said once the run is set up
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert json.loads(out)["samples"] <= 10
    assert err.splitlines()[-1] == "interrupted: start the same command again to go on"
    assert "Traceback" not in err
    assert run_in(home)(*words).json["pending"] == 0


def test_a_budget_stops_the_run_and_a_second_start_finishes_it(home: Path, url: str) -> None:
    words = ["evolve", SEEDS, "--store", "b.db", "--out", "b.jsonl", "--endpoint", url, "--model", "builtin", "--json"]
    said = run_in(home)(*words, "--rounds", "2", "--budget-calls", "15")
    assert said.code == 3
    assert said.json["calls"] == 15
    assert said.err.splitlines()[-1] == "budget of 15 calls is spent: start the same command again to go on"
    whole = run_in(home)(*words, "--rounds", "2")
    assert (whole.code, whole.json["pending"], whole.json["calls"]) == (0, 0, 25)


@pytest.mark.slow
def test_a_second_interrupt_stops_at_once(home: Path) -> None:
    words = ["evolve", SEEDS, "--store", "slow.db", "--out", "slow.jsonl"]
    serving = subprocess.Popen(
        [SCRIPT, "serve", "--port", "0", "--latency-ms", "8000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert serving.stdout
    url = json.loads(serving.stdout.readline())["url"]
    command = [str(SCRIPT), *map(str, words), "--endpoint", url, "--model", "builtin"]
    started = time.monotonic()
    with subprocess.Popen(command, cwd=home, env=clean_environment(), stderr=subprocess.PIPE, text=True) as child:
        while not (home / "slow.db-wal").exists() or not json.load(urlopen(url.replace("/v1", "/stats")))["in_flight"]:
            assert time.monotonic() - started < 60
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        assert child.stderr
        assert re.match(r"Stopping: \d+ calls? in flight may take 8 s to finish\.", child.stderr.readline())
        child.send_signal(signal.SIGINT)
        err = child.communicate(timeout=5)[1]
    serving.terminate()
    serving.communicate(timeout=20)
    assert child.returncode == 130
    assert err.endswith("Stopped at once: start the same command again to go on\n\nevolgraph: interrupted\n")


@pytest.mark.slow
def test_an_interrupt_before_the_first_call_waits_for_none(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        words = ["evolve", SEEDS, "--store", "early.db", "--out", "early.jsonl", "--endpoint", url, "--model", "m"]
        command = [str(SCRIPT), *map(str, words)]
        with subprocess.Popen(command, cwd=home, env=clean_environment(), stderr=subprocess.PIPE, text=True) as child:
            asked, _ = silent.accept()  # the server is asked what it is, and says nothing
            child.send_signal(signal.SIGINT)
            err = child.communicate(timeout=5)[1]
            asked.close()
    assert child.returncode == 130
    assert err.endswith("Stopped at once: start the same command again to go on\n\nevolgraph: interrupted\n")
    assert "in flight" not in err


def test_samples_beyond_the_limit_are_told_from_what_was_stopped(home: Path, url: str) -> None:
    words = ["evolve", SEEDS, "--store", "l.db", "--out", "l.jsonl", "--endpoint", url, "--model", "builtin"]
    assert run_in(home)(*words, "--rounds", "1", "--budget-calls", "1", "--limit", "4").code == 3
    said = run_in(home)(*words, "--rounds", "1", "--limit", "1")
    assert said.code == 0
    told = "3 pending samples of an earlier start: beyond --limit 1: start without it to go on with them"
    assert said.err.splitlines()[-1] == told


def test_an_estimate_extrapolates_from_a_few_samples(home: Path, url: str) -> None:
    config = f'[[endpoint]]\nurl = "{url}"\nmodel = "builtin"\nprice_in = 1.0\nprice_out = 2.0\n'
    (home / "priced.toml").write_text(config)
    words = ["evolve", SEEDS, "--store", "e.db", "--out", "e.jsonl", "--config", "priced.toml", "--rounds", "1"]
    said = run_in(home)(*words, "--estimate", "2", "--json").json
    told = said["estimate"]
    assert (said["samples"], said["calls"], told["samples"], told["calls"]) == (2, 4, 10, 20)
    assert told["cost"] == pytest.approx(5e-6 * (said["prompt_tokens"] + 2 * said["completion_tokens"]), abs=0.01)
    assert run_in(home)(*words, "--json").json["calls"] == 16


def test_a_stop_before_the_first_sample_is_a_stop_and_no_fault_of_the_seeds(evolgraph: Run, url: str) -> None:
    at = ("--endpoint", url, "--model", "builtin", "--budget-seconds", "0.000001")
    for more in ((), ("--estimate", "2")):
        said = evolgraph("evolve", SEEDS, *at, *more)
        assert said.code == 3
        assert "is spent: start the same command again to go on" in said.err
        assert "no row could be used" not in said.err
