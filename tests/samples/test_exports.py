"""Training formats: what is written can be read again and loses nothing that the format can say."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from evolgraph.samples.exports.choice import ALL, FINAL, Choice, Tally
from evolgraph.samples.exports.pictures import Pictures
from evolgraph.samples.exports.writing import write
from evolgraph.samples.formats.evolved import Evolved, RejectedQA, ScoredQA
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import QA, Box, Sample, Step
from evolgraph.samples.vocabulary import FORMS, OPEN, SKILLS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from ..conftest import SEEDS, make_qa, make_sample

LINES = ("openai", "preference")


def write_to(path: Path, form: str, rows: list[Evolved], choice: Choice | None = None, *, single=False) -> Tally:
    with path.open("wb") as stream:
        return write(stream, form, rows, choice or Choice(), Pictures("", ImageRoot(Path()), Path()), single=single)


def written(form: str, rows: list[Evolved], choice: Choice | None = None, *, single: bool = False) -> list:
    stream = io.BytesIO()
    write(stream, form, rows, choice or Choice(), Pictures("", ImageRoot(Path()), Path()), single=single)
    text = stream.getvalue().decode()
    return [json.loads(line) for line in text.splitlines()] if form in LINES else json.loads(text)


def unchanged(sample: Sample) -> Evolved:
    """A sample whose seed questions stand to the end."""
    seeds = tuple(map(ScoredQA, sample.qas))
    return Evolved(sample, (), seeds, seeds, (), "stalled")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    Pillow.new("RGB", (8, 6), "red").save(folder / "a.png")
    Pillow.new("RGB", (6, 8), "blue").save(folder / "b.png")
    return folder


WORDS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
    .filter(str.strip)
    .filter(lambda text: "<image>" not in text)
)
STEPS = st.builds(Step, manipulation=st.sampled_from([None, "OCR", "Grounding_1(cup)->bbx_1"]), description=WORDS)
CORNERS = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45), st.floats(0.5, 1), st.floats(0.5, 1))


@st.composite
def samples(draw: st.DrawFn, folder: Path, name: str) -> Sample:
    images = tuple(ImageRoot(folder).inspect(path) for path in draw(st.sampled_from([["a.png"], ["b.png", "a.png"]])))
    qas = st.builds(
        QA,
        id=WORDS,
        image_position=WORDS,
        objects=st.lists(WORDS, max_size=3).map(tuple),
        skills=st.lists(st.sampled_from(SKILLS), unique=True, max_size=3).map(tuple),
        form=st.sampled_from([OPEN, *FORMS]),
        question=WORDS,
        steps=st.lists(STEPS, max_size=3).map(tuple),
        answer=WORDS,
    )
    boxes = st.builds(
        Box,
        label=WORDS,
        bbox=CORNERS,
        confidence=st.floats(0, 1),
        image=st.integers(0, len(images) - 1),
        origin=st.sampled_from(["given", "proposed"]),
    )
    return Sample(
        id=f"{name}{draw(WORDS)}",
        images=images,
        caption=draw(st.just("") | WORDS),
        boxes=tuple(draw(st.lists(boxes, max_size=2))),
        topic=tuple(draw(st.lists(WORDS, max_size=2))),
        qas=tuple(draw(st.lists(qas, min_size=1, max_size=3, unique_by=lambda qa: qa.id))),
    )


def asked(sample: Sample) -> tuple:
    """What every format of conversations says of a sample."""
    return sample.id, sample.images, [(qa.question, qa.answer) for qa in sample.qas]


def round_trip(folder: Path, form: str, given: list[Sample]) -> None:
    """Out, in, and out again: the samples and the files are the same."""
    first, second = folder / f"{form}.first", folder / f"{form}.second"
    write_to(first, form, [unchanged(sample) for sample in given])
    found = list(read(first, folder))
    if form == "mmevol":
        assert found == given
    else:
        assert [asked(item) if isinstance(item, Sample) else item for item in found] == [asked(one) for one in given]
    if form == "parquet":
        assert [item.qas for item in found if isinstance(item, Sample)] == [one.qas for one in given]
    write_to(second, form, [unchanged(item) for item in found if isinstance(item, Sample)])
    assert second.read_bytes() == first.read_bytes()


FORMATS = ["mmevol", "llava", "sharegpt", "openai", "parquet"]


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=12)
@given(data=st.data())
def test_a_round_trip_loses_nothing(folder, form, data):
    round_trip(folder, form, [data.draw(samples(folder, name)) for name in ("s", "t")])


@pytest.mark.parametrize("form", ["mmevol", "openai"])
@pytest.mark.parametrize("images", [["a.png"], ["a.png", "b.png"]])
def test_a_text_that_says_image_stays_a_text_where_images_have_their_own_place(folder, form, images):
    qas = (
        make_qa(0, question="<image>", answer="<image> means: here."),
        make_qa(1, question="Why\n<image>\n<image>?"),
    )
    sample = make_sample("said", qas=qas)
    sample = sample.model_copy(update={"images": tuple(map(ImageRoot(folder).inspect, images)), "boxes": ()})
    round_trip(folder, form, [sample, sample.model_copy(update={"id": "again"})])


@pytest.mark.faults
@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=1500)
@given(data=st.data())
def test_many_round_trips_lose_nothing(folder, form, data):
    round_trip(folder, form, [data.draw(samples(folder, name)) for name in ("s", "t", "u")])


def test_the_example_seeds_come_out_as_they_went_in():
    rows = [unchanged(item) for item in read(SEEDS) if isinstance(item, Sample)]
    found = written("mmevol", rows, Choice(ALL))
    for row in found:
        for number, qa in enumerate(row["conversations_v0"], start=1):
            assert qa.pop("id") == f"q{number}"
    assert found == json.loads(SEEDS.read_text())
    assert written("llava", rows) == json.loads((SEEDS.parent / "llava.json").read_text())


def version(qa: str, round_: int, score: float | None, direction: str = "reasoning", parent: int = 0) -> ScoredQA:
    content = make_qa(id=qa, question=f"{qa} of round {round_}?", answer=f"{qa}, {round_}.")
    return ScoredQA(content, score, round_, direction if round_ else "", parent)


@pytest.fixture
def row() -> Evolved:
    """Question a is rewritten in rounds 1 and 3, after a rejection in 2; b only once, and is never judged before."""
    a0, b0 = version("a", 0, 2), version("b", 0, None)
    a1 = version("a", 1, 5)
    b2, a3 = version("b", 2, 3, "perception"), version("a", 3, 8, "interaction", parent=1)
    refused = (
        RejectedQA(version("a", 2, 4, "perception", parent=1), "judge", "not-correct", "It is blue."),
        RejectedQA(version("b", 1, None), "screen", "copy", "a near copy of b"),
        RejectedQA(version("b", 3, 3, "interaction", parent=2), "judge", "no-gain", "No harder."),
    )
    sample = make_sample(qas=(a0.qa, b0.qa))
    return Evolved(sample, ((a1,), (b2,), (a3,)), (a3, b2), (a0, b0), refused, "exhausted")


def questions(rows: list) -> list[str]:
    return [turn["value"].removeprefix("<image>\n") for row in rows for turn in row["conversations"][::2]]


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice(FINAL), ["a of round 3?", "b of round 2?"]),
        (Choice(0), ["a of round 0?", "b of round 0?"]),
        (Choice(1), ["a of round 1?", "b of round 0?"]),
        (Choice(2), ["a of round 1?", "b of round 2?"]),
        (Choice(3), ["a of round 3?", "b of round 2?"]),
        (Choice(ALL), ["a of round 0?", "b of round 0?", "a of round 1?", "b of round 2?", "a of round 3?"]),
        (Choice(ALL, min_score=5), ["a of round 1?", "a of round 3?"]),
        (Choice(ALL, direction="perception"), ["b of round 2?"]),
        (Choice(FINAL, direction="interaction", min_score=8), ["a of round 3?"]),
    ],
)
@pytest.mark.parametrize("single", [True, False])
def test_rounds_scores_and_directions_choose_versions(row, choice, found, single):
    rows = written("llava", [row], choice, single=single)
    assert questions(rows) == found
    assert len({one["id"] for one in rows}) == len(rows)
    if single:
        assert len(rows) == len(found)


def test_what_is_not_chosen_is_counted(row, tmp_path):
    tally = write_to(tmp_path / "x", "llava", [row, unchanged(make_sample("other"))], Choice(ALL, min_score=4))
    assert (tally.samples, tally.rows, tally.after.questions, tally.unchosen) == (1, 2, 2, 1)
    assert tally.left == {"questions of a complexity below 4": 2, "questions never judged": 3}


@pytest.mark.parametrize(
    ("choice", "versions"),
    [
        (Choice(ALL), {0: ["a0", "b0"], 1: ["a1"], 2: ["b2"], 3: ["a3"]}),
        (Choice(2), {0: ["a0", "b0"], 1: ["a1"], 2: ["b2"]}),
        (Choice(FINAL), {0: ["a3", "b2"]}),
        (Choice(ALL, min_score=5), {0: ["a0", "b0"], 1: ["a1"], 2: [], 3: ["a3"]}),
    ],
)
def test_mmevol_holds_the_versions_that_are_chosen(row, choice, versions):
    (found,) = written("mmevol", [row], choice)
    told = {name: [f"{qa['id']}{qa['answer'][-2]}" for qa in found[name]] for name in found if "_v" in name}
    assert told == {f"conversations_v{number}": names for number, names in versions.items()}


def test_a_question_that_says_image_is_left_out_where_it_would_become_one(row, tmp_path):
    said = make_sample(qas=(make_qa(0, question="What does <image> mean?"), make_qa(1)))
    tally = write_to(tmp_path / "x", "llava", [unchanged(said)])
    assert tally.left == {"questions whose text holds <image>": 1}
    assert questions(written("llava", [unchanged(said)])) == ["What colour is cup number 1?"]
    (talk,) = written("openai", [unchanged(said)])
    assert len(talk["messages"]) == 4


def test_parts_of_different_samples_never_share_an_id():
    names = ["a", "a#q1", "a%23q1", "a#q1#q1", "q1"]
    rows = [unchanged(make_sample(name, qas=(make_qa(id="q1"), make_qa(id="q1#q1")))) for name in names]
    found = [row["id"] for row in written("llava", rows, single=True)]
    assert len(set(found)) == len(found) == 10


def told(messages: list) -> Iterator[str]:
    for message in messages:
        yield from (part["text"] for part in message["content"] if part["type"] == "text")


def test_a_preference_pair_has_one_parent_and_says_why_one_was_rejected(row, tmp_path):
    late, early = written("preference", [row], Choice(ALL))[::-1]
    assert (early["id"], late["id"]) == ("table#b@r2-r1", "table#a@r3-r2")
    assert late["images"] == ["table.png"]
    assert late["prompt"][0]["content"][0] == {"type": "image"}
    (prompt,) = told(late["prompt"])
    assert "Question: a of round 1?\nAnswer: a, 1." in prompt
    assert list(told(late["chosen"])) == ["Question: a of round 3?\nAnswer: a, 3."]
    assert list(told(late["rejected"])) == ["Question: a of round 2?\nAnswer: a, 2."]
    assert (late["chosen_score"], late["rejected_score"]) == (8, 4)
    assert (late["chosen_direction"], late["rejected_direction"]) == ("interaction", "perception")
    assert (late["rejected_by"], late["rejected_code"], late["rejected_reason"]) == (
        "judge", "not-correct", "It is blue."
    )  # fmt: skip
    tally = write_to(tmp_path / "x", "preference", [row], Choice(ALL))
    assert tally.left == {"rejected questions without a chosen one of the same parent": 1}
    assert written("preference", [row], Choice(ALL, direction="interaction")) == []
