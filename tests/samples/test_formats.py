"""Seed files are read row by row; what is wrong is told in one line, and a bad row does not stop the rest."""

import json
import re
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from evolgraph.samples.formats.reader import FormatError, Rejected, read, read_ahead
from evolgraph.samples.formats.streaming import Row, rows
from evolgraph.samples.sample import Sample
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

SEEDS = Path(__file__).parents[2] / "examples" / "seeds"


def mmevol(name="a", **changes):
    qa = {
        "objects": ["cup"],
        "skills": ["OCR Ability"],
        "format": "Norm",
        "question": "What?",
        "steps": [],
        "answer": "A.",
    }
    row = {"id": name, "image": "a.png", "caption": [], "det": [], "topic_name": ["x"], "conversations_v0": [qa]}
    return row | changes


def llava(name="a", turns=("<image>\nWhat?", "A cup."), **changes):
    talk = [{"from": ("human", "gpt")[k % 2], "value": turn} for k, turn in enumerate(turns)]
    return {"id": name, "image": "a.png", "conversations": talk} | changes


@pytest.fixture
def folder(tmp_path):
    Pillow.new("RGB", (8, 6), "red").save(tmp_path / "a.png")
    Pillow.new("RGB", (6, 8), "blue").save(tmp_path / "b.png")
    return tmp_path


def seeds(folder, *found, name="seeds.json"):
    path = folder / name
    lines = [row if isinstance(row, str) else json.dumps(row) for row in found]
    path.write_text("\n".join(lines) if name.endswith("l") else "[" + ",\n".join(lines) + "]")
    return list(read(path))


def samples(items) -> list[Sample]:
    found = [item for item in items if isinstance(item, Sample)]
    assert found == items
    return found


def ids(items):
    return [item.id if isinstance(item, Sample) else None for item in items]


def rejection(items, place=0):
    item = items[place]
    assert isinstance(item, Rejected)
    assert "\n" not in item.reason
    return f"{item.where}: {item.reason}"


def failure(path):
    with pytest.raises(FormatError) as caught:
        list(read(path))
    assert caught.value.kind == "format"
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_example_seeds_are_read():
    found = samples(list(read(SEEDS / "seeds.json")))
    assert len(found) == 10
    assert sum(len(sample.qas) for sample in found) == 29
    astronaut = found[0]
    assert (astronaut.id, astronaut.images[0].width, len(astronaut.boxes)) == ("astronaut", 512, 5)
    assert astronaut.caption.startswith("A smiling person")
    assert [qa.id for qa in astronaut.qas] == ["q1", "q2", "q3"]
    assert astronaut.qas[1].skills == ("Referencing",)
    assert astronaut.qas[1].form == "open"


def test_the_same_questions_are_read_from_the_llava_layout():
    ours = samples(list(read(SEEDS / "seeds.json")))
    theirs = samples(list(read(SEEDS / "llava.json", SEEDS)))
    for one, other in zip(ours, theirs, strict=True):
        assert [(qa.question, qa.answer) for qa in one.qas] == [(qa.question, qa.answer) for qa in other.qas]
        assert (one.id, one.images) == (other.id, other.images)
        assert (other.boxes, other.caption, other.qas[0].skills) == ((), "", ())


@pytest.mark.parametrize(
    "row",
    [
        mmevol(conversations_v0=[], caption="A cup."),
        mmevol(conversations_v0=[], caption=[{"from": "human", "value": "Say."}, {"from": "gpt", "value": "A cup."}]),
        llava(turns=(), caption="A cup."),
        llava(conversations=[{"from": "gpt", "value": "A cup."}]),
        {"id": "a", "images": ["a.png"], "conversations": [{"from": "assistant", "value": "A cup."}]},
        {"id": "a", "images": ["a.png"], "messages": [], "caption": "A cup."},
        {"id": "a", "image": "a.png", "messages": [{"role": "assistant", "content": "A cup."}]},
        {
            "id": "a",
            "image": "a.png",
            "messages": [{"role": "assistant", "content": [{"type": "text", "text": "A cup."}]}],
        },
        {"id": "a", "image": "a.png", "caption": "A cup."},
    ],
)
def test_a_row_with_a_caption_and_no_question_is_a_sample(folder, row):
    (sample,) = samples(seeds(folder, row))
    assert (sample.id, sample.caption, sample.qas) == ("a", "A cup.", ())
    assert [image.path for image in sample.images] == ["a.png"]


BRIEF = "<image>\nProvide a brief description of the given image."


