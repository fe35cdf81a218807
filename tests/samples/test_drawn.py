"""Drawn samples are true: boxes, colours, counts and numbers agree with the pixels and with each other."""

import json
import re
from collections import Counter
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from evolgraph.cli.seeds import seeds
from evolgraph.endpoints.builtin.colours import shares
from evolgraph.samples.drawing.charts import chart
from evolgraph.samples.drawing.figures import FIGURES
from evolgraph.samples.drawing.palette import TONES, tone
from evolgraph.samples.drawing.picture import Pen
from evolgraph.samples.drawing.scenes import scene
from evolgraph.samples.drawing.tables import table
from evolgraph.samples.drawing.telling import number
from evolgraph.samples.drawn import draw
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample
from PIL import Image as Pillow

SCENES = [scene(Random(f"test {k}")) for k in range(60)]
CHARTS = [chart(Random(f"test {k}")) for k in range(40)]
TABLES = [table(Random(f"test {k}")) for k in range(40)]
WORDS = {number(count): count for count in range(13)}


def facts(drawings, pattern):
    """Every fact whose question matches, with the match."""
    return [(d, f, m) for d in drawings for f in d.facts if (m := re.fullmatch(pattern, f.question))]


def inner(drawing, box, by=0.2):
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * by, (y2 - y1) * by
    return np.asarray(drawing.pixels)[round(y1 + dy) : round(y2 - dy), round(x1 + dx) : round(x2 - dx)]


def test_every_tone_has_its_colours_name():
    rng = Random(1)
    for name in TONES:
        for _ in range(40):
            assert shares(np.array([tone(rng, name)], np.uint8)) == {name: 1.0}


