"""The examples of every format in tests/data are read; what is inside a file is kept once beside the store."""

import hashlib
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from evolgraph.samples.formats.reader import FormatError, Rejected, read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample

DATA = Path(__file__).parents[1] / "data"


def found(name, images=None, **options) -> list[Sample]:
    items = list(read(DATA / name, images, **options))
    assert not [item for item in items if isinstance(item, Rejected)]
    return [item for item in items if isinstance(item, Sample)]


def asked(sample: Sample):
    return [qa.question for qa in sample.qas]


def paths(sample: Sample):
    return [image.path for image in sample.images]


def test_mmevol():
    one, two = found("mmevol.json")
    assert (one.caption, len(one.boxes), one.qas[0].skills) == (
        "A red square stands left of a blue one.", 2, ("Calculating", "Existence"),
    )  # fmt: skip
    assert [step.manipulation for step in one.qas[0].steps] == ["Grounding_1(squares)->bbx_1", None]
    assert (paths(two), two.boxes[0].image) == (["desk.png", "wall.jpg"], 1)


def test_llava_json_and_json_lines_place_their_images():
    one, two = found("llava.json")
    assert asked(one) == ["What is at the left?", "And at the right?"]
    assert (asked(two), paths(two)) == (["Which one has a stripe?"], ["desk.png", "wall.jpg"])
    lines = found("llava.jsonl")
    assert [sample.id for sample in lines] == ["1", "2", "3"]
    assert asked(lines[0]) == ["What colour is the left square?"]
    assert asked(lines[1]) == ["Compare [image 1] with [image 2]."]
    assert asked(lines[2]) == ["[image 1]\nWhat is this?", "[image 2]\nAnd this?"]


def test_sharegpt_counts_the_system_turns_that_it_does_not_keep():
    unknown = Counter()
    one, two = found("sharegpt.json", unknown=unknown)
    assert (asked(one), one.qas[0].answer, len(one.id)) == (["How many squares?"], "Two.", 16)
    assert (two.id, paths(two)) == ("wall", ["wall.jpg"])
    assert unknown == {("turn", "system"): 1}


def test_openai_messages(tmp_path):
    root = ImageRoot(DATA, kept=tmp_path / "kept")
    inside, two, listed = found("openai.jsonl", root)
    digest = hashlib.sha256((DATA / "desk.png").read_bytes()).hexdigest()
    assert paths(inside) == [f"embedded/{digest}.png"]
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [f"{digest}.png"]
    assert root.encode(inside.images[0]).data == (DATA / "desk.png").read_bytes()
    assert (asked(two), two.qas[0].answer) == (["Which has a stripe?"], "The second.")
    assert (asked(listed), paths(listed)) == (["What is at the left?", "And at the right?"], ["desk.png"])


@pytest.mark.parametrize("name", ["saved", "structs.parquet", "bytes.parquet", "paths.parquet"])
def test_tables_hold_images_as_bytes_as_structs_or_as_paths(tmp_path, name):
    root = ImageRoot(DATA, kept=tmp_path / "kept")
    left, wall = found(name, root)
    assert (left.id, asked(left), wall.qas[0].answer) == ("left", ["What is at the left?"], "A stripe.")
    for sample, file in ((left, "desk.png"), (wall, "wall.jpg")):
        assert root.encode(sample.images[0]).data == (DATA / file).read_bytes()
        assert paths(sample)[0] == file or paths(sample)[0].startswith("embedded/")
    again = found(name, root)
    assert [sample.digest() for sample in again] == [left.digest(), wall.digest()]


def test_a_folder_of_parquet_files_is_read_in_order(tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(DATA / "structs.parquet", tmp_path / "data" / "train-00000-of-00002.parquet")
    shutil.copy(DATA / "messages.parquet", tmp_path / "data" / "train-00001-of-00002.parquet")
    items = list(read(tmp_path))
    assert [len(item.images) for item in items if isinstance(item, Sample)] == [1, 1, 2]


def test_a_dataset_of_splits_asks_for_one(tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(FormatError, match=r"several splits.*/train or .*/test"):
        list(read(tmp_path))


def test_pyarrow_is_asked_for_by_the_name_of_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FormatError, match=r"evolgraph\[parquet\]"):
        list(read(DATA / "bytes.parquet"))


def test_a_named_layout_is_not_guessed(tmp_path):
    shutil.copy(DATA / "desk.png", tmp_path)
    row = json.loads((DATA / "llava.json").read_text())[0]
    (tmp_path / "both.json").write_text(json.dumps([row | {"messages": []}]))
    assert isinstance(next(read(tmp_path / "both.json")), Sample)
    rejected = next(read(tmp_path / "both.json", layout="openai"))
    assert isinstance(rejected, Rejected)
    assert "images: 1 more than the messages place" in rejected.reason
    with pytest.raises(FormatError, match=r"no format 'csv'.*mmevol, sharegpt, llava, openai"):
        next(read(tmp_path / "both.json", layout="csv"))
