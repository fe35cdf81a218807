"""The rows of the table of bad inputs that concern tables, images inside files, messages and quarantining."""

import base64
import io
import json
import os
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from evolgraph.samples.embedded import KeepError
from evolgraph.samples.formats.reader import FormatError, Rejected, read
from evolgraph.samples.images import ImageError, ImageLimits, ImageRoot
from evolgraph.samples.sample import Sample
from PIL import Image as Pillow
from pyarrow import parquet

DATA = Path(__file__).parents[1] / "data"
TALK = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cup."}]


@pytest.fixture
def folder(tmp_path):
    shutil.copy(DATA / "desk.png", tmp_path)
    return tmp_path


def table(folder, **columns):
    parquet.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def failure(path):
    with pytest.raises(FormatError) as caught:
        list(read(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal(folder, row, **limits):
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(message("desk.png")))
    root = ImageRoot(folder, ImageLimits(**limits), kept=folder / "kept")
    bad, good = read(folder / "rows.jsonl", root)
    assert isinstance(bad, Rejected)
    assert isinstance(good, Sample)
    assert "\n" not in bad.reason
    return f"{bad.where}: {bad.reason}"


def asking(content):
    return {"messages": [{"role": "user", "content": content}]}


def message(url, **changes):
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What?"}]
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A cup."}]} | changes


def data_uri(data, mime="image/png"):
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "file:///etc/passwd", "ftp://h/a.png", "//h/a.png"])
def test_b17_remote_images_in_messages(folder, url):
    told = refusal(folder, message(url))
    assert "remote images disabled" in told or "outside image root" in told


def test_b19_data_uris(folder):
    png = (folder / "desk.png").read_bytes()
    assert "bad base64" in refusal(folder, message("data:image/png;base64,@@@@"))
    assert "bad base64" in refusal(folder, message(data_uri(png)[:-1]))
    assert "not a base64 image" in refusal(folder, message("data:text/html,<b>"))
    assert "not a base64 image" in refusal(folder, message("data:text/html;base64,AAAA"))
    assert "> limit of 0.001 MB" in refusal(folder, message(data_uri(bytes(5000))), max_bytes=1000)
    assert "truncated" in refusal(folder, message(data_uri(png[:60])))
    assert "not an image" in refusal(folder, message(data_uri(b"hello, world")))
    assert "format SVG not allowed" in refusal(folder, message(data_uri(b"<svg/>", "image/svg+xml")))
    assert "the file is empty" in refusal(folder, message("data:image/png;base64,"))
    assert not (folder / "kept").exists()


def test_what_libtiff_says_of_a_damaged_file_stays_off_stderr(tmp_path, capfd):
    Pillow.radial_gradient("L").save(tmp_path / "cut.tiff", compression="tiff_lzw")
    data = bytearray((tmp_path / "cut.tiff").read_bytes())
    data[100:2000] = bytes(1900)
    (tmp_path / "cut.tiff").write_bytes(data)
    with pytest.raises(ImageError, match="truncated or damaged image"):
        ImageRoot(tmp_path).inspect("cut.tiff")
    os.write(2, b"still heard")
    assert capfd.readouterr().err == "still heard"


def test_b23_what_is_converted_is_recorded(tmp_path):
    frames = [Pillow.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    frames[0].convert("CMYK").save(tmp_path / "cmyk.jpg")
    frames[0].convert("P").save(tmp_path / "palette.png")
    Pillow.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)).save(tmp_path / "deep.png")
    Pillow.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "nothing.tiff")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    frames[0].save(tmp_path / "turned.jpg", exif=exif)
    frames[0].save(tmp_path / "plain.jpg")
    root = ImageRoot(tmp_path)
    assert {path.name: root.inspect(path.name).converted for path in sorted(tmp_path.iterdir())} == {
        "cmyk.jpg": ("CMYK",), "deep.png": ("16-bit",), "moving.gif": ("palette", "animated"),
        "moving.webp": ("animated",), "nothing.tiff": ("32-bit",), "palette.png": ("palette",), "plain.jpg": (),
        "turned.jpg": ("rotated",),
    }  # fmt: skip
    ready = Pillow.open(io.BytesIO(root.encode(root.inspect("nothing.tiff")).data))
    assert (ready.mode, ready.getextrema()) == ("L", (0, 0))
    assert "converted" not in root.inspect("plain.jpg").model_dump()


