"""The table of bad inputs, B1 to B24, as `evolgraph seeds check` answers it: one test a row, called by its number."""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from evolgraph.samples.images import ImageRoot
from PIL import Image as Pillow
from pyarrow import parquet

from .conftest import Run

DATA = Path(__file__).parents[1] / "data"
PNG = (DATA / "desk.png").read_bytes()


def row(*turns: str, **changes: Any) -> dict[str, Any]:
    """A sound row, but for its turns, said by a person and the model in turn, and for `changes`."""
    turns = turns or ("<image>\nWhat?", "A.")
    talk = [{"from": ("human", "gpt")[k % 2], "value": turn} for k, turn in enumerate(turns)]
    return {"id": "x", "image": "desk.png", "conversations": talk} | changes


def bomb(side: int) -> bytes:
    """A sound PNG of `side` squared black pixels, a bit each."""
    packing = zlib.compressobj(1)
    line = bytes(side // 8 + 1)
    pixels = b"".join(packing.compress(line) for _ in range(side)) + packing.flush()
    head = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    parts = [len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4) for name, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in row().items() if key != name}


GOOD = row(id="good")
TEXT = json.dumps([GOOD, row()], indent=1)

FILES: dict[str, list[tuple[str, bytes | None, str]]] = {
    "B1": [
        ("gone.json", None, "no such file"),
        ("s.json", b"", "no samples"),
        ("s.json", b" [ ]\n", "no samples"),
        ("s.jsonl", b"\n\n", "no samples"),
    ],
    "B2": [
        ("s.json", TEXT.encode("utf-16"), "not UTF-8 at byte 0"),
        ("s.json", TEXT.encode("utf-16-le"), "not UTF-8 at byte 1"),
        ("s.json", TEXT.encode()[:70] + b"\xff" + TEXT.encode()[70:], "not UTF-8 at byte 70"),
        ("s.jsonl", b'{"id": "\xe4"}', "not UTF-8 at byte 8"),
    ],
    "B4": [
        ("s.json", TEXT[:-2].encode(), f"ends at line {TEXT.count(chr(10))} "),
        ("s.json", TEXT[:70].encode(), f"ends at line {TEXT[:70].count(chr(10)) + 1} "),
    ],
    "B6": [
        ("s.json", json.dumps(GOOD).encode(), "expected a list"),
        ("s.json", b'{\n"data": []}', "expected a list"),
    ],
    "B24": [
        ("s.parquet", (DATA / "structs.parquet").read_bytes()[:-9], "damaged table"),
        ("s.arrow", b"\xff\xff\xff\xff" + bytes(90), "damaged table"),
    ],
}
"""What makes a file unreadable: its name, its bytes, and what is told."""

