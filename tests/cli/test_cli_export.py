"""`evolgraph export`: every format from one real run, checked by the rules of who reads it."""

import base64
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from evolgraph.samples.formats.reader import read as read_seeds
from evolgraph.samples.sample import Sample
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image as Pillow
from pydantic import TypeAdapter

from ..conftest import SEEDS
from .conftest import Run, run_in

FORMATS = ["mmevol", "llava", "sharegpt", "openai", "parquet", "preference"]
IMAGES = ("--image-root", SEEDS.parent)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    home = tmp_path_factory.mktemp("home")
    said = run_in(home)("evolve", SEEDS, "--store", "run.db", "--seed", "1", "--endpoint", url, "--model", "builtin")
    assert said.code == 0
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    return run_in(home)


def read(path: Path) -> list:
    text = path.read_text()
    return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_has_a_manifest_and_a_card_and_is_the_same_each_time(run: Run, home: Path, form: str) -> None:
    name = f"{form}.data"
    said = run("export", "run.db", "--format", form, "-o", name, "--json")
    assert said.code == 0, said.err
    files = [home / name, home / f"{name}.manifest.json", home / f"{name}.README.md"]
    first = [path.read_bytes() for path in files]
    assert said.json == json.loads(first[1])
    assert said.json["files"] == [{"path": name, "bytes": len(first[0]), "sha256": sha256(files[0])}]
    rows = pq.read_table(files[0]).num_rows if form == "parquet" else len(read(files[0]))
    assert said.json["counts"]["rows"] == rows > 0
    head = yaml.safe_load(files[2].read_text().split("---\n")[1])
    assert head["configs"][0]["data_files"][0]["path"] == name
    assert "license" not in head
    assert run("export", "run.db", "--format", form, "-o", name).code == 0
    assert [path.read_bytes() for path in files] == first


def test_the_card_tells_the_figures_of_the_run(run: Run, home: Path) -> None:
    assert run("export", "run.db", "--format", "llava", "-o", "card.json").code == 0
    card = (home / "card.json.README.md").read_text()
    db = sqlite3.connect(home / "run.db")
    accepted, pairs = db.execute("SELECT sum(accepted), count(*) FROM verdicts WHERE round = 2").fetchone()
    assert next(line for line in card.splitlines() if line.startswith("| 2 |")).endswith(
        f" {accepted / pairs:.0%} of {pairs} |"
    )
    scores = [head["complexity"] for (heads,) in db.execute("SELECT heads FROM settled") for head in json.loads(heads)]
    line = next(line for line in card.splitlines() if line.startswith("| mean complexity"))
    assert line.endswith(f"| {sum(scores) / len(scores):.2f} |")
    assert "evolver `builtin`, judge `builtin`" in card