def test_b24_bad_tables(folder):
    whole = (DATA / "structs.parquet").read_bytes()
    for keep in (6, len(whole) // 2, len(whole) - 4):
        (folder / "cut.parquet").write_bytes(whole[:keep])
        assert "damaged table" in failure(folder / "cut.parquet")
    arrow = (DATA / "saved" / "data-00000-of-00001.arrow").read_bytes()
    (folder / "cut.arrow").write_bytes(arrow[:700])
    assert "damaged table" in failure(folder / "cut.arrow")
    assert "wrong columns: no questions among a, b" in failure(table(folder, a=[1], b=["x"]))
    assert "no samples" in failure(table(folder, conversations=pa.array([], pa.string())))


def test_b24_extension_types_are_refused(folder):
    kind = pa.opaque(pa.binary(), "Anything", "somebody")
    column = pa.ExtensionArray.from_storage(kind, pa.array([b"x"], pa.binary()))
    assert "column image has an extension type" in failure(table(folder, image=column, conversations=[TALK]))
    marked = pa.field("conversations", pa.string(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    parquet.write_table(pa.table([["x"]], schema=pa.schema([marked])), folder / "m.parquet")
    assert "column conversations has an extension type" in failure(folder / "m.parquet")


def test_b24_a_row_of_another_type_is_told_by_column(folder):
    rows = list(read(table(folder, id=["a", "b"], image=["desk.png", None], conversations=[TALK, TALK])))
    assert isinstance(rows[0], Sample)
    assert isinstance(rows[1], Rejected)
    assert rows[1].where == "t.parquet row 2 (b)"
    assert rows[1].reason.startswith("image: missing image")
    (row,) = read(table(folder, id=[7], image=[1.5], conversations=[TALK]))
    assert isinstance(row, Rejected)
    assert "image: expected a path, found a number" in row.reason


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "gone.arrow", 7, None])
def test_b24_a_saved_dataset_names_files_of_its_folder_only(tmp_path, name):
    (tmp_path / "secret.arrow").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    assert "names no file of its folder" in failure(tmp_path / "d")
    (tmp_path / "d" / "state.json").write_text("{")
    assert "not valid JSON" in failure(tmp_path / "d")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (message(None), "expected a path, found null"),
        (message("desk.png", messages=[]), "missing image"),
        (message("desk.png", messages=[{"role": "assistant", "content": "x"}]), "turn 1: expected 'user'"),
        (message("desk.png", images=["desk.png"]), "1 more than the messages place"),
        (asking([{"type": "image"}]), "an image that is not there"),
        (asking([{"type": "video"}]), "neither text nor image_url"),
        (asking(7), "expected a list, found a number"),
        (asking(["x"]), "part 1: expected an object, found a text"),
        ({"images": ["desk.png"], "conversations": [{"from": "user", "value": "<image>"}]}, "human turn without an"),
        ({"images": ["desk.png"], "conversations": [{"from": ["x"], "value": "<image>"}]}, "expected 'human'"),
        ({"images": [], "conversations": TALK}, "missing image"),
        ({"images": ["desk.png"], "conversations": [TALK[0], {"from": "gpt", "value": "<image>"}]}, "2 <image> tokens"),
        ({"images": ["desk.png", "desk.png"], "conversations": [TALK[0], {"from": "gpt", "value": "<image>"}]},
         "turn 2: an answer holds <image>"),
    ],
)  # fmt: skip
def test_b10_to_b13_bad_messages_are_told_by_turn(folder, row, told):
    assert told in refusal(folder, row)