ROWS: dict[str, Sequence[tuple[dict[str, Any] | str, str]]] = {
    "B5": [('{"id": "x", ', "not valid JSON"), ("nonsense", "not valid JSON"), ("7", "expected an object")],
    "B7": [(json.dumps(row(score=float(value))), "not valid JSON") for value in ("nan", "inf", "-inf")],
    "B8": [
        (row(id="good"), "duplicate id 'good': row 1 has it too"),
        ('{"id": "x", "image": "desk.png", "id": "y"}', "duplicate key 'id'"),
    ],
    "B9": [
        (row("<image>a\0b", "A."), "turn 1: holds a NUL character"),
        (row("<image>What?", "A" * 10_000_000), "turn 2: 10000000 bytes > limit of 1000000 bytes"),
        (row(id="a\0b"), "id: holds a NUL character"),
    ],
    "B10": [(without("image"), "image: missing image"), (row(image=""), "missing image"), (row(image=[]), "missing")],
    "B11": [
        (row(image=None), "image: expected a path, found null"),
        (row(image=7), "image: expected a path, found a number"),
        (row(image=True), "image: expected a path, found a boolean"),
        (row(image=[7]), "image[0]: expected a text, found a number"),
        (row(image=[["desk.png"]]), "image[0]: expected a text, found a list"),
        (row(image={"a": 1}), "image: expected a path, found an object"),
    ],
    "B12": [
        (row("What?", "A."), "0 <image> tokens for 1 images"),
        (row("<image><image>What?", "A."), "2 <image> tokens for 1 images"),
        (row("<image>What?", "A.", image=["desk.png"] * 2), "1 <image> tokens for 2 images"),
        (row("What?", "<image> A."), "turn 2: an answer holds <image>"),
    ],
    "B13": [
        (row("<image>What?", ""), "turn 2: is empty"),
        (row("<image>\n", "A."), "turn 1: is empty"),
        (row("<image>What?"), "turn 1: a human turn without an answer"),
        (row(conversations=[]), "no turns"),
        (row(conversations=[{"from": "oracle", "value": "<image>What?"}]), "turn 1: expected 'human', found 'oracle'"),
        (row(conversations=[*row()["conversations"], {"from": "gpt", "value": "A."}]), "turn 3: expected 'human'"),
        (row(conversations="What?"), "conversations: expected a list, found a text"),
    ],
    "B14": [
        (row(image=path), "outside image root")
        for path in ("../desk.png", "in/../../desk.png", "/etc/hostname", "/dev/zero", "a\0.png")
    ],
    "B15": [(row(image=path), "link refused") for path in ("out.png", "loop.png", "same.png", "away/desk.png")],
    "B16": [(row(image=path), "not a regular file") for path in ("pipe.png", "folder", ".")],
    "B17": [
        (row(image=path), "remote images disabled")
        for path in ("http://127.0.0.1/a.png", "file:///etc/passwd", "ftp://h/a.png", "HTTPS://h/a.png", "s3://h/a.png")
    ],
    "B19": [
        (row(image="data:image/png;base64,@@@@"), "bad base64"),
        (row(image=uri(PNG)[:-1]), "bad base64"),
        (row(image=uri(bytes(21_000_000))), "21.0 MB > limit of 20 MB"),
        (row(image="data:text/html,<b>"), "not a base64 image"),
        (row(image=uri(b"hello, world")), "not an image"),
    ],
    "B21": [(row(image=f"cut{share}.jpg"), "truncated") for share in (50, 98)],
    "B22": [(row(image=f"{name}.png"), f"format {name.upper()} not allowed") for name in ("eps", "svg", "psd", "fits")],
}  # fmt: skip
"""What costs a row and nothing else: the row or its line, and what is told."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images, and of what is none."""
    folder = tmp_path / "root"
    (folder / "folder").mkdir(parents=True)
    shutil.copy(DATA / "desk.png", tmp_path)
    shutil.copy(DATA / "desk.png", folder)
    for name, to in (("out.png", tmp_path / "desk.png"), ("loop.png", "loop.png"), ("same.png", "desk.png")):
        (folder / name).symlink_to(to)
    (folder / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    Pillow.effect_noise((64, 64), 90).save(folder / "whole.jpg")
    for share in (50, 98):
        whole = (folder / "whole.jpg").read_bytes()
        (folder / f"cut{share}.jpg").write_bytes(whole[: len(whole) * share // 100])
    (folder / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (folder / "svg.png").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "psd.png").write_bytes(b"8BPS\x00\x01" + bytes(40))
    (folder / "fits.png").write_bytes(b"SIMPLE  =                    T" + bytes(80))
    return folder


@pytest.mark.parametrize("number", [pytest.param(number, id=number) for number in FILES])
def test_a_file_that_cannot_be_read(evolgraph: Run, tmp_path: Path, number: str) -> None:
    for name, data, told in FILES[number]:
        if data is not None:
            (tmp_path / name).write_bytes(data)
        line = evolgraph("seeds", "check", name).line
        assert line.startswith(f"{name}: ")
        assert told in line


@pytest.mark.parametrize("number", [pytest.param(number, id=number) for number in ROWS])
def test_a_row_that_cannot_be_used(evolgraph: Run, folder: Path, number: str) -> None:
    lines = [one if isinstance(one, str) else json.dumps(one) for one, _ in ROWS[number]]
    (folder / "s.jsonl").write_text("\n".join([json.dumps(GOOD), *lines, json.dumps(row(id="last"))]))
    said = evolgraph("seeds", "check", "root/s.jsonl", "--json")
    assert (said.code, said.err, said.json["samples"], said.json["quarantined"]) == (1, "", 2, len(lines))
    for count, (problem, (_, told)) in enumerate(zip(said.json["problems"], ROWS[number], strict=True), start=2):
        assert problem["place"].startswith(f"s.jsonl:{count}")
        assert told in problem["reason"]
        assert "\n" not in problem["reason"]
        assert problem["reason"].endswith(")"), "no remedy"


@pytest.mark.parametrize("name", [pytest.param(name, id=f"B16-{name}") for name in ("/dev/zero", "pipe.png", "folder")])
def test_seeds_that_are_no_file_are_not_waited_for(evolgraph: Run, folder: Path, name: str) -> None:
    started = time.monotonic()
    assert "not a regular file" in evolgraph("seeds", "check", folder / name).line
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("s.json", b"\xef\xbb\xbf" + TEXT.encode(), id="B3"),
        pytest.param("s.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), id="B3"),
        pytest.param("s.json", json.dumps([row(image=["desk.png"])]).encode(), id="B11"),
    ],
)
def test_what_is_odd_and_accepted(evolgraph: Run, folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    said = evolgraph("seeds", "check", folder / name, "--json")
    assert (said.code, said.json["problems"], said.json["images"]) == (0, [], 1)


def test_b18_images_of_an_allowed_host_that_is_this_machine(evolgraph: Run, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        places = [f"{host}:{server.getsockname()[1]}" for host in ("127.0.0.1", "localhost")]
        (folder / "s.jsonl").write_text("\n".join(json.dumps(row(image=f"http://{one}/a.png")) for one in places))
        allowed = [word for one in places for word in ("--allow-image-host", one)]
        said = evolgraph("seeds", "check", folder / "s.jsonl", *allowed)
        assert said.code == 2
        assert said.out.count("no public address") == 2
        with pytest.raises(BlockingIOError):
            server.accept()


def test_b20_an_image_of_many_pixels_needs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(30_000))
    for name in ("desk", "bomb"):
        shutil.copy(DATA / "desk.png", tmp_path)
        (tmp_path / f"{name}.json").write_text(json.dumps([row(image=f"{name}.png")]))
    code = """
import resource
from pathlib import Path
from evolgraph.samples.formats.reader import read
for name in ("desk.json", "bomb.json"):
    [found] = read(Path(name))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(found.reason)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    before, after, told = found.stdout.splitlines()
    assert "900 Mpx > limit of 50 Mpx" in told
    assert int(after) - int(before) < 50_000, "kB"


def test_b23_images_of_another_kind_are_converted_and_it_is_told(evolgraph: Run, tmp_path: Path) -> None:
    red = Pillow.new("RGB", (8, 4), "red")
    red.convert("CMYK").save(tmp_path / "cmyk.jpg")
    red.save(tmp_path / "moving.gif", save_all=True, append_images=[Pillow.new("RGB", (8, 4), "blue")])
    Pillow.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)).save(tmp_path / "deep.png")
    turned = Pillow.Exif()
    turned[0x0112] = 6
    red.save(tmp_path / "turned.jpg", exif=turned)
    names = ("cmyk.jpg", "moving.gif", "deep.png", "turned.jpg")
    (tmp_path / "s.json").write_text(json.dumps([row(id=name, image=name) for name in names]))
    told = evolgraph("seeds", "check", "s.json", "--json").json
    assert told["problems"] == []
    assert told["samples"] == 4
    assert told["converted"] == {"CMYK": 1, "palette": 1, "animated": 1, "16-bit": 1, "rotated": 1}
    root = ImageRoot(tmp_path)
    sent = {name: Pillow.open(io.BytesIO(root.encode(root.inspect(name)).data)) for name in names}
    assert sent["turned.jpg"].size == (4, 8)
    assert len(np.unique(np.asarray(sent["deep.png"]))) == 256
    assert {picture.mode for picture in sent.values()} == {"RGB", "L"}


def test_b24_tables_of_other_columns_and_of_types_that_run_code(evolgraph: Run, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "columns.parquet")
    assert "wrong columns: no questions among a, b" in evolgraph("seeds", "check", "columns.parquet").line
    marked = pa.field("conversations", pa.string(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    parquet.write_table(pa.table([["x"]], schema=pa.schema([marked])), tmp_path / "type.parquet")
    assert "column conversations has an extension type" in evolgraph("seeds", "check", "type.parquet").line
    shutil.copy(DATA / "desk.png", tmp_path)
    rows = [GOOD, row(image=None), GOOD | {"id": "last"}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "some.parquet")
    (problem,) = evolgraph("seeds", "check", "some.parquet", "--json").json["problems"]
    assert problem["place"] == "some.parquet row 2 (x)"
    assert problem["reason"].startswith("image: missing image")