@pytest.mark.parametrize("turns", ["single", "multi"])
@pytest.mark.parametrize("form", ["llava", "sharegpt"])
def test_llava_rows_follow_its_data_rules(run: Run, home: Path, form: str, turns: str) -> None:
    name = f"{form}.{turns}.jsonl"
    assert run("export", "run.db", "--format", form, "--turns", turns, "--rounds", "all", "-o", name).code == 0
    rows = read(home / name)
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        talk = row["conversations"]
        assert [turn["from"] for turn in talk] == ["human", "gpt"] * (len(talk) // 2)
        assert talk[0]["value"].startswith("<image>\n")
        assert sum(turn["value"].count("<image>") for turn in talk) == 1
        assert all(turn["value"].strip() for turn in talk)
        assert turns == "multi" or len(talk) == 2
    assert sum(len(row["conversations"]) // 2 for row in rows) == len(
        sqlite3.connect(home / "run.db").execute("SELECT 1 FROM generations WHERE outcome <> 'rejected'").fetchall()
    )


def test_messages_hold_to_openais_schema_and_carry_the_images(run: Run, home: Path) -> None:
    words = ("export", "run.db", "--format", "openai", "--images", "embed", *IMAGES, "-o", "chat.jsonl")
    assert run(*words).code == 0
    schema = TypeAdapter(ChatCompletionMessageParam)
    for row in read(home / "chat.jsonl"):
        for message in row["messages"]:
            content = schema.validate_python(message, strict=True).get("content") or []
            assert isinstance(content, str) or len(list(content)) == 2  # parts are validated when they are taken
        url = row["messages"][0]["content"][0]["image_url"]["url"]
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        assert kind in ("image/jpeg", "image/png")
        assert base64.b64decode(data) in [path.read_bytes() for path in (SEEDS.parent / "images").iterdir()]


def test_datasets_loads_parquet_with_its_images(run: Run, home: Path) -> None:
    words = ("export", "run.db", "--format", "parquet", "--images", "embed", *IMAGES, "-o", "all.parquet")
    assert run(*words).code == 0
    rows = pq.read_table(home / "all.parquet").to_pylist()
    assert [row["id"] for row in rows][:3] == ["astronaut", "cat", "coffee"]
    assert rows[0]["images"][0]["bytes"] == (SEEDS.parent / "images" / "astronaut.jpg").read_bytes()
    assert {"round", "direction", "complexity", "skills", "steps"} <= set(rows[0]["questions"][0])
    datasets = pytest.importorskip("datasets", reason="NOT LOADED by datasets: add --group datasets")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(home / "all.parquet"), split="train", cache_dir=str(home / "cache")
    )
    assert loaded.num_rows == 10
    with Pillow.open(SEEDS.parent / "images" / "astronaut.jpg") as image:
        assert loaded[0]["images"][0].size == image.size
    assert loaded[0]["conversations"] == rows[0]["conversations"]


def test_preference_pairs_are_children_of_one_parent(run: Run, home: Path) -> None:
    assert run("export", "run.db", "--format", "preference", "-o", "dpo.jsonl").code == 0
    db = sqlite3.connect(home / "run.db")
    rows = read(home / "dpo.jsonl")
    assert rows
    for row in rows:
        sample, _, rest = row["id"].partition("#")
        qa, _, rounds = rest.partition("@")
        won, lost = (int(part[1:]) for part in rounds.split("-"))
        sql = "SELECT outcome, question_before, question_after FROM v_pairs WHERE sample = ? AND qa = ? AND round = ?"
        (accepted, parent, after), (rejected, same, other) = (
            db.execute(sql, (sample, qa, number)).fetchone() for number in (won, lost)
        )
        assert (accepted, rejected, parent) == ("accepted", "rejected", same)
        assert f"Question: {parent}\n" in row["prompt"][0]["content"][1]["text"]
        assert row["chosen"][0]["content"][0]["text"].startswith(f"Question: {after}\n")
        assert row["rejected"][0]["content"][0]["text"].startswith(f"Question: {other}\n")
        assert row["rejected_reason"]


def test_images_are_looked_for_where_the_run_found_them(run: Run, home: Path) -> None:
    said = run("export", "run.db", "--format", "openai", "--images", "embed", "-o", "found.jsonl", "--json")
    assert said.code == 0, said.err
    assert said.json["counts"]["rows"] == (home / "found.jsonl").read_text().count('"data:image/') == 10


@pytest.mark.parametrize("way", ["copy", "link"])
def test_images_come_along_and_the_file_is_sound_where_it_lies(run: Run, home: Path, way: str) -> None:
    (home / way).mkdir()
    shutil.copytree(SEEDS.parent / "images", home / f"{way}-root" / "images")
    words = ("--format", "mmevol", "--images", way, "--image-root", f"{way}-root", "-o", f"{way}/x.json")
    said = run("export", "run.db", *words, "--json")
    assert said.code == 0, said.err
    placed = sorted((home / way / "x.json.images").rglob("*.*"))
    assert said.json["images"]["files"] == len(placed) == 10
    sums = (home / way / "x.json.images.sha256").read_text().splitlines()
    assert sums == [f"{sha256(path)}  images/{path.name}" for path in placed]
    assert [file["path"] for file in said.json["files"]] == ["x.json", "x.json.images.sha256"]
    source = home / f"{way}-root" / "images" / placed[0].name
    assert (placed[0].stat().st_ino == source.stat().st_ino) == (way == "link")
    assert run("export", "run.db", *words).code == 0
    assert [type(item) for item in read_seeds(home / way / "x.json")] == [Sample] * 10


