"""Images that lie inside a seed file: as bytes in a table, or as data URIs in JSON.

They are written once each into a folder of their own (beside the store: `STORE.images/`), named by their hash. A sample
refers to one by the path `embedded/HASH.png`, which stands for that folder whatever the image root is.
"""

import base64
import binascii
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from ..errors import EvolgraphError
from .contained import ImageError

_NAME: Final = re.compile(r"embedded/([0-9a-f]{64}\.[a-z]{3,4})")
_URI: Final = re.compile(r"data:image/[a-z0-9.+-]+((?:;[a-z0-9.+-]+=[^;,]*)*);base64,", re.IGNORECASE)


class KeepError(EvolgraphError):
    """An image that cannot be written: the fault of the disk and not of its row, so the reading stops."""

    kind = "output"


def is_data_uri(text: str) -> bool:
    """Whether `text` is meant as a data URI."""
    return text[:5].lower() == "data:"


def uri_bytes(uri: str, limit: int) -> bytes:
    """The bytes in a base64 data URI of an image.

    Raises ImageError for one of another kind, of more than `limit` bytes, and of bad base64.
    """
    head = _URI.match(uri)
    if head is None:
        raise ImageError("data URI is not a base64 image", where=uri[:40], remedy="write data:image/...;base64,...")
    size = (len(uri) - head.end()) * 3 // 4
    if size > limit + 2:
        raise ImageError(
            f"{size / 1e6:.1f} MB > limit of {limit / 1e6:g} MB", where=head.group(), remedy="scale or compress it"
        )
    try:
        return base64.b64decode(uri[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        told = " ".join(str(error).split())
        raise ImageError(f"bad base64: {told}", where=head.group(), remedy="encode the image anew") from error


def kept_images(store: Path) -> Path:
    """The folder beside the store `store` for images that lie inside its seed file."""
    return store.parent / f"{store.name}.images"


def embedded_path(digest: str, form: str) -> str:
    """The path of the embedded image with the hex SHA-256 `digest` and Pillow's format name `form`."""
    suffix = {"JPEG": "jpg"}.get(form, form.lower())
    return f"embedded/{digest}.{suffix}"


def embedded_name(path: str) -> str | None:
    """The file name of an embedded image in its folder; None when `path` is that of another image."""
    found = _NAME.fullmatch(path)
    return found.group(1) if found else None


def keep(folder: Path, name: str, data: bytes) -> None:
    """Writes `data` to `folder`/`name` unless it is there already; the file is never seen half written.

    Raises KeepError when it cannot be written.
    """
    target = folder / name
    try:
        if target.is_file() and target.stat().st_size == len(data):
            return
        folder.mkdir(parents=True, exist_ok=True)
        handle, spare = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(spare).chmod(0o644)
            Path(spare).replace(target)
        except BaseException:
            Path(spare).unlink(missing_ok=True)
            raise
    except OSError as error:
        told = f"an image of the seeds cannot be kept: {error.strerror}"
        raise KeepError(told, where=str(folder), remedy="make room there, or keep the store elsewhere") from error