@pytest.mark.parametrize("name", FIGURES)
def test_the_middle_of_a_figure_shows_its_colour(name):
    figure = FIGURES[name]
    for colour in figure.colours:
        pen = Pen(80 * figure.aspect, 80, TONES[colour][0])
        figure.draw(pen, TONES[colour][0], Random(name))
        drawn = pen.finished()
        ground = Pillow.new("RGB", drawn.size, (128, 0, 255) if colour != "purple" else (255, 255, 255))
        ground.paste(drawn, (0, 0), drawn)
        pixels = np.asarray(ground)
        height, width = pixels.shape[:2]
        middle = shares(pixels[height // 5 : -height // 5, width // 5 : -width // 5])
        assert next(iter(middle)) == colour, middle


def test_the_colour_that_is_told_is_the_colour_in_the_box():
    told = facts(SCENES, r"(?:What|Which) colour (?:is|are) the (.+)\?")
    assert len(told) > 60
    clear = 0
    for drawing, fact, _ in told:
        colour = re.search(r"(?:is|are) (\w+)\.", fact.answer)
        assert colour
        for label, box in drawing.boxes:
            if label == fact.objects[0]:
                found = shares(inner(drawing, box))
                assert found.get(colour[1], 0) > 0.3
                clear += next(iter(found)) == colour[1]
    assert clear > len(told) * 0.95


def test_counts_agree_with_the_boxes():
    told = facts(SCENES, r"How many (.+?) (?:are there|can be seen)(?: in the image)?\?")
    assert len(told) > 100
    for drawing, fact, _ in told:
        count = next(WORDS[word] for word in re.findall(r"\w+", fact.answer) if word in WORDS)
        assert Counter(label for label, _ in drawing.boxes)[fact.objects[0]] == count


def test_relations_agree_with_the_boxes():
    told = facts(SCENES, r"Is the (.+) (to the left of|above) the (.+)\?")
    assert len(told) > 20
    for drawing, _, match in told:
        boxes = dict(drawing.boxes)
        axis = 0 if match[2] == "to the left of" else 1
        assert boxes[match[1]][axis + 2] <= boxes[match[3]][axis]


def test_what_is_said_to_be_absent_has_no_box():
    told = [(d, f) for d in SCENES for f in d.facts if f.answer.startswith("No, there is no ")]
    assert len(told) == len(SCENES)
    for drawing, fact in told:
        name = fact.answer.removeprefix("No, there is no ").removesuffix(" in the image.")
        assert name not in dict(drawing.boxes)


def test_things_lie_apart_and_inside():
    for drawing in SCENES:
        assert 3 <= len(drawing.boxes) <= 9
        for index, (_, (x1, y1, x2, y2)) in enumerate(drawing.boxes):
            assert x1 >= 0 and y1 >= 0 and x2 <= drawing.pixels.width and y2 <= drawing.pixels.height
            for _, (a1, b1, a2, b2) in drawing.boxes[:index]:
                assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1


def test_bars_are_as_long_as_their_values():
    lengths = 0
    for drawing in CHARTS:
        values = re.findall(r"(\w+) (\d+)(?=[,.]| and )", drawing.caption)
        bars = [
            (next(int(value) for name, value in values if name.startswith(label[:-4])), box)
            for label, box in drawing.boxes
            if label.endswith(" bar")
        ]
        if bars:
            side = 1 if "horizontal" not in drawing.caption else 0
            ratios = [(box[side + 2] - box[side]) / value for value, box in bars]
            spread = max(abs(ratio * value - ratios[0] * value) for (value, _), ratio in zip(bars, ratios, strict=True))
            assert spread < 1 + 2 * max(value for value, _ in bars) / bars[0][0]
            lengths += 1
    assert lengths > 15


def test_bars_and_slices_show_the_colour_that_is_told():
    told = facts(CHARTS, r"What colour is the (.+ (?:bar|slice))\?")
    assert len(told) > 30
    for drawing, fact, match in told:
        colour = re.search(r"is (\w+)\.$", fact.answer)
        assert colour
        found = shares(inner(drawing, dict(drawing.boxes)[match[1]], by=0.1))
        assert found.get(colour[1], 0) > 0.2


def test_captions_of_charts_and_tables_state_the_numbers_that_answers_use():
    for drawing in CHARTS:
        for _, fact, _ in facts([drawing], r"(?!How many (?:bars|points|slices)).*"):
            for value in re.findall(r"\b\d+\b", fact.answer):
                assert re.search(rf"\b{value}\b", drawing.caption)
    for drawing, fact, _ in facts(TABLES, "What is the total amount\\?"):
        (total,) = re.findall(r"\d+\.\d\d", fact.answer)
        amounts = re.findall(r" for (\d+)\.(\d\d)", drawing.caption)
        assert f"{sum(int(a) * 100 + int(b) for a, b in amounts) / 100:.2f}" == total


def test_shares_of_a_pie_sum_to_100():
    pies = [drawing for drawing in CHARTS if "pie chart" in drawing.caption]
    assert pies
    for drawing in pies:
        assert sum(map(int, re.findall(r"[a-z] (\d+)(?=[,.]| and )", drawing.caption))) == 100


def test_labels_in_charts_and_tables_are_told_apart():
    for drawing in (*CHARTS, *TABLES):
        labels = [label for label, _ in drawing.boxes]
        assert len(set(labels)) == len(labels)


def test_what_is_drawn_is_what_is_read(tmp_path):
    drawn = list(draw(12, 5, tmp_path))
    assert list(read(tmp_path / "seeds.json")) == drawn
    assert [sample.id for sample in drawn[:2]] == ["drawn-5-000000", "drawn-5-000001"]
    assert all(2 <= len(sample.qas) <= 4 for sample in drawn)
    for sample in drawn:
        size = (tmp_path / sample.images[0].path).stat().st_size
        assert 3_000 < size < 80_000
        assert len(ImageRoot(tmp_path).encode(sample.images[0]).data) == size
    assert not list(tmp_path.glob("*.partial"))
    assert [row["hash_id"][:2] for row in json.loads((tmp_path / "seeds.json").read_text())[:2]] == ["0_", "1_"]


def test_a_sample_is_the_same_whatever_the_number(tmp_path):
    few = list(draw(3, 9, tmp_path / "few"))
    many = list(draw(8, 9, tmp_path / "many"))
    assert many[:3] == few
    assert list(draw(3, 10, tmp_path / "other")) != few
    for sample in few:
        path = sample.images[0].path
        assert (tmp_path / "few" / path).read_bytes() == (tmp_path / "many" / path).read_bytes()


def test_an_image_is_reused_with_other_questions(tmp_path):
    drawn = list(draw(9, 1, tmp_path, reuse=3))
    assert len({sample.images[0].path for sample in drawn}) == 3
    assert len({sample.id for sample in drawn}) == 9
    first, second, third = ({qa.question for qa in sample.qas} for sample in drawn[:3])
    assert not first & second and not second & third
    assert len(list((tmp_path / "images").iterdir())) == 3


def test_a_drawing_that_was_stopped_leaves_no_seed_file(tmp_path):
    samples = draw(5, 1, tmp_path)
    assert isinstance(next(samples), Sample)
    samples.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "seeds.json").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_pictures_do_not_look_alike():
    assert len({drawing.pixels.resize((16, 12)).tobytes() for drawing in SCENES}) == len(SCENES)
    assert len({drawing.topic for drawing in SCENES}) >= 8
    assert len({drawing.caption for drawing in SCENES}) == len(SCENES)


def test_the_command_prints_one_result(tmp_path):
    result = CliRunner().invoke(
        seeds, ["draw", "4", "--seed", "3", "-o", str(tmp_path / "d"), "--reuse", "2", "--json"]
    )
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["samples"], told["images"], told["seeds"]) == (4, 2, str(tmp_path / "d" / "seeds.json"))
    plain = CliRunner().invoke(seeds, ["draw", "2", "-o", str(tmp_path / "e")])
    assert "2 samples" in plain.stdout
    assert CliRunner().invoke(seeds, ["draw", "0", "-o", str(tmp_path)]).exit_code == 2
