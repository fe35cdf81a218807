"""Images are opened safely and sent upright, opaque and 8-bit."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from evolgraph.samples.images import ImageError, ImageLimits, ImageRoot
from PIL import Image as Pillow


def photo(width=80, height=60, seed=0):
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    return Pillow.fromarray(np.clip(ramp * 0.8 + noise, 0, 255).astype(np.uint8))


def png_header(width, height):
    """A PNG that claims to be huge: a few dozen bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "in").mkdir(parents=True)
    photo().save(folder / "in" / "a.jpg")
    photo().save(folder / "a.png")
    return ImageRoot(folder)


def decoded(root, path, **options):
    ready = root.encode(root.inspect(path), **options)
    return Pillow.open(io.BytesIO(ready.data)), ready


def refusal(root, path):
    with pytest.raises(ImageError) as caught:
        root.inspect(path)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.kind == "image"
    return text


def test_a_small_rgb_file_is_sent_as_it_is(root):
    for path, mime in (("in/a.jpg", "image/jpeg"), ("a.png", "image/png")):
        image = root.inspect(path)
        ready = root.encode(image)
        assert (image.width, image.height) == (80, 60)
        assert ready.data == (root.root / path).read_bytes()
        assert ready.mime == mime


def test_a_large_image_is_scaled_to_the_longer_side(root):
    photo(400, 300).save(root.root / "big.jpg")
    picture, ready = decoded(root, "big.jpg", max_side=100)
    assert picture.size == (100, 75)
    assert ready.mime == "image/jpeg"


async def test_the_data_uri_is_ready_to_be_spliced_into_json(root):
    image = await root.inspected("./in//a.jpg")
    assert image.path == "in/a.jpg"
    literal = await root.encoded(image)
    assert literal.startswith(b'"data:image/jpeg;base64,/9j/')
    assert literal.endswith(b'"')
    assert await root.encoded(image) is literal


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_exif_rotation_is_applied(root, orientation, suffix):
    upright = Pillow.new("RGB", (64, 32), "white")
    upright.paste("red", (0, 0, 16, 16))
    turns = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    stored.save(root.root / f"r.{suffix}", exif=exif)
    image = root.inspect(f"r.{suffix}")
    assert (image.width, image.height) == (64, 32)
    picture, _ = decoded(root, f"r.{suffix}")
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[:2] == (32, 64)
    assert pixels[6, 6, 0] > 200 > 90 > pixels[6, 6, 1]
    assert pixels[26, 58].min() > 220


def test_sixteen_bit_ramp_keeps_256_levels(root):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Pillow.fromarray(ramp).save(root.root / "deep.png")
    picture, _ = decoded(root, "deep.png")
    assert picture.mode == "L"
    assert len(np.unique(np.asarray(picture))) == 256


def test_cmyk_palette_alpha_and_bilevel_become_rgb_or_grey(root):
    photo().convert("CMYK").save(root.root / "c.jpg")
    photo().convert("P").save(root.root / "p.gif")
    photo().convert("1").save(root.root / "b.png")
    photo().save(root.root / "w.webp")
    photo().save(root.root / "m.bmp")
    glass = Pillow.new("RGBA", (20, 20), (255, 0, 0, 0))
    glass.paste((0, 0, 255, 255), (0, 0, 10, 20))
    glass.save(root.root / "alpha.png")
    for name in ("c.jpg", "p.gif", "b.png", "w.webp", "m.bmp"):
        picture, _ = decoded(root, name)
        assert (picture.format, picture.mode, picture.size) in {
            (kind, mode, (80, 60)) for kind in ("JPEG", "PNG") for mode in ("RGB", "L")
        }
    picture, _ = decoded(root, "alpha.png")
    assert picture.mode == "RGB"
    assert picture.getpixel((2, 2)) == (0, 0, 255)
    assert picture.getpixel((15, 2)) == (255, 255, 255)


def test_of_an_animation_the_first_frame_is_sent(root):
    frames = [Pillow.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "png", "webp"):
        frames[0].save(root.root / f"m.{suffix}", save_all=True, append_images=frames[1:])
        picture, _ = decoded(root, f"m.{suffix}")
        assert getattr(picture, "n_frames", 1) == 1
        red, green, blue = np.asarray(picture.convert("RGB"))[8, 8].astype(int)
        assert red > 240 > 20 > max(green, blue)


