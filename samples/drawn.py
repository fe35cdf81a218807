"""Drawn samples: any number of rendered scenes, charts and tables whose contents are known exactly."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import orjson

from ..errors import EvolgraphError
from .drawing.charts import chart
from .drawing.picture import Drawing, Fact, PixelBox
from .drawing.scenes import scene
from .drawing.tables import table
from .formats.evolved import Evolved
from .formats.mmevol import to_row
from .sample import QA, BBox, Box, Image, Sample

_KINDS: Final = (scene, chart, table)
_WEIGHTS: Final = (6, 2, 2)
_JPEG_QUALITY: Final = 92
_FIRST: Final = b'[\n{"id":"drawn-'
"""What a file of drawn samples begins with."""


def draw(count: int, seed: int, folder: Path, reuse: int = 1) -> Iterator[Sample]:
    """Write `count` samples to `folder` and give each one as it is written.

    The folder gets `images/` and, once the last sample was taken, `seeds.json` in MMEvol's layout. Sample i depends on
    i, `seed` and `reuse` alone, not on `count`. Every image serves `reuse` samples, which ask different questions where
    it has enough of them. Raises EvolgraphError when there is a `seeds.json` that was not drawn.
    """
    _check_drawn(folder / "seeds.json")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    partial = folder / "seeds.json.partial"
    try:
        with partial.open("wb") as stream:
            stream.write(b"[")
            for number, sample in enumerate(_samples(count, seed, folder, reuse)):
                stream.write(b",\n" if number else b"\n")
                stream.write(orjson.dumps(to_row(Evolved(sample, (), ()), number)))
                yield sample
            stream.write(b"\n]\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(folder / "seeds.json")
    finally:
        partial.unlink(missing_ok=True)


def _check_drawn(seeds: Path) -> None:
    """Raises EvolgraphError when `seeds` is there and was not drawn."""
    if not seeds.exists():
        return
    with seeds.open("rb") as stream:
        begins = stream.read(len(_FIRST))
    if begins not in (_FIRST, b"[\n]\n"):
        told = "is there already, and was not drawn"
        raise EvolgraphError(told, where=str(seeds), remedy="choose another folder", kind="output")


def _samples(count: int, seed: int, folder: Path, reuse: int) -> Iterator[Sample]:
    for first in range(0, count, reuse):
        rng = Random(f"evolgraph drawn {seed} {first}")
        drawing = rng.choices(_KINDS, _WEIGHTS)[0](rng)
        image = _saved(drawing, folder, f"drawn-{seed}-{first:06d}")
        for variant in range(min(reuse, count - first)):
            pool = drawing.facts[variant::reuse]
            qas = _asked(rng, pool if len(pool) > 1 else drawing.facts)
            yield _sample(f"drawn-{seed}-{first + variant:06d}", drawing, image, qas)


def _saved(drawing: Drawing, folder: Path, name: str) -> Image:
    """Write the image file, as JPEG without colour subsampling or as PNG."""
    out = io.BytesIO()
    if drawing.photographic:
        drawing.pixels.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        drawing.pixels.save(out, "PNG", compress_level=6)
    path = f"images/{name}.{'jpg' if drawing.photographic else 'png'}"
    (folder / path).write_bytes(out.getvalue())
    sha256 = hashlib.sha256(out.getvalue()).hexdigest()
    return Image(path=path, sha256=sha256, width=drawing.pixels.width, height=drawing.pixels.height)


def _asked(rng: Random, facts: Sequence[Fact]) -> tuple[QA, ...]:
    """Two to four questions out of `facts`, of different skills as far as possible."""
    firsts = {fact.skill: fact for fact in reversed(facts)}
    chosen = list(firsts.values())
    rng.shuffle(chosen)
    chosen += [fact for fact in facts if firsts[fact.skill] is not fact]
    return tuple(
        QA(id=f"q{n}", objects=fact.objects, skills=(fact.skill,), question=fact.question, answer=fact.answer)
        for n, fact in enumerate(chosen[: rng.randint(2, 4)], start=1)
    )


def _sample(name: str, drawing: Drawing, image: Image, qas: tuple[QA, ...]) -> Sample:
    return Sample(
        id=name,
        images=(image,),
        caption=drawing.caption,
        boxes=tuple(Box(label=label, bbox=_fractions(box, image)) for label, box in drawing.boxes),
        topic=(drawing.topic,),
        qas=qas,
    )


def _fractions(box: PixelBox, image: Image) -> BBox:
    """The box as fractions of the image, to four digits, cut at the image's border."""
    x1, x2 = (min(max(round(x / image.width, 4), 0.0), 1.0) for x in (box[0], box[2]))
    y1, y2 = (min(max(round(y / image.height, 4), 0.0), 1.0) for y in (box[1], box[3]))
    return x1, y1, x2, y2
