"""The child of `fuzz`: reads one mutated file an order. A number in, what became of the file it stands for out."""

import io
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import orjson
from evolgraph.errors import EvolgraphError
from evolgraph.samples.decoding import encoded, measure
from evolgraph.samples.formats.reader import Rejected, read
from evolgraph.samples.images import MAX_SIDE, ImageLimits, ImageRoot
from PIL import Image as Pillow

from .processes import ROOT

DATA: Final = ROOT / "tests" / "data"
_PICTURES: Final = ROOT / "examples" / "seeds" / "images"
_TEXTS: Final = (".json", ".jsonl")
_TABLES: Final = (".parquet", ".arrow")
_SAVED_AS: Final = (
    ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("JPEG", "L", {"progressive": True}), ("PNG", "RGB", {}),
    ("PNG", "P", {}), ("PNG", "RGBA", {}), ("PNG", "I;16", {}), ("WEBP", "RGB", {}), ("GIF", "P", {"moving": True}),
    ("WEBP", "RGB", {"moving": True}), ("BMP", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "F", {}), ("TIFF", "1", {"compression": "group4"}),
)  # fmt: skip
_TOKENS: Final = (
    b"null", b"NaN", b"-1e999", b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"\0", b"\xff\xfe", b"\xef\xbb\xbf",
    b"<image>", b"../", b"http://127.0.0.1/x", b"data:image/png;base64,", b"\\ud800", b"[" * 3000, b"9" * 400, b"\n",
    b'"id"', b"true", b"\xff" * 8, b"\x7f\xff\xff\xff",
)  # fmt: skip


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """`data` with up to six changes: bits, bytes, cuts, repeats, tokens, and pieces of `other`."""
    found = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        at, length = rng.randrange(len(found) + 1), rng.choice((1, 1, 2, 4, 16, 200))
        match rng.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                found[at : at + length] = rng.randbytes(length)
            case 2:
                del found[at : at + length]
            case 3:
                found[at:at] = found[at : at + length]
            case 4:
                found[at:at] = rng.choice(_TOKENS)
            case 5:
                start = rng.randrange(len(other) + 1)
                found[at : at + length] = other[start : start + length]
            case _ if rng.random() < 0.3:
                del found[at:]
    return bytes(found)


class Inputs:
    """Real files to mutate, and a folder to put them into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = [file for file in [*DATA.rglob("*"), *(ROOT / "examples" / "seeds").iterdir()] if file.is_file()]
        self.files = {
            "text": [(file.suffix, file.read_bytes()) for file in sorted(files) if file.suffix in _TEXTS],
            "table": [(file.suffix, file.read_bytes()) for file in sorted(files) if file.suffix in _TABLES],
            "image": [(".image", data) for data in _pictures()],
        }
        (folder / "images").mkdir()
        for file in [*_PICTURES.iterdir(), DATA / "desk.png", DATA / "wall.jpg"]:
            target = folder / ("images" if file.parent == _PICTURES else "") / file.name
            Pillow.open(file).resize((16, 16)).save(target)

    def outcome(self, number: int) -> dict[str, Any]:
        """What became of the file that `number` stands for."""
        rng = random.Random(number)
        kind = rng.choices(("text", "table", "image"), (4, 1, 3))[0]
        suffix, data = rng.choice(self.files[kind])
        data = mutated(data, rng.choice(self.files[kind])[1], rng)
        started = time.perf_counter()
        try:
            told = self._look(data) if kind == "image" else self._read(data, suffix)
        except EvolgraphError as error:
            told = [f"{error.kind}: {_shape(str(error.message))}"]
        except BaseException:
            return {"kind": kind, "traceback": traceback.format_exc()}
        return {"kind": kind, "told": told, "seconds": time.perf_counter() - started}

    def _look(self, data: bytes) -> list[str]:
        limits = ImageLimits()
        measure(data, limits.max_pixels)
        encoded(data, MAX_SIDE, limits.max_pixels)
        return ["sound"]

    def _read(self, data: bytes, suffix: str) -> list[str]:
        path = self.folder / f"seeds{suffix}"
        path.write_bytes(data)
        rows = list(read(path, ImageRoot(self.folder, kept=self.folder / "kept")))
        bad = [_shape(row.reason) for row in rows if isinstance(row, Rejected)]
        return [f"row: {reason}" for reason in bad] or ["sound"]


def _shape(reason: str) -> str:
    """The first words of an error, of which inputs of one kind have the same."""
    kept = "".join(" " if letter.isdigit() else letter for letter in reason)
    return " ".join(kept.split()[:4])


def _pictures() -> list[bytes]:
    found = []
    for number, name in enumerate(("cat.jpg", "invoice_table.png")):
        base = Pillow.open(_PICTURES / name).convert("RGB").resize((96 + number, 64))
        for form, mode, options in _SAVED_AS:
            extra: dict[str, Any] = {key: value for key, value in options.items() if key != "moving"}
            if options.get("moving"):
                extra |= {"save_all": True, "append_images": [base.rotate(90), base.rotate(180)]}
            out = io.BytesIO()
            _in_mode(base, mode).save(out, form, **extra)
            found.append(out.getvalue())
    return found


def _in_mode(picture: Pillow.Image, mode: str) -> Pillow.Image:
    return picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)


@click.command()
@click.option("--memory-mb", required=True, type=int)
def main(memory_mb: int) -> None:
    """Answers each line of standard input, a number, with one line of JSON."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    limit = memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        look: Callable[[int], dict[str, Any]] = Inputs(Path(folder)).outcome
        for line in sys.stdin:
            sys.stdout.write(orjson.dumps(look(int(line))).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
