"""Parts of images as images of their own: cut at a box and zoomed."""

import hashlib
from typing import Final

import orjson

from .sample import BBox, Crop, Image

ZOOM: Final = 2
"""How many times a part is enlarged, as far as it stays within the side that images are sent with."""


def crop(image: Image, bbox: BBox) -> Crop:
    """The part of `image` in `bbox`, as it is sent to a model.

    The hash is made of the image's and of the box: a call about the part is known again without its pixels.
    """
    corners = tuple(round(value, 4) for value in bbox)
    named = orjson.dumps([image.sha256, corners, ZOOM])
    return Crop(
        path=image.path,
        sha256=hashlib.sha256(named).hexdigest(),
        width=max(1, round(ZOOM * image.width * (bbox[2] - bbox[0]))),
        height=max(1, round(ZOOM * image.height * (bbox[3] - bbox[1]))),
        whole=image,
        bbox=bbox,
    )
