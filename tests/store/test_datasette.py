"""What Datasette is told of a store agrees with what the store holds."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from evolgraph.cli.datasette import datasette
from evolgraph.store.connections import reading
from evolgraph.store.store import Store

LINK = re.compile(r'<a href="/my[ +]run/runs/r">r</a>')


@pytest.fixture
async def path(tmp_path: Path, written: list[Any]) -> Path:
    fork = {"id": "f", "created_ns": 2, "fingerprint": {"fork": {"round": 2}}, "seed": 7, "parent": "r"}
    end = {"run": "f", "sample": "b", "status": "reached", "rounds": 2, "complexity_after": 9.0, "heads": []}
    async with Store.open(tmp_path / "my run.db") as store:
        for rows in [*written, {"runs": [fork], "settled": [end | {"settled_ns": 1}]}]:
            await store.writer.insert(rows)
    return store.path


def told(path: Path) -> dict[str, Any]:
    done = CliRunner().invoke(datasette, [str(path)], catch_exceptions=False)
    return json.loads(done.output)["databases"]["my run"]


async def test_every_table_and_view_is_described_and_no_other(path: Path) -> None:
    with reading(path) as db:
        held = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")}
        described = told(path)["tables"]
        assert {name for name in held if not name.startswith("sqlite_")} == {*described}
        for name, about in described.items():
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({name})")}
            single = [about[key] for key in ("sort", "sort_desc", "label_column") if key in about]
            named = {*about.get("facets", ()), *single}
            assert named <= columns, name


async def test_the_ready_queries_find_what_they_say(path: Path) -> None:
    queries = told(path)["queries"]
    with reading(path) as db:
        found = {name: db.execute(query["sql"], {"sample": "b"}).fetchall() for name, query in queries.items()}
    assert [row[:5] for row in found["one_sample"]] == [
        ("r", 1, "perception", "q1", "rejected"),
        ("r", 2, "reasoning", "q1", "accepted"),
    ]
    assert found["rejections"] == [("r", "perception", "judge", "not-correct", 1, "why")]
    assert found["forks"] == [("f", "r", "b", 2, None, "exhausted", 5.0, "reached", 9.0)]
    assert {row[3] for row in found["routes"]} == {"perception", "reasoning"}


async def test_datasette_shows_the_tables_with_links_to_runs(path: Path) -> None:
    app = pytest.importorskip("datasette.app", reason="NOT SHOWN by Datasette: add --group datasette")
    about = json.loads(CliRunner().invoke(datasette, [str(path)], catch_exceptions=False).output)
    shown = app.Datasette([str(path)], metadata=about)
    try:
        home = (await shown.client.get("/my+run")).text
        assert "one run of evolgraph" in home
        assert "Why pairs were rejected" in home
        verdicts = await shown.client.get("/my+run/verdicts?_facet=run")
        assert verdicts.status_code == 200
        assert len(LINK.findall(verdicts.text)) >= 3
        assert LINK.search((await shown.client.get("/my+run/runs")).text)
        found = (await shown.client.get("/my+run/one_sample.json?sample=b&_shape=array")).json()
        assert [row["outcome"] for row in found] == ["rejected", "accepted"]
    finally:
        for database in shown.databases.values():
            database.close()
