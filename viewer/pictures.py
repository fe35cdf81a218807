"""The images of a store by their hash, decoded and written anew, so that nothing but pixels reaches a browser."""

import io
import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import orjson
from PIL import Image as Pillow

from ..samples.embedded import kept_images
from ..samples.images import ImageError, ImageRoot
from ..samples.sample import Image

SIDES: Final = {"thumb": 192, "full": 1280}
"""Pixels along the longer side, by the size's name."""
MIME: Final = "image/webp"
_KEPT: Final = 2000
_KEPT_BYTES: Final = 64_000_000


class Pictures:
    """Images of `store` under one root, and those that lay inside its seed file. Usable from several threads."""

    def __init__(self, store: Path, root: Path) -> None:
        self.root = root
        self._images = ImageRoot(root, kept=kept_images(store))
        self._lock = threading.Lock()
        self._ready: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, db: sqlite3.Connection, digest: str, size: str) -> bytes | None:
        """The image with the SHA-256 `digest` as WebP; None when the store knows none or its file is not the same."""
        key = (digest, size)
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
        image = _named(db, digest)
        if image is None:
            return None
        try:
            data = _written(self._images.encode(image, SIDES[size]).data)
        except ImageError:
            return None  # the page says that the image is not there
        self._keep(key, data)
        return data

    def _keep(self, key: tuple[str, str], data: bytes) -> None:
        with self._lock:
            if key not in self._ready:
                self._ready[key] = data
                self._bytes += len(data)
            while len(self._ready) > _KEPT or self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._ready.popitem(last=False)[1])


def _named(db: sqlite3.Connection, digest: str) -> Image | None:
    rows = (
        db.execute(
            "SELECT s.images FROM sample_totals t JOIN samples s ON s.run = t.run AND s.id = t.sample"
            " WHERE t.image = ? LIMIT 1",
            (digest,),
        ).fetchall()
        or db.execute(  # further images of a sample are not indexed
            "SELECT images FROM samples WHERE json_array_length(images) > 1 AND instr(images, ?) LIMIT 1", (digest,)
        ).fetchall()
    )
    images = (Image.model_validate(one) for (text,) in rows for one in orjson.loads(text))
    return next((image for image in images if image.sha256 == digest), None)


def _written(data: bytes) -> bytes:
    out = io.BytesIO()
    with Pillow.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
        clean = Pillow.frombytes(picture.mode, picture.size, picture.tobytes())  # pixels only, no metadata
    clean.save(out, "WEBP", quality=86, method=2)
    return out.getvalue()
