"""The trace commands: list, show, sql, stats."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ..viewer.conftest import fill
from .conftest import Run, run_in


@pytest.fixture
async def run(tmp_path: Path) -> Run:
    await fill(tmp_path / "run.db")
    return run_in(tmp_path)


async def test_list_filters_and_sorts(run: Run) -> None:
    for words, names in [
        (("--verdict", "rejected"), ["first"]),
        (("--reason", "not-correct"), ["first"]),
        (("--error", "timeout"), ["second"]),
        (("--agent", "judge"), ["first", "second"]),
        (("--endpoint", "http://127.0.0.1:1"), ["first", "second", "third"]),
        (("--direction", "reasoning", "--round", "2"), ["first"]),
        (("--direction", "reasoning", "--round", "1"), []),
        (("--score-from", "5", "--score-to", "6"), ["first", "second"]),
        (("--cost-from", "0.0002", "--price-in", "1", "--price-out", "1"), ["first", "second"]),
        (("--sort", "-rejected", "--limit", "1"), ["first"]),
        (("--status", "pending"), ["third"]),
    ]:
        told = run("trace", "list", "run.db", *words, "--json").json
        assert [one["sample"] for one in told["samples"]] == names, words
    lines = run("trace", "list", "run.db", "--ndjson").out.splitlines()
    assert [json.loads(line)["sample"] for line in lines] == ["first", "second", "third"]
    assert "not-correct" in run("trace", "list", "run.db").out
    assert re.fullmatch(
        r"1 of \d+ samples: see --limit and --offset\n", run("trace", "list", "run.db", "--limit", "1").err
    )
    for how in ("--json", "--ndjson"):
        cut = run("trace", "list", "run.db", "--limit", "1", how)
        assert (len(cut.out.splitlines()), cut.err) == (1, "1 of 3 samples: see --limit and --offset\n")
    told = run("trace", "list", "run.db", "--direction", "nowhere", "--reason", "not-correct").err
    assert told == "no sample is like that; no direction 'nowhere' in this run, but perception, reasoning\n"
    assert run("trace", "list", "run.db", "--text", "nowhere").err == "no sample is like that\n"
    assert "needs --price-in" in run("trace", "list", "run.db", "--cost-from", "1").line
    assert "none of position" in run("trace", "list", "run.db", "--sort", "id;drop").line


async def test_show_tells_odds_reasons_and_messages(run: Run) -> None:
    shown = run("trace", "show", "run.db", "first", "--messages").out
    for text in ("25.0%", "75.0%", "rejected by judge: not-correct", "not grounded, not correct", "reward +0.200",
                 "[image a.png, size unknown]", "You evolve.", "The reply.", "perception: +0.0 ms, 1.0 s"):  # fmt: skip
        assert text in shown, text
    assert "You evolve." not in run("trace", "show", "run.db", "first").out


async def test_sql_answers_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    query = "SELECT sample, status FROM sample_totals ORDER BY position"
    assert run("trace", "sql", "run.db", query, "--json").json == {
        "columns": ["sample", "status"],
        "rows": [["first", "exhausted"], ["second", "failed"], ["third", "pending"]],
    }
    assert "exhausted" in run("trace", "sql", "run.db", query).out
    for refused in ("DELETE FROM calls", "nonsense", "SELECT 1; SELECT 2", f"ATTACH '{tmp_path}/new.db' AS x"):
        assert "cannot be answered" in run("trace", "sql", "run.db", refused).line
    assert run("trace", "sql", "run.db", "SELECT count(*) FROM calls", "--json").json["rows"] == [[5]]
    assert not (tmp_path / "new.db").exists()


async def test_stats_sum_up(run: Run) -> None:
    told = run("trace", "stats", "run.db", "--price-in", "1", "--price-out", "2", "--json").json
    assert told["cost"] == pytest.approx((5 * 100 + 2 * 5 * 20) / 1e6)
    assert [(one["direction"], one["accepted"], one["rejected"]) for one in told["pairs"]] == [
        ("perception", 0, 1),
        ("reasoning", 1, 0),
    ]
    agents = {one["agent"]: (one["calls"], one["failed"], one["median_ms"]) for one in told["agents"]}
    assert agents == {"judge": (2, 1, 250.0), "perception": (3, 0, 250.0)}
    assert "not-correct" in run("trace", "stats", "run.db").out


async def test_hostile_text_does_not_reach_the_terminals_markup(tmp_path: Path) -> None:
    await fill(tmp_path / "run.db", "[bold red]x[/] [link=http://203.0.113.9]")
    run = run_in(tmp_path)
    name = run("trace", "list", "run.db", "--json").json["samples"][0]["sample"]
    assert "[bold red]" in run("trace", "show", "run.db", name, "--messages").out
    assert "[bold red]" in run("trace", "stats", "run.db").out


async def test_one_run_of_several_is_chosen_by_its_id(run: Run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "run.db")) as db, db:
        for table, changes in {
            "runs": {"id": "'fork'", "parent": "id"},
            "samples": {"run": "'fork'"},
            "generations": {"run": "'fork'"},
            "settled": {"run": "'fork'", "rounds": "7"},
        }.items():
            columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            chosen = {"runs": "true", "samples": "id = 'first'"}.get(table, "sample = 'first'")
            values = ", ".join(str(changes.get(name, name)) for name in columns)
            db.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {chosen}")
    assert re.search(r"^fork .*\n +of run1 *$", run("trace", "runs", "run.db").out, re.MULTILINE)
    listed = run("trace", "list", "run.db", "--run", "fork", "--json").json
    assert (listed["run"], [one["sample"] for one in listed["samples"]]) == ("fork", ["first"])
    assert len(run("trace", "list", "run.db", "--json").json["samples"]) == 3
    assert run("trace", "show", "run.db", "first", "--run", "fork", "--json").json["settled"]["rounds"] == 7
    assert "no sample is called 'second'" in run("trace", "show", "run.db", "second", "--run", "fork").line
    assert run("trace", "stats", "run.db", "--run", "fork", "--json").json["run"] == "fork"
    with closing(sqlite3.connect(tmp_path / "run.db")) as db, db:
        db.execute("UPDATE runs SET created_ns = created_ns + 1 WHERE id = 'fork'")
    told = run("report", "run.db", "--images", ".", "--json").json
    assert (told["run"], told["samples"]) == ("run1", 3), "a fork is told of only where it is named"
    assert run("compare", "run.db", "run.db", "--json").json["samples"] == 2
    assert run("judge", "sample", "run.db", "--images", ".", "-o", "sheet.html").code == 0
    assert '"run1"' in (tmp_path / "sheet.html").read_text()
    assert run("view", "run.db", "--run", "fork", "--export", "pages").err == "1 sample\n"
    for words in (["trace", "list", "run.db"], ["trace", "stats", "run.db"], ["view", "run.db", "--export", "other"]):
        assert run(*words, "--run", "frok").line == "run.db: no run is called 'frok' (see evolgraph trace runs run.db)"
