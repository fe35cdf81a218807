"""The images of a data set: inspected once, and made ready to send. Decoding has async forms off the loop."""

import asyncio
import base64
import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .contained import ImageError, open_regular, relative, shown
from .crops import ZOOM
from .decoding import cut, encoded, measure
from .embedded import embedded_name, embedded_path, keep, uri_bytes
from .remote import fetch
from .sample import Crop, Image

__all__ = ["Encoded", "ImageError", "ImageLimits", "ImageRoot"]

MAX_SIDE: Final = 1024
"""Pixels along the longer side of an image as it is sent."""
_INSPECTED: Final = 10_000
"""How many inspected files are remembered."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is refused before it is decoded, and how much is kept."""

    max_bytes: int = 20_000_000
    """Bytes of a file."""
    max_pixels: int = 50_000_000
    """Width times height."""
    cache_bytes: int = 64_000_000
    """Bytes of encoded images kept for later calls."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image as it is sent."""

    data: bytes
    mime: str
    literal: bytes
    """The data URI as a JSON string, quotes included, ready to be spliced into a request."""


class ImageRoot:
    """The folder that a data set's image paths are relative to. Usable from several threads.

    Images that lie inside a seed file, or on one of the `hosts`, are kept in the folder `kept`; without one they are
    only looked at.
    Every method that takes a path or an Image raises ImageError (one line: path, what is wrong, remedy).
    """

    def __init__(
        self, root: Path, limits: ImageLimits | None = None, kept: Path | None = None, hosts: Collection[str] = ()
    ) -> None:
        self.root = root
        self.kept = kept
        self.hosts = hosts
        self.limits = limits or ImageLimits()
        self._lock = threading.Lock()
        self._inspected: OrderedDict[tuple[int, ...], Image] = OrderedDict()
        self._encoded: OrderedDict[tuple[str, int], Encoded] = OrderedDict()
        self._encoded_bytes = 0

    def inspect(self, path: str) -> Image:
        """Hash and size of the image at `path`, decoded whole once, so that what is truncated is found here."""
        file = self._open(path)
        try:
            state = os.fstat(file)
            key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
            with self._lock:
                known = self._inspected.get(key)
            name = str(relative(path))
            image = known.model_copy(update={"path": name}) if known else self._measured(name, self._bytes(file))
        except ImageError as error:
            raise _placed(error, path) from error
        finally:
            os.close(file)
        with self._lock:
            self._inspected[key] = image
            if len(self._inspected) > _INSPECTED:
                self._inspected.popitem(last=False)
        return image

    def inspect_embedded(self, content: bytes | str) -> Image:
        """`inspect` for an image that lies inside a seed file: its bytes, or its data URI. It is kept first."""
        limit = self.limits.max_bytes
        try:
            data = uri_bytes(content, limit) if isinstance(content, str) else content
            self._check_size(len(data))
            image = self._measured("", data)
            name = embedded_name(image.path)
            if self.kept and name:
                keep(self.kept, name, data)
        except ImageError as error:
            raise _placed(error, "embedded image") from error
        return image

    def inspect_remote(self, url: str) -> Image:
        """`inspect` for an image on one of the `hosts`. It is fetched once for a folder `kept`, which remembers it."""
        note = self.kept and self.kept / f"{hashlib.sha256(url.encode()).hexdigest()}.url"
        if note and note.is_file():
            return self.inspect(note.read_text("ascii"))
        image = self.inspect_embedded(fetch(url, self.hosts, self.limits.max_bytes))
        if self.kept and note:
            keep(self.kept, note.name, image.path.encode("ascii"))
        return image

    def encode(self, image: Image, max_side: int = MAX_SIDE) -> Encoded:
        """`image`, or a part of it, upright, at most `max_side` pixels long, JPEG or PNG.

        Refuses a file that changed since `inspect`.
        """
        key = (image.sha256, max_side)
        with self._lock:
            if key in self._encoded:
                self._encoded.move_to_end(key)
                return self._encoded[key]
        data = self.content(image.whole if isinstance(image, Crop) else image)
        try:
            ready = _ready(*self._prepared(image, data, max_side))
        except ImageError as error:
            raise _placed(error, image.path) from error
        self._keep(key, ready)
        return ready

    def _prepared(self, image: Image, data: bytes, max_side: int) -> tuple[bytes, str]:
        if isinstance(image, Crop):
            return cut(data, image.bbox, ZOOM, max_side, self.limits.max_pixels)
        return encoded(data, max_side, self.limits.max_pixels)

    def content(self, image: Image) -> bytes:
        """The bytes of the file of `image`. Refuses a file that changed since `inspect`."""
        try:
            data = self._read(image.path)
            if hashlib.sha256(data).hexdigest() != image.sha256:
                raise ImageError("the file changed since it was read", remedy="restore it, or start a new run")
        except ImageError as error:
            raise _placed(error, image.path) from error
        return data

    async def inspected(self, path: str) -> Image:
        """`inspect` in a worker thread."""
        return await asyncio.to_thread(self.inspect, path)

    async def encoded(self, image: Image) -> bytes:
        """The data URI of `image` as a JSON string literal; encoded in a worker thread unless it is remembered."""
        ready = self._encoded.get((image.sha256, MAX_SIDE))
        return (ready or await asyncio.to_thread(self.encode, image)).literal

    def _measured(self, name: str, data: bytes) -> Image:
        found, digest = measure(data, self.limits.max_pixels), hashlib.sha256(data).hexdigest()
        path = name or embedded_path(digest, found.format)
        return Image(path=path, sha256=digest, width=found.width, height=found.height, converted=found.converted)

    def place(self, image: Image) -> Path:
        """Where the file of `image` lies: under the root, or in the folder `kept`."""
        name = embedded_name(image.path)
        return self.kept / name if self.kept and name else self.root / image.path

    def _read(self, path: str) -> bytes:
        file = self._open(path)
        try:
            return self._bytes(file)
        finally:
            os.close(file)

    def _open(self, path: str) -> int:
        name = embedded_name(path) if self.kept else None
        root, path = (self.kept, name) if self.kept and name else (self.root, path)
        try:
            return open_regular(root, path)
        except OSError as error:
            where = str(root)
            raise ImageError(f"no image root: {error.strerror}", where=where, remedy="give --images DIR") from error

    def _bytes(self, file: int) -> bytes:
        """The whole file, which is regular and within the byte limit even if it grows meanwhile."""
        state, limit = os.fstat(file), self.limits.max_bytes
        if not stat.S_ISREG(state.st_mode):
            raise ImageError("not a regular file", remedy="name an image file")
        with open(file, "rb", closefd=False) as stream:
            data = b"" if state.st_size > limit else stream.read(limit + 1)
        self._check_size(max(state.st_size, len(data)))
        return data

    def _check_size(self, size: int) -> None:
        limit = self.limits.max_bytes
        if size > limit:
            raise ImageError(f"{size / 1e6:.1f} MB > limit of {limit / 1e6:g} MB", remedy="scale or compress the image")
        if not size:
            raise ImageError("truncated: the file is empty", remedy="replace the file")

    def _keep(self, key: tuple[str, int], ready: Encoded) -> None:
        with self._lock:
            if key in self._encoded:
                return
            self._encoded[key] = ready
            self._encoded_bytes += _cost(ready)
            while self._encoded_bytes > self.limits.cache_bytes:
                self._encoded_bytes -= _cost(self._encoded.popitem(last=False)[1])


def _ready(data: bytes, mime: str) -> Encoded:
    return Encoded(data, mime, b'"data:' + mime.encode() + b";base64," + base64.b64encode(data) + b'"')


def _cost(ready: Encoded) -> int:
    return len(ready.data) + len(ready.literal)


def _placed(error: ImageError, path: str) -> ImageError:
    return ImageError(error.message, where=error.where or shown(path), remedy=error.remedy)
