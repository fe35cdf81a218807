"""Turns the bytes of an image file into pixels, and pixels into the bytes that a model is sent."""

import ctypes
import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from .contained import ImageError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""The formats that are opened; a file is judged by its content, not by its name."""

_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112) to the turn that puts the image upright."""
_SWAPPING: Final = {5, 6, 7, 8}
_REFUSED: Final = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "PSD"),
    (b"SIMPLE  =", "FITS"),
    (b"%PDF", "PDF"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
)
_JPEG_QUALITY: Final = 90
_LEAST: Final = 28
"""Pixels: vision models refuse images with a shorter side."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Width and height in pixels, upright; Pillow's name of the format; what sending it changes."""

    width: int
    height: int
    format: str
    converted: tuple[str, ...]


def measure(data: bytes, max_pixels: int) -> Measured:
    """What the image in `data` is, after it was decoded whole. Raises ImageError for anything unsound."""
    with _opened(data, max_pixels) as image:
        width, height = image.size
        mode, form, moving = image.mode, str(image.format), bool(getattr(image, "is_animated", False))
        image.draft("L", (max(width // 8, 1), max(height // 8, 1)))
        image.load()
        turn = _orientation(image)
        if turn in _SWAPPING:
            width, height = height, width
        return Measured(width, height, form, _converted(mode, turn=turn, moving=moving))


def _converted(mode: str, *, turn: int, moving: bool) -> tuple[str, ...]:
    depth = {"I": "32-bit", "F": "32-bit", "CMYK": "CMYK", "P": "palette", "PA": "palette", "1": "1-bit"}
    told = "16-bit" if mode.startswith("I;16") else depth.get(mode)
    found = (told, "rotated" if turn in _TURNS else None, "animated" if moving else None)
    return tuple(one for one in found if one)


def encoded(data: bytes, max_side: int, max_pixels: int) -> tuple[bytes, str]:
    """Bytes and MIME type to send: an upright 8-bit grey or RGB JPEG or PNG whose longer side is at most `max_side`.

    A file that is that already is sent as it is, and not decoded: `measure` has done that. Of an animation the first
    frame is taken.
    """
    with _opened(data, max_pixels) as image:
        lossless = image.format in {"PNG", "GIF", "BMP"}
        fits = max(image.size) <= max_side
        if fits and _plain(image):
            return data, f"image/{image.format}".lower()
        if not fits:
            image.draft(None, (max_side, max_side))
        image.load()
        turn = _TURNS.get(_orientation(image))
        pixels = _flat(image)
        pixels.thumbnail((max_side, max_side))
        return _written(pixels if turn is None else pixels.transpose(turn), lossless)


def cut(data: bytes, bbox: tuple[float, ...], zoom: int, max_side: int, max_pixels: int) -> tuple[bytes, str]:
    """Bytes and MIME type of a part of the upright image: enlarged `zoom` times, its longer side at most `max_side`.

    A part of a few pixels gets some of its surroundings: at least _LEAST pixels a side, where the image has them.
    """
    with _opened(data, max_pixels) as image:
        lossless = image.format in {"PNG", "GIF", "BMP"}
        image.load()
        turn = _TURNS.get(_orientation(image))
        pixels = _flat(image)
    pixels = pixels if turn is None else pixels.transpose(turn)
    left, right = _stretch(bbox[0], bbox[2], pixels.width)
    top, bottom = _stretch(bbox[1], bbox[3], pixels.height)
    part = pixels.crop((left, top, right, bottom))
    scale = min(float(zoom), max_side / max(part.size))
    size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
    return _written(part.resize(size, Pillow.Resampling.LANCZOS), lossless)


def _stretch(low: float, high: float, side: int) -> tuple[int, int]:
    """The pixels from `low` to `high`, fractions of `side`, and more around them where they are too few."""
    first, last = int(low * side), max(int(-(-high * side // 1)), int(low * side) + 1)
    more = max(0, _LEAST - (last - first))
    return max(0, first - (more + 1) // 2), min(side, last + (more + 1) // 2)


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Pillow.Image]:
    """The image in `data`; whatever a decoder raises on it becomes an ImageError."""
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_large(image.width * image.height, max_pixels)
            if image.format == "TIFF":
                _silence_libtiff()
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        found = re.search(r"\d+", str(error))
        _refuse_large(int(found.group()) if found else max_pixels + 1, max_pixels)
        raise
    except Exception as error:  # decoders raise anything on hostile bytes
        raise ImageError(f"truncated or damaged image: {error}", remedy="replace the file") from error


@cache
def _silence_libtiff() -> None:
    """Keeps libtiff from writing what is wrong with a file to stderr: the row tells it."""
    if say_nothing := getattr(ctypes.CDLL(Pillow.core.__file__), "TIFFSetErrorHandler", None):
        say_nothing(None)


def _refuse_large(pixels: int, limit: int) -> None:
    if pixels > limit:
        raise ImageError(f"{pixels / 1e6:.0f} Mpx > limit of {limit / 1e6:g} Mpx", remedy="scale the image down")


def _unidentified(data: bytes) -> ImageError:
    name = next((name for magic, name in _REFUSED if data.startswith(magic)), "")
    head = data[:512].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        name = "SVG"
    elif head[4:8] == b"ftyp":
        name = "HEIF or AVIF"
    if not name:
        return ImageError("not an image: format not recognised or header truncated", remedy=f"use {', '.join(FORMATS)}")
    return ImageError(f"format {name} not allowed", remedy=f"convert it to one of {', '.join(FORMATS)}")


def _orientation(image: Pillow.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the EXIF block cannot be read, as image viewers do."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, OSError, struct.error):
        return 1


def _plain(image: Pillow.Image) -> bool:
    """Whether any server shows the file as we would: still, upright, opaque, 8-bit grey or RGB, JPEG or PNG."""
    return (
        image.format in {"JPEG", "PNG"}
        and image.mode in {"L", "RGB"}
        and getattr(image, "n_frames", 1) == 1
        and not image.has_transparency_data
        and _orientation(image) == 1
    )


def _flat(image: Pillow.Image) -> Pillow.Image:
    """The image as 8-bit grey or RGB: deeper greys are scaled, transparency lies on white."""
    if image.mode.startswith(("I", "F")):
        return _scaled(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Pillow.new("RGBA", layer.size, "white")
        return Pillow.alpha_composite(ground, layer).convert("RGB")
    return image.copy() if image.mode in {"L", "RGB"} else image.convert("L" if image.mode == "1" else "RGB")


def _scaled(image: Pillow.Image) -> Pillow.Image:
    """Greys of more than 8 bits: 16-bit values by their full range, others from their least to their greatest value."""
    with np.errstate(invalid="ignore"):
        values = np.asarray(image).astype(np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
    return Pillow.fromarray(np.rint((values - low) * (255 / ((high - low) or 1))).clip(0, 255).astype(np.uint8))


def _written(pixels: Pillow.Image, lossless: bool) -> tuple[bytes, str]:
    out = io.BytesIO()
    if lossless:
        pixels.save(out, "PNG")
        return out.getvalue(), "image/png"
    pixels.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue(), "image/jpeg"