@pytest.mark.parametrize(
    "row",
    [
        llava(turns=(BRIEF, "A cup.")),
        llava(turns=("Describe the image concisely\n<image>", "A cup.")),
        {"id": "a", "images": ["a.png"], "conversations": llava(turns=(BRIEF, "A cup."))["conversations"]},
        {
            "id": "a",
            "image": "a.png",
            "messages": [{"role": "user", "content": BRIEF}, {"role": "assistant", "content": "A cup."}],
        },
    ],
)
def test_what_only_asks_to_describe_the_image_is_a_caption(folder, row):
    (sample,) = samples(seeds(folder, row))
    assert (sample.caption, sample.qas) == ("A cup.", ())


def test_a_description_among_questions_is_one_of_them(folder):
    turns = (BRIEF, "A cup.", "What colour?", "Red.")
    talk = llava("c", turns=(BRIEF, "A cup."))["conversations"]
    known = {"id": "c", "images": ["a.png"], "conversations": talk, "questions": [{"id": "q7"}]}
    more, other, told = samples(
        seeds(folder, llava(turns=turns), llava("b", turns=("<image>Describe the cup.", "Red.")), known)
    )
    assert [qa.question for qa in more.qas] == [BRIEF.partition("\n")[2], "What colour?"]
    assert [(sample.caption, len(sample.qas)) for sample in (other, told)] == [("", 1), ("", 1)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (mmevol(conversations_v0=[], caption=" "), "no questions"),
        (llava(turns=(), caption=""), "no turns"),
        (llava(turns=(), caption=7), "caption: expected a list, found a number"),
        (llava(conversations=[{"from": "gpt", "value": 7}]), "turn 1: expected a text"),
        (llava(conversations=[{"from": "gpt", "value": "<image> A cup."}]), "a caption holds <image>"),
        ({"id": "a", "images": ["a.png"], "messages": []}, "more than the messages place"),
        ({"id": "a", "image": "a.png", "caption": ""}, "neither conversations_v0"),
    ],
)
def test_a_row_with_neither_caption_nor_question_is_rejected(folder, row, told):
    assert told in rejection(seeds(folder, row, mmevol("good")))


def test_labels_outside_the_vocabularies_are_counted(folder):
    step = {"manipulation": "Grounding_1(cup)->bbx_1", "description": "x"}
    other = {"manipulation": "Dream", "description": "x"}
    qa = {
        "skills": ["counting", "Clairvoyance"],
        "format": "sonnet",
        "question": "?",
        "answer": "!",
        "steps": [step, other],
    }
    (folder / "s.json").write_text(json.dumps([mmevol(conversations_v0=[qa])]))
    unknown = Counter()
    (sample,) = read(folder / "s.json", unknown=unknown)
    assert isinstance(sample, Sample)
    assert sample.qas[0].skills == ("Calculating",)
    assert sample.qas[0].form == "open"
    assert [step.manipulation for step in sample.qas[0].steps] == ["Grounding_1(cup)->bbx_1", "Dream"]
    assert unknown == {("skill", "Clairvoyance"): 1, ("form", "sonnet"): 1, ("manipulation", "Dream"): 1}


def test_json_lines_are_read_and_a_bad_line_is_told_by_number(folder):
    items = seeds(folder, mmevol("a"), "", '{"id": ', llava("c"), name="s.jsonl")
    assert ids(items) == ["a", None, "c"]
    assert "s.jsonl:3: row: not valid JSON" in rejection(items, 1)


def test_lines_of_objects_are_recognised_without_the_suffix(folder):
    path = folder / "seeds.txt"
    path.write_text("\ufeff" + json.dumps(mmevol("a")) + "\n" + json.dumps(mmevol("b")))
    assert [sample.id for sample in samples(list(read(path)))] == ["a", "b"]


async def test_reading_ahead_gives_the_same(folder):
    seeds(folder, *(mmevol(f"s{k}") for k in range(40)))
    assert [item async for item in read_ahead(folder / "seeds.json")] == list(read(folder / "seeds.json"))


def test_files_that_cannot_be_read_are_told_in_one_line(folder):
    def written(data):
        (folder / "f.json").write_bytes(data)
        return failure(folder / "f.json")

    assert "no such file" in failure(folder / "gone.json")
    assert "not a regular file" in failure(folder)
    for empty in (b"", b" \n", b"[]", b"\xef\xbb\xbf", b"[ \n ]"):
        assert "no samples" in written(empty)
    for text in ("utf-16", "utf-16-le"):
        assert "not UTF-8 at byte" in written(json.dumps([mmevol()]).encode(text))
    assert "not UTF-8 at byte 300007" in written(b'[{"a":"' + b"x" * 300_000 + b'\xff"}]')
    for top in (b"{}", json.dumps(mmevol()).encode(), b'{\n"a": [1]}'):
        assert "expected a list of samples at the top level, found an object" in written(top)
    assert "expected a list" in written(b"hello")