@pytest.mark.parametrize("path", ["../a.png", "in/../../a.png", "/etc/hostname", "a\0.png"])
def test_paths_out_of_the_root_are_refused(root, path):
    assert "outside image root" in refusal(root, path)


@pytest.mark.parametrize(
    "path",
    [
        "http://127.0.0.1/a.png",
        "https://x.invalid/a",
        "file:///etc/passwd",
        "ftp://h/a",
        "data:image/png;base64,A",
        "s3://a",
    ],
)
def test_remote_images_are_disabled(root, path):
    assert "remote images disabled" in refusal(root, path)


def test_links_are_refused_even_within_the_root(root, tmp_path):
    photo().save(tmp_path / "secret.png")
    (root.root / "out.png").symlink_to(tmp_path / "secret.png")
    (root.root / "same.png").symlink_to("a.png")
    (root.root / "loop.png").symlink_to("loop.png")
    (root.root / "folder").symlink_to(tmp_path)
    for path in ("out.png", "same.png", "loop.png", "folder/secret.png"):
        assert "link refused" in refusal(root, path)


def test_a_root_that_is_itself_a_link_is_the_users_choice(root, tmp_path):
    (tmp_path / "link").symlink_to(root.root)
    assert ImageRoot(tmp_path / "link").inspect("a.png").width == 80


def test_special_files_are_refused_without_waiting(root):
    os.mkfifo(root.root / "pipe.png")
    for path in ("pipe.png", "in", ".", "in/"):
        assert "not a regular file" in refusal(root, path)
    assert "not a regular file" in refusal(ImageRoot(Path("/dev")), "zero")


def test_what_is_missing_is_named(root, tmp_path):
    assert "missing image" in refusal(root, "")
    assert "no such file" in refusal(root, "gone.png")
    assert "no such file" in refusal(root, "a.png/x")
    assert "no such file" in refusal(root, "x" * 5000)
    assert "not valid text" in refusal(root, "\ud800.png")
    assert "no image root" in refusal(ImageRoot(tmp_path / "gone"), "a.png")


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_500, 10_000), (8_000, 8_000)])
def test_too_many_pixels_are_refused_before_decoding(root, size):
    (root.root / "bomb.png").write_bytes(png_header(*size))
    text = refusal(root, "bomb.png")
    assert f"{size[0] * size[1] / 1e6:.0f} Mpx > limit of 50 Mpx" in text


def test_too_many_bytes_are_refused_before_reading(root):
    with (root.root / "long.png").open("wb") as stream:
        stream.truncate(3_000_000_000)
    assert "3000.0 MB > limit of 20 MB" in refusal(root, "long.png")
    assert "limit of 0.001 MB" in refusal(ImageRoot(root.root, ImageLimits(max_bytes=1000)), "a.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
def test_truncated_files_are_found(root, suffix, share):
    whole = root.root / f"whole.{suffix}"
    photo(400, 300).save(whole, progressive=share == 0.5)
    data = whole.read_bytes()
    (root.root / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
    assert "truncated" in refusal(root, f"cut.{suffix}")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"8BPS\x00\x01" + bytes(40), "PSD"),
        (b"SIMPLE  =                    T" + bytes(80), "FITS"),
    ],
)
def test_other_formats_under_an_allowed_name_are_refused(root, data, name):
    (root.root / "x.png").write_bytes(data)
    assert f"format {name} not allowed" in refusal(root, "x.png")


def test_noise_is_no_image(root):
    (root.root / "x.png").write_bytes(bytes(range(256)) * 9)
    assert "not an image" in refusal(root, "x.png")
    (root.root / "e.png").touch()
    assert "empty" in refusal(root, "e.png")


def test_a_file_that_changed_since_it_was_read_is_not_sent(root):
    image = root.inspect("a.png")
    photo(seed=1).save(root.root / "a.png")
    with pytest.raises(ImageError, match="changed"):
        root.encode(image)
    assert root.inspect("a.png").sha256 != image.sha256


def test_an_image_that_was_encoded_is_remembered_within_a_limit(root):
    image = root.inspect("a.png")
    first = root.encode(image)
    (root.root / "a.png").unlink()
    assert root.encode(image) is first
    small = ImageRoot(root.root, ImageLimits(cache_bytes=10))
    picture = small.inspect("in/a.jpg")
    assert small.encode(picture) is not small.encode(picture)
