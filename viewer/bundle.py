"""A run as a folder of pages that opens without a server."""

import math
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from ..errors import EvolgraphError
from ..store.connections import reading
from ..store.listing import counted
from .asked import PAGE_SIZE, Asked, Kept, Prices
from .pages import PAGES, STATIC, Links, environment, rendered
from .pictures import Pictures


class BundleError(EvolgraphError):
    """Pages that cannot be written."""

    kind = "bundle"


class FileLinks(Links):
    """Where pages are in a folder: side by side, samples by number. What is asked of `image` is wanted."""

    live: ClassVar[bool] = False

    def __init__(self, numbers: dict[str, int]) -> None:
        self._numbers = numbers
        self.wanted: set[tuple[str, str]] = set()

    def page(self, run: str, name: str, **query: Any) -> str:
        """The file of a page. Filters and orders need a server: links to them lead to all samples."""
        return f"samples-{query.get('page') or 1}.html" if name == "samples" else f"{name}.html"

    def sample(self, run: str, sample: str, query: str = "", name: str = "sample") -> str:
        """The file of a sample's page."""
        return f"{name}-{self._numbers[sample]}.html"

    def image(self, digest: str, size: str) -> str:
        """The file of an image."""
        self.wanted.add((digest, size))
        return f"images/{digest}-{size}.webp"

    def static(self, name: str) -> str:
        """The file of the style sheet or the script."""
        return name

    def home(self) -> str:
        """The first page."""
        return "index.html"


def export(store: Path, run: str, images: Path, folder: Path, prices: Prices) -> int:
    """Writes the pages of the run or fork `run` in `store` into the new or empty `folder`.

    Gives the number of samples. Raises BundleError, StoreError and OSError.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BundleError("the folder is not empty", where=str(folder), remedy="name another one")
    with reading(store) as db:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for name in STATIC:
            (folder / name).write_bytes(files("evolgraph.viewer").joinpath("static", name).read_bytes())
        return _Bundle(db, run, folder, prices).write(Pictures(store, images))


class _Bundle:
    def __init__(self, db: sqlite3.Connection, run: str, folder: Path, prices: Prices) -> None:
        self._db, self._run, self._folder, self._prices = db, run, folder, prices
        self._templates = environment()
        self._kept = Kept()
        order = "SELECT sample FROM sample_totals WHERE run = ? ORDER BY position, sample"
        self._samples = [sample for (sample,) in db.execute(order, (run,))]
        self._links = FileLinks({sample: number for number, sample in enumerate(self._samples, start=1)})

    def write(self, pictures: Pictures) -> int:
        self._page("overview", "index.html")
        for name in ("overview", "policy", "errors"):
            self._page(name, f"{name}.html")
        pages = max(math.ceil(counted(self._db, self._run) / PAGE_SIZE), 1)
        for page in range(1, pages + 1):
            self._page("samples", f"samples-{page}.html", page=str(page))
        for sample in self._samples:
            for name in ("sample", "lineage"):
                self._page(name, self._links.sample(self._run, sample, name=name), id=sample)
        for digest, size in self._links.wanted:
            if (data := pictures.get(self._db, digest, size)) is not None:
                (self._folder / "images" / f"{digest}-{size}.webp").write_bytes(data)
        return len(self._samples)

    def _page(self, name: str, file: str, **query: str) -> None:
        build, template = PAGES[name]
        contents = build(Asked(self._db, self._run, query, self._prices, self._kept))
        text = rendered(self._templates, template, self._links, contents, name)
        (self._folder / file).write_text(text, encoding="utf-8")
