"""What the embedded model says of the pixels that it is shown."""

import numpy as np
import pytest
from evolgraph.endpoints.builtin.digits import read_digits
from evolgraph.endpoints.builtin.looking import looked
from evolgraph.endpoints.builtin.pictures import Picture
from evolgraph.endpoints.builtin.scene import Scene
from PIL import Image, ImageDraw, ImageFont

RED, WHITE = (210, 20, 20), (250, 250, 250)


def picture(pixels: np.ndarray) -> Picture:
    return Picture(b"", pixels.shape[1], pixels.shape[0], pixels)


def written(text: str, size: int = 36) -> np.ndarray:
    image = Image.new("RGB", (40 * len(text) + 40, 80), WHITE)
    ImageDraw.Draw(image).text((20, 16), text, fill=(20, 20, 20), font=ImageFont.load_default(size))
    return np.asarray(image)


def disc() -> np.ndarray:
    image = Image.new("RGB", (120, 120), WHITE)
    ImageDraw.Draw(image).ellipse((4, 4, 115, 115), fill=RED)
    return np.asarray(image)


def ask(look: dict[str, str], pixels: np.ndarray) -> dict[str, object]:
    return looked(look, Scene([pixels], {}), [picture(pixels)])


def test_a_part_is_described_by_its_colours_and_a_plain_outline() -> None:
    look = {"manipulation": "Referring", "shown": "a part"}
    assert ask(look, disc()) == {"description": "Something red, with a round outline."}
    plain = np.full((40, 60, 3), RED, np.uint8)
    assert ask(look, plain) == {"description": "Something red, with a straight, four-cornered outline."}
    halves = np.concatenate([plain, np.full((40, 60, 3), (20, 40, 210), np.uint8)], axis=1)
    assert "red" in str(ask(look, halves)) and "blue" in str(ask(look, halves))


def test_a_patch_of_a_named_colour_is_found_and_nothing_else() -> None:
    pixels = np.full((200, 400, 3), 250, np.uint8)
    pixels[60:140, 200:300] = RED
    (box,) = ask({"manipulation": "Grounding", "target": "red thing"}, pixels)["boxes"]  # type: ignore[misc]
    assert box == pytest.approx([0.5, 0.3, 0.75, 0.7], abs=0.04)
    assert ask({"manipulation": "Grounding", "target": "green thing"}, pixels) == {"boxes": [], "image": 0}
    assert ask({"manipulation": "Grounding", "target": "umbrella"}, pixels) == {"boxes": [], "image": 0}


@pytest.mark.parametrize("number", ["2790", "38", "106 45"])
def test_printed_figures_are_read_and_letters_are_not(number: str) -> None:
    assert read_digits(written(number)) == number
    assert read_digits(written(f"Wh {number}")) == "", "what holds more than figures is not half read"


def test_only_a_part_with_one_number_tells_the_number_of_a_target() -> None:
    look = {"manipulation": "OCR", "shown": "a part", "target": "Coal"}
    assert ask(look, written("38")) == {"text": "38"}
    assert ask(look, written("38 45")) == {"text": ""}
    assert ask(look | {"shown": "the whole"}, written("38")) == {"text": ""}
