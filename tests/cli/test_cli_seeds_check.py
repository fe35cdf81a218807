"""`evolgraph seeds check`: what a set holds, and what is wrong with it."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from .conftest import Run

DATA = Path(__file__).parents[1] / "data"


def test_a_sound_set_is_told_in_figures(evolgraph: Run) -> None:
    said = evolgraph("seeds", "check", DATA / "mmevol.json", "--json")
    assert said.code == 0
    told = said.json
    assert (told["rows"], told["samples"], told["quarantined"], told["problems"]) == (2, 2, 0, [])
    assert (told["images"], told["images_per_sample"]) == (2, {"1": 1, "2": 1})
    assert told["longer_sides"] == {"least": 16, "median": 20, "greatest": 20}
    assert told["skills"] == {"Calculating": 1, "Existence": 1, "OCR": 1}
    assert told["objects"] == {"red square": 1, "blue square": 1, "stripe": 1}
    assert told["not_kept"] == {"form short_answer": 1}
    assert "questions: 2" in evolgraph("seeds", "check", DATA / "mmevol.json").out


def test_captions_without_questions_are_counted(evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(DATA / "desk.png", tmp_path)
    row = {"id": "a", "image": "desk.png", "caption": "A red square stands left of a blue one."}
    (tmp_path / "captions.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row | {"id": "b", "caption": ""}))
    table = pa.Table.from_pylist([{"image": {"path": "desk.png"}, "caption": "Two squares."}])
    parquet.write_table(table, tmp_path / "captions.parquet")
    said = evolgraph("seeds", "check", "captions.jsonl", "--json")
    assert (said.json["samples"], said.json["quarantined"], said.json["captions_only"]) == (1, 1, 1)
    said = evolgraph("seeds", "check", "captions.parquet")
    assert "captions only: 1" in said.out
    assert evolgraph("seeds", "check", DATA / "mmevol.json", "--json").json["captions_only"] == 0


def test_problems_are_listed_and_tell_by_the_exit_code(evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(DATA / "desk.png", tmp_path)
    row = json.loads((DATA / "llava.json").read_text())[0]
    (tmp_path / "some.jsonl").write_text(json.dumps(row) + "\n{\n" + json.dumps(row | {"id": "x", "image": "gone.png"}))
    said = evolgraph("seeds", "check", "some.jsonl")
    assert said.code == 1
    assert said.out.splitlines()[0].startswith("some.jsonl:2: row: not valid JSON")
    assert said.out.splitlines()[1] == (
        "some.jsonl:3 (x): image: gone.png: missing image: no such file under . (put it there, or give --images DIR)"
    )
    said = evolgraph("seeds", "check", "some.jsonl", "--json")
    assert (said.code, said.json["quarantined"], len(said.json["problems"])) == (1, 2, 2)


def test_many_bad_rows_of_a_kind_are_counted_and_listed_when_asked_for(evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(DATA / "desk.png", tmp_path)
    row = json.loads((DATA / "llava.json").read_text())[0] | {"image": "desk.png"}
    rows = [row, row, *(row | {"id": f"x{number}", "image": f"gone{number}.png"} for number in range(30))]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    said = evolgraph("seeds", "check", "rows.json").out.splitlines()
    assert sum("no such file" in line for line in said) == 20
    assert "... and 10 more rows: --all lists them. All that cannot be used, by what would mend them:" in said
    assert "       30  put it there, or give --images DIR" in said
    assert "        1  leave one of them out" in said
    everything = evolgraph("seeds", "check", "rows.json", "--all").out
    assert everything.count("no such file") == 30 and "more rows" not in everything
    assert len(evolgraph("seeds", "check", "rows.json", "--json").json["problems"]) == 31


def test_rows_of_one_id_are_counted_apart_from_what_is_not_kept(evolgraph: Run, tmp_path: Path) -> None:
    shutil.copy(DATA / "desk.png", tmp_path)
    first = json.loads((DATA / "llava.json").read_text())[0] | {"image": "desk.png"}
    talk = [{"from": "human", "value": "<image>\nWhat stands on it?"}, {"from": "gpt", "value": "A lamp."}]
    text = {"id": "t", "conversations": [{"from": "human", "value": "What is 2 + 2?"}, {"from": "gpt", "value": "4"}]}
    rows = [first, first | {"conversations": talk}, text]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    said = evolgraph("seeds", "check", "rows.json")
    assert said.out.splitlines()[0].endswith(
        "image: missing image (name the image file; a row of text alone cannot be used)"
    )
    assert "repeated ids: 1\nnot kept: -\n" in said.out
    told = evolgraph("seeds", "check", "rows.json", "--json").json
    assert (told["samples"], told["repeated_ids"], told["not_kept"]) == (2, 1, {})


def test_what_cannot_be_used_at_all_is_exit_2(evolgraph: Run, tmp_path: Path) -> None:
    assert "no such file" in evolgraph("seeds", "check", "gone.json").line
    assert "no format 'x'" in evolgraph("seeds", "check", DATA / "llava.json", "--format", "x").line
    (tmp_path / "bad.jsonl").write_text("{}\n[]\n")
    said = evolgraph("seeds", "check", "bad.jsonl")
    assert said.code == 2
    assert "none of 2 rows can be used (correct what is listed)" in said.err
    assert len(said.out.splitlines()) == 2
