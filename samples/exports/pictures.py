"""The images of an export: named where they are, put beside the file, or carried inside it."""

import base64
import contextlib
import io
import os
from pathlib import Path

from PIL import Image as Pillow

from ...errors import EvolgraphError
from ..contained import ImageError, relative
from ..images import ImageRoot
from ..sample import Image, Sample


class Pictures:
    """Makes the paths of an export's images true.

    `mode` is `none` (paths stay relative to the image root), `copy` or `link` (hard links, in `folder`, under the same
    paths), or `embed`. `root` is the image root. Methods that need a file raise ImageError for one that is missing, no
    regular file, or no longer the one that the run saw.
    """

    def __init__(self, mode: str, root: ImageRoot, folder: Path) -> None:
        self.mode = mode
        self.root = root
        self.folder = folder
        self.placed: dict[str, str] = {}
        """The files put into `folder`, by their path in it: the hex SHA-256."""
        self.files = 0
        self.bytes = 0
        """How many files were copied, linked or embedded, and their bytes."""

    def located(self, sample: Sample) -> Sample:
        """`sample` with its images' paths as rows name them: relative to the root, or to the folder of the export."""
        if self.mode not in ("copy", "link"):
            return sample
        return sample.model_copy(update={"images": tuple(self._placed(image) for image in sample.images)})

    def data(self, image: Image) -> bytes:
        """The bytes of the image file."""
        try:
            found = self.root.content(image)
        except ImageError as error:
            remedy = error.remedy.replace("--images DIR", "--image-root DIR")
            raise ImageError(error.message, where=error.where, remedy=remedy) from error
        self.files += 1
        self.bytes += len(found)
        return found

    def uri(self, image: Image) -> str:
        """The image as a data URI when images are embedded, else its path."""
        if self.mode != "embed":
            return image.path
        found = self.data(image)
        return f"data:{_mime(found)};base64,{base64.b64encode(found).decode()}"

    def _placed(self, image: Image) -> Image:
        name = str(relative(image.path))
        if name not in self.placed:
            try:
                self._place(image, self.folder / name)
            except OSError as error:
                remedy = "use --images copy" if self.mode == "link" else "make room or name another file"
                raise EvolgraphError(
                    f"cannot {self.mode} {name}: {error.strerror}", where=str(self.folder), remedy=remedy
                ) from error
            self.placed[name] = image.sha256
        return image.model_copy(update={"path": f"{self.folder.name}/{name}"})

    def _place(self, image: Image, target: Path) -> None:
        found = self.data(image)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.part")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()  # of an export that was killed
        if self.mode == "link":
            os.link(self.root.place(image), draft, follow_symlinks=False)
        else:
            draft.write_bytes(found)
        draft.replace(target)
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()  # renaming onto a link of the same file leaves both


def _mime(data: bytes) -> str:
    with Pillow.open(io.BytesIO(data)) as image:
        return Pillow.MIME.get(image.format or "") or "application/octet-stream"
