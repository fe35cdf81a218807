"""Parts of images as they are sent: what is cut, how large, and by which hash."""

import io
from pathlib import Path
from typing import Any

import pytest
from evolgraph.samples.crops import crop
from evolgraph.samples.images import MAX_SIDE, ImageError, ImageRoot
from evolgraph.samples.sample import BBox
from PIL import Image as Picture


def root(folder: Path, width: int = 400, height: int = 200, **options: Any) -> ImageRoot:
    """A folder with one image: red on the left, blue on the right."""
    image = Picture.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    image.save(folder / "two.png", **options)
    return ImageRoot(folder)


def sent(images: ImageRoot, bbox: BBox) -> Picture.Image:
    data = images.encode(crop(images.inspect("two.png"), bbox)).data
    return Picture.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(
    ("bbox", "size", "colour"),
    [
        ((0.55, 0.1, 0.8, 0.6), (200, 200), (0, 0, 255)),
        ((0.05, 0.1, 0.3, 0.6), (200, 200), (255, 0, 0)),
        ((0.9, 0.9, 0.905, 0.905), None, (0, 0, 255)),  # a pixel or two get their surroundings
    ],
)
def test_a_part_is_cut_and_enlarged_twice(
    tmp_path: Path, bbox: BBox, size: tuple[int, int] | None, colour: tuple[int, int, int]
) -> None:
    part = sent(root(tmp_path), bbox)
    assert part.size == size or (size is None and min(part.size) >= 28)
    assert part.getpixel((part.width // 2, part.height // 2)) == colour


def test_a_large_part_stays_within_the_side_that_images_are_sent_with(tmp_path: Path) -> None:
    assert max(sent(root(tmp_path, 1600, 800), (0.0, 0.0, 0.9, 0.9)).size) == MAX_SIDE


def test_a_part_is_cut_from_the_upright_image(tmp_path: Path) -> None:
    exif = Picture.Exif()
    exif[0x0112] = 3  # stands on its head
    part = sent(root(tmp_path, exif=exif), (0.05, 0.1, 0.3, 0.6))
    assert part.getpixel((50, 50)) == (0, 0, 255)


def test_the_hash_names_the_image_and_the_box(tmp_path: Path) -> None:
    image = root(tmp_path).inspect("two.png")
    part, same, other = (
        crop(image, (0.1, 0.1, 0.5, 0.5)),
        crop(image, (0.1, 0.1, 0.5, 0.5)),
        crop(image, (0, 0, 1, 0.9)),
    )
    assert part == same and len({image.sha256, part.sha256, other.sha256}) == 3


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    images = root(tmp_path)
    part = crop(images.inspect("two.png"), (0.1, 0.1, 0.5, 0.5))
    Picture.new("RGB", (400, 200), "green").save(tmp_path / "two.png")
    with pytest.raises(ImageError, match="changed"):
        images.encode(part)