@pytest.mark.parametrize("keep", [1, 30, 250, 700, -2])
def test_a_cut_list_names_the_line_it_ends_at(folder, keep):
    text = json.dumps([mmevol("a"), mmevol("b"), mmevol("c")], indent=1)
    cut = text[:keep]
    (folder / "cut.json").write_text(cut)
    last = cut.rstrip().count("\n") + 1
    assert f"ends at line {last} " in failure(folder / "cut.json")


def test_a_byte_order_mark_is_accepted(folder):
    (folder / "bom.json").write_bytes(b"\xef\xbb\xbf" + json.dumps([mmevol()]).encode())
    assert len(samples(list(read(folder / "bom.json")))) == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"id": "a", "x": NaN}', "not valid JSON"),
        ('{"id": "a", "id": "b"}', "duplicate key 'id'"),
        ('{"id": "\\ud800"}', "not valid JSON"),
        ("[" * 3000 + "]" * 3000, "not valid JSON"),
        ("7", "expected an object, found a number"),
        ("nonsense", "not valid JSON"),
        ('"text"', "expected an object, found a text"),
        ({"id": "a"}, "neither conversations_v0"),
        ({key: value for key, value in mmevol().items() if key != "image"}, "missing image"),
        ({key: value for key, value in mmevol().items() if key != "id"}, "missing id"),
        (mmevol(image=None), "expected a path, found null"),
        (mmevol(image=7), "expected a path, found a number"),
        (mmevol(image=[]), "missing image"),
        (mmevol(image=[7]), "image[0]: expected a text, found a number"),
        (mmevol(image="gone.png"), "missing image: no such file"),
        (mmevol(image="../a.png"), "outside image root"),
        (mmevol(image="http://x.invalid/a.png"), "remote images disabled"),
        (mmevol(conversations_v0=[]), "no questions"),
        (mmevol(conversations_v0=[{"question": "?"}]), "conversations_v0[0].answer: missing answer"),
        (mmevol(conversations_v0=[{"question": "a\0b", "answer": "x"}]), "NUL"),
        (mmevol(conversations_v0=[{"question": "a" * 10_000_000, "answer": "x"}]), "limit of 1000000 bytes"),
        (mmevol(conversations_v0=[{"question": "a", "answer": "x", "id": "q"}] * 2), "two questions have the id"),
        (mmevol(det=[{"label": "x", "bbox": [1, 2, 300, 400]}]), "det[0].bbox: expected 4 fractions"),
        (mmevol(det=[{"label": "x", "bbox": [0.5, 0.5, 0.4, 0.6]}]), "x1 < x2"),
        (mmevol(det=[{"label": "x", "bbox": [0, 0, 1, 1], "image": "0"}]), "det[0].image"),
        (mmevol(det={"label": "x"}), "det: expected a list, found an object"),
        (llava(turns=()), "no turns"),
        (llava(turns=("<image>\nWhat?",)), "turn 1: a human turn without an answer"),
        (llava(turns=("What?", "x")), "0 <image> tokens for 1 images"),
        (llava(turns=("<image><image>What?", "x")), "2 <image> tokens for 1 images"),
        (llava(turns=("<image>\n", "x")), "turn 1: is empty"),
        (llava(turns=("<image>What?", " ")), "turn 2: is empty"),
        (llava(conversations=[{"from": "system", "value": "x"}]), "turn 1: expected 'human', found 'system'"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(folder, row, told):
    items = seeds(folder, row, mmevol("good"))
    assert told in rejection(items)
    assert rejection(items).startswith("seeds.json:1 item 1")
    assert ids(items) == [None, "good"]


def test_a_repeated_row_names_both_unless_a_hash_id_tells_them_apart(folder):
    items = seeds(folder, mmevol(), mmevol(), mmevol(hash_id="1_a.png"), mmevol(hash_id="1_a.png"))
    assert ids(items) == ["a", None, "1_a.png", None]
    assert "item 2 (a): id: duplicate id 'a': row 1 has it too and says the same" in rejection(items, 1)
    assert "row 3 has it" in rejection(items, 3)


def test_rows_of_one_id_that_ask_other_things_are_all_read(folder):
    """LLaVA's instruction file asks of an image in up to three rows of one id."""
    asked = ("What?", "Where?", "Whose?", "What?")
    told = [llava("a", turns=(f"<image>\n{question}", "A desk.")) for question in asked]
    items = seeds(folder, *told)
    first, second, third, again = map(str, ids(items))
    assert (first, again) == ("a", "None")
    assert re.fullmatch(r"a-[0-9a-f]{8}", second) and re.fullmatch(r"a-[0-9a-f]{8}", third) and second != third
    assert "row 1 has it too and says the same" in rejection(items, 3)
    assert ids(seeds(folder, told[0], told[2] | {"source": "x"})) == ["a", third]
    assert ids(seeds(folder, told[2], told[0]))[0] == "a"
    taken = seeds(folder, told[0], llava(second), told[1])
    assert "duplicate id 'a': other rows have it and" in rejection(taken, 2)


def test_ids_are_the_same_when_an_image_that_was_missing_is_there(folder):
    told = [llava("a", image="late.png"), llava("a", turns=("<image>\nWhere?", "There.")), llava("a", image="b.png")]
    before = seeds(folder, *told)
    Pillow.new("RGB", (6, 8), "green").save(folder / "late.png")
    assert ids(before) == [None, *ids(seeds(folder, *told))[1:]]
    assert ids(seeds(folder, *told))[0] == "a"


def test_a_row_without_an_id_that_no_digest_can_be_made_of_is_a_bad_row(folder):
    deep = {"more": json.loads("[" * 300 + "]" * 300)}
    unnamed = {name: value for name, value in llava(images=["a.png"]).items() if name not in ("id", "image")}
    items = seeds(folder, llava() | deep, llava(turns=("<image>\nWhere?", "There.")) | deep, unnamed | deep, llava("b"))
    assert [bool(name) for name in ids(items)] == [True, True, False, True]
    assert "row: cannot be told apart: Recursion limit reached (give it an id of its own)" in rejection(items, 2)


def test_a_mended_row_leaves_the_other_ids_as_they_were(folder):
    rest = [llava("a", turns=("<image>\nWhere?", "Here.")), llava("b")]
    before = ids(seeds(folder, llava("a", turns=("<image>\n", "A cup.")), *rest))
    after = ids(seeds(folder, llava("a"), *rest))
    assert before[0] is None and before[1:] == after[1:]
    assert (after[0], after[2]) == ("a", "b")


def test_rows_of_one_id_that_differ_in_their_boxes_are_told_apart(folder):
    det = [{"label": "cup", "bbox": [0.1, 0.1, 0.5, 0.5]}]
    items = seeds(folder, mmevol(), mmevol(det=det), mmevol(det=det))
    assert str(ids(items)[1]).startswith("a-")
    assert "duplicate id 'a': row 2 has it too and says the same" in rejection(items, 2)


def test_several_images_and_a_list_of_one_are_accepted(folder):
    one, several = samples(
        seeds(
            folder,
            mmevol("a", image=["a.png"]),
            llava("b", turns=("<image>\n<image>\nSame?", "No."), image=["a.png", "b.png"]),
        )
    )
    assert [image.path for image in one.images] == ["a.png"]
    assert [(image.width, image.height) for image in several.images] == [(8, 6), (6, 8)]
    assert several.qas[0].question == "Same?"


def test_a_long_file_is_streamed(folder):
    path = folder / "long.json"
    row = json.dumps(mmevol("ID", caption="x" * 3000))
    with path.open("w") as stream:
        stream.write("[" + ",\n".join(row.replace("ID", f"s{k}") for k in range(2000)) + "]")
    found = read(path)
    assert ids(next(found) for _ in range(3)) == ["s0", "s1", "s2"]
    assert sum(1 for _ in found) == 1997


@pytest.mark.parametrize(
    "item", ['["' + "\\n" * 400_000 + '"]', '"' + "\\n" * 400_000 + '"', "[" + '"a",' * 200_000 + "1]"]
)
def test_a_row_of_many_strings_or_escapes_takes_no_more_memory_than_its_text(tmp_path, monkeypatch, item):
    path = tmp_path / "long.json"
    path.write_text(f"[{item}]")
    monkeypatch.setattr("evolgraph.samples.formats.streaming._row", lambda where, text: Row(where, len(text)))
    tracemalloc.start()
    try:
        assert [row.value for row in rows(path)] == [len(item)]
        assert tracemalloc.get_traced_memory()[1] < 6 * len(item) + 2_000_000
    finally:
        tracemalloc.stop()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(
    found=st.lists(json_values, min_size=1, max_size=6), indent=st.none() | st.integers(0, 2), chunk=st.integers(1, 40)
)
def test_any_list_is_cut_into_its_items(tmp_path_factory, found, indent, chunk):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(found, indent=indent, ensure_ascii=False), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evolgraph.samples.formats.streaming._CHUNK", chunk)
        assert [row.value for row in rows(path)] == found
