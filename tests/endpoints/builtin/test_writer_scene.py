"""What is read from captions and measured in images."""

import numpy as np
import pytest
from evolgraph.endpoints.builtin.captions import understand
from evolgraph.endpoints.builtin.colours import compatible
from evolgraph.endpoints.builtin.scene import Scene


def made(pixels: np.ndarray, boxes: dict[str, list[float]], caption: str = "") -> Scene:
    size = {"width": pixels.shape[1], "height": pixels.shape[0]}
    rows = [{"label": label.rstrip("0123456789"), "bbox": bbox, "image": 0} for label, bbox in boxes.items()]
    return Scene([pixels], {"images": [size], "caption": caption, "boxes": rows})


def test_a_caption_gives_its_plain_facts() -> None:
    facts = understand(
        "A red espresso cup with a white inside stands on a blue saucer. Four tall towers are behind. "
        "A flag with red and white stripes hangs there, in a black-and-white frame."
    )
    assert facts.colours["cup"] == "red"
    assert facts.colours["saucer"] == "blue"
    assert "stripe" not in facts.colours
    assert facts.counts["tower"] == 4
    assert ("red espresso cup", "on", "blue saucer") in facts.relations


def test_series_and_tables_are_read_with_their_units() -> None:
    series = understand(
        "A pie chart titled 'Pets' shows share of votes in percent: Cats 60, Dogs 30 and Fish 10."
    ).series
    assert series is not None
    assert (series.names, series.values, series.unit) == (("Cats", "Dogs", "Fish"), (60, 30, 10), "percent")
    table = understand("It lists amounts in euros: pens 2 at 1.50 for 3.00, books 4 at 5.00 for 20.00.").table
    assert table is not None
    assert (table.items, table.quantities, table.currency) == (("pens", "books"), (2, 4), "euros")


@pytest.mark.parametrize("text", ["", "Nothing in particular.", "In 1999, 2000 and 2001 it rained.", "{{ a }} <b>"])
def test_text_without_plain_facts_gives_none(text: str) -> None:
    facts = understand(text)
    assert not facts.series and not facts.table and not facts.counts and not facts.colours


def test_the_colour_is_the_objects_and_not_the_backgrounds() -> None:
    pixels = np.full((100, 100, 3), (40, 60, 200), np.uint8)
    pixels[30:70, 30:70] = (210, 30, 30)
    pixels[10:90:4, 80:95] = (0, 0, 0)
    scene = made(pixels, {"ball": [0.3, 0.3, 0.7, 0.7], "lattice": [0.8, 0.1, 0.95, 0.9]})
    ball, lattice = scene.regions
    assert scene.colour(ball) == "red"
    assert scene.colour(lattice) is None


def test_neighbouring_colours_do_not_contradict_each_other() -> None:
    assert compatible("red", "reddish") is True
    assert compatible("orange", "brown") is None
    assert compatible("green", "purple") is False


def test_things_of_one_kind_get_names_that_tell_them_apart() -> None:
    white = np.full((50, 50, 3), 255, np.uint8)
    row = made(white, {f"cup{i}": [0.1 + 0.25 * i, 0.4, 0.25 + 0.25 * i, 0.6] for i in range(3)})
    assert [region.name for region in row.regions] == ["leftmost cup", "second cup from the left", "rightmost cup"]
    assert row.named("the second cup from the left") is row.regions[1]
    crowd = made(white, {"galaxy": [0.1, 0.1, 0.2, 0.2]}, "Hundreds of galaxies.")
    assert crowd.regions[0].name == "galaxy at [0.100, 0.100, 0.200, 0.200]"
    grid = made(
        white,
        {f"coin{r * 3 + c}": [c * 0.3, r * 0.4, c * 0.3 + 0.2, r * 0.4 + 0.2] for r in range(2) for c in range(3)},
    )
    assert grid.regions[4].name in {"second coin in the second row"}


def test_a_grey_image_has_no_colours() -> None:
    scene = made(np.full((40, 40, 3), 120, np.uint8), {"wall": [0.1, 0.1, 0.6, 0.6]})
    assert scene.grey
    assert scene.colour(scene.regions[0]) is None
