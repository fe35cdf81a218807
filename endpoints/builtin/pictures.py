"""Images of requests: data URIs, decoded safely into arrays."""

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image as PillowImage

from .request import BadRequest

MAX_PIXELS: Final = 40_000_000
_SIDE: Final = 640
"""Pixels: of larger images every n-th row and column is kept, which is ample for colours and brightness."""
_FORMATS: Final = ("JPEG", "PNG")
_PATCH: Final = 28
"""Pixels along the side of the square that counts as one prompt token, as in Qwen2-VL."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image: `pixels` is height x width x 3, 0-255; `width` and `height` are those of the image as sent."""

    digest: bytes
    width: int
    height: int
    pixels: np.ndarray

    @property
    def tokens(self) -> int:
        """How many prompt tokens the image counts for."""
        return -(-self.width // _PATCH) * -(-self.height // _PATCH)


def decode(uri: bytes) -> Picture:
    """The image in the data URI `uri`. Raises BadRequest for anything but a whole JPEG or PNG of at most MAX_PIXELS."""
    head, comma, payload = uri.partition(b",")
    if not comma or not head.endswith(b";base64"):
        raise BadRequest("an image must be a base64 data URI", param="messages")
    try:
        data = base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise BadRequest(f"bad base64 in an image: {error}", param="messages") from error
    try:
        with PillowImage.open(io.BytesIO(data), formats=_FORMATS) as image:
            return _picture(image, hashlib.sha256(data).digest())
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        raise BadRequest(f"an image cannot be read: {error}", param="messages") from error


def _picture(image: PillowImage.Image, digest: bytes) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadRequest(f"an image has {width * height} pixels, more than {MAX_PIXELS}", param="messages")
    step = max(1, round(max(width, height) / _SIDE))
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[::step, ::step])
    return Picture(digest, width, height, pixels)
