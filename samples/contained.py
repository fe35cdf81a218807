"""Opens files that a data set names: regular files inside one folder, and nothing else.

The path is walked one name at a time with open file descriptors, so that a link put there meanwhile is not followed.
"""

import errno
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from ..errors import EvolgraphError

_REMOTE: Final = re.compile(r"[a-z][a-z0-9+.-]*://|(data|file|javascript|blob):", re.IGNORECASE)
_SHOWN: Final = 120
"""Characters of a path that an error message repeats."""


class ImageError(EvolgraphError):
    """An image that cannot be used."""

    kind = "image"


def shown(path: str) -> str:
    """`path` as an error message names it: printable, on one line, cut where it is long."""
    text = path if path.isprintable() else ascii(path)[1:-1]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def relative(path: str) -> PurePosixPath:
    """`path` without empty and `.` parts. Raises ImageError when it is a URL or could lead out of the image root."""
    where = shown(path)
    if not path:
        raise ImageError("missing image: the path is empty", remedy="name a file under the image root")
    if _REMOTE.match(path):
        raise ImageError("remote images disabled", where=where, remedy="save the file under the image root")
    if "\0" in path:
        raise ImageError("outside image root: the path holds a NUL character", where=where, remedy="remove it")
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts:
        raise ImageError("outside image root", where=where, remedy="use a path relative to the image root, without ..")
    return inside


def open_regular(root: Path, path: str) -> int:
    """A read-only descriptor of the regular file `path` under `root`; the caller closes it.

    Never blocks on pipes and devices. Raises ImageError for links, special files, folders and missing files.
    """
    *folders, name = relative(path).parts or (".",)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            _refuse_link(part, folder)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        _refuse_special(_refuse_link(name, folder))
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except (OSError, UnicodeEncodeError) as error:
        raise _explained(error, root, path) from error
    except ImageError as error:
        error.where = shown(path)
        raise
    finally:
        os.close(folder)
    return file


def _refuse_link(name: str, folder: int) -> int:
    """The mode of `name` in `folder`, which is no link."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        raise ImageError("link refused", remedy="copy the file under the image root")
    return mode


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ImageError("not a regular file", remedy="name an image file")


def _explained(error: OSError | UnicodeEncodeError, root: Path, path: str) -> ImageError:
    where = shown(path)
    if isinstance(error, UnicodeEncodeError):
        return ImageError("missing image: the path is not valid text", where=where, remedy="correct the path")
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}:
        return ImageError(
            f"missing image: no such file under {root}", where=where, remedy="put it there, or give --images DIR"
        )
    if error.errno == errno.ELOOP:
        return ImageError("link refused", where=where, remedy="copy the file under the image root")
    return ImageError(f"cannot be opened: {error.strerror}", where=where, remedy="make the file readable")