def test_nothing_is_dropped_whatever_is_done_to_the_rows(folder):
    """Read = good + quarantined, for rows of which any field is missing or of another type."""
    rng = random.Random(5)
    values = [None, 7, True, "x", "", [], {}, [1], {"a": 1}, "<image>", "\0", "../x", "data:,", 1e300]
    rows = [json.loads(line) for line in (DATA / "openai.jsonl").read_text().splitlines()]
    for name in ("mmevol.json", "llava.json", "sharegpt.json"):
        rows += json.loads((DATA / name).read_text())
    shutil.copy(DATA / "wall.jpg", folder)
    lines = []
    for number in range(600):
        row = json.loads(json.dumps(rng.choice(rows)))
        row["id"] = str(number)
        place = row
        while True:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
                place = place[key]
                continue
            place[key] = rng.choice(values)
            break
        lines.append(json.dumps(row))
    (folder / "many.jsonl").write_text("\n".join(lines))
    items = list(read(folder / "many.jsonl"))
    assert len(items) == 600
    bad = [item.reason for item in items if isinstance(item, Rejected)]
    assert 100 < len(bad) < 600
    assert not [reason for reason in bad if "\n" in reason or "Traceback" in reason]


def test_b24_no_offset_in_a_table_leads_out_of_it(folder):
    whole = (DATA / "saved" / "data-00000-of-00001.arrow").read_bytes()
    told = set()
    for place in range(0, len(whole), 4):
        for value in (b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"):
            (folder / "t.arrow").write_bytes(whole[:place] + value + whole[place + 4 :])
            try:
                told.update(type(item).__name__ for item in read(folder / "t.arrow"))
            except FormatError as error:
                told.add(error.message.partition(":")[0])
    assert {"damaged table", "Sample"} <= told


def test_a_row_of_a_table_that_cannot_be_read_costs_nothing_but_itself(folder):
    offsets = struct.pack("<4i", 0, 1, 2, 3)
    ids = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(offsets), pa.py_buffer(b"a\xffc")])
    found = pa.table({"id": ids, "image": ["desk.png"] * 3, "conversations": [TALK] * 3})
    with pa.ipc.new_stream(str(folder / "t.arrow"), found.schema) as writer:
        writer.write_table(found)
    first, bad, last = read(folder / "t.arrow")
    assert isinstance(first, Sample) and isinstance(last, Sample) and (first.id, last.id) == ("a", "c")
    assert isinstance(bad, Rejected) and bad.where == "t.arrow row 2"
    assert "UTF8" in bad.reason


def test_a_pipe_in_a_folder_of_tables_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.parquet")
    assert "no dataset" in failure(folder)


def test_an_image_that_cannot_be_kept_stops_the_reading_and_not_row_after_row(folder):
    (folder / "kept").touch()
    (folder / "s.json").write_text(json.dumps([message(data_uri((folder / "desk.png").read_bytes()))]))
    with pytest.raises(KeepError, match="an image of the seeds cannot be kept"):
        list(read(folder / "s.json", ImageRoot(folder, kept=folder / "kept")))


def test_what_is_known_of_a_question_is_read_with_its_turns(folder):
    known = {"id": "q7", "form": "multi_choice", "skills": ["OCR"], "objects": ["cup"], "image_position": "single",
             "steps": [{"manipulation": None, "description": "Look."}]}  # fmt: skip
    row = {"id": "a", "images": ["desk.png"], "conversations": TALK}
    few = row | {"id": "b", "questions": [known, known]}
    (folder / "s.json").write_text(json.dumps([row | {"questions": [known]}, few]))
    sample, bad = read(folder / "s.json")
    assert isinstance(sample, Sample) and isinstance(bad, Rejected)
    assert [qa.model_dump(mode="json") for qa in sample.qas] == [known | {"question": "What?", "answer": "A cup."}]
    assert "questions: 2 for 1 pairs of turns" in bad.reason