def test_what_did_not_end_well_is_left_out_and_said(run: Run, home: Path, url: str) -> None:
    words = ("evolve", SEEDS, "--store", "cut.db", "--rounds", "1", "--endpoint", url, "--model", "builtin")
    assert run(*words, "--budget-calls", "12", "--concurrency", "2").code == 3
    with sqlite3.connect(home / "cut.db") as db:
        (settled,) = db.execute("SELECT count(*) FROM settled").fetchone()
        (begun,) = db.execute("SELECT count(*) FROM samples").fetchone()
        db.execute("UPDATE settled SET status = 'failed' WHERE rowid = 1")
    said = run("export", "cut.db", "--format", "llava", "-o", "cut.json", "--json")
    assert said.json["counts"]["samples"] == settled - 1
    assert said.json["left_out"] == {"samples pending": begun - settled, "samples failed": 1}
    assert said.err.splitlines()[1:] == [
        f"left out: samples pending: {begun - settled}", "left out: samples failed: 1"
    ]  # fmt: skip


def test_a_file_that_no_export_wrote_is_not_replaced(run: Run, home: Path) -> None:
    mine = home / "mine.json"
    mine.write_text("[]")
    words = ("export", "run.db", "--format", "llava", "-o", "mine.json")
    assert "that no export wrote" in run(*words).line
    assert mine.read_text() == "[]"
    assert run(*words, "--overwrite").code == 0
    assert run(*words).code == 0
    mine.write_text(mine.read_text() + "\n")
    assert "or that was changed since" in run(*words).line
    assert "the store itself" in run("export", "run.db", "--format", "llava", "-o", "run.db", "--overwrite").line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "csv"], "'csv' is not one of"),
        (["--format", "llava", "--rounds", "last"], "neither final, all nor the number of a round"),
        (["--format", "llava", "--rounds", "4"], "the run has no round 4 (name one from 0 to 3)"),
        (["--format", "llava", "--direction", "depth"], "no direction 'depth' (name one of perception, "),
        (["--format", "llava", "--images", "embed"], "llava files hold no image bytes (use --images copy, or"),
        (["--format", "mmevol", "--turns", "single"], "mmevol has no turns"),
        (["--format", "llava", "--min-score", "10"], "nothing to export: samples of which nothing was chosen: 10"),
        (["--format", "llava", "--images", "copy", "--image-root", "absent"], "absent: no image root"),
        (
            ["--format", "openai", "--images", "embed", "--image-root", "."],
            "images/astronaut.jpg: missing image: no such file under .",
        ),
        (["--format", "llava", "-o", "absent/x.json"], "name a file in a folder that exists"),
    ],
)
def test_a_wrong_option_leaves_nothing_behind(run: Run, home: Path, words: list[str], told: str) -> None:
    before = sorted(home.iterdir())
    said = run("export", "run.db", "-o", "never.json", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err
    assert sorted(home.iterdir()) == before


def test_an_image_that_changed_since_the_run_is_not_exported(run: Run, home: Path) -> None:
    shutil.copytree(SEEDS.parent / "images", home / "changed" / "images")
    (home / "changed" / "images" / "astronaut.jpg").write_bytes(b"other")
    words = ("--format", "parquet", "--images", "embed", "--image-root", "changed", "-o", "never.parquet")
    assert "images/astronaut.jpg: the file changed since it was read" in run("export", "run.db", *words).line
