"""The benchmark's seeds: generated JPEGs of about 100 KB, shared by many samples, as an mmevol file."""

import io
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from PIL import Image

from .replies import BOX

IMAGES: Final = 20
IMAGE_BYTES: Final = 100_000
_SIZE: Final = (768, 576)
_QUESTIONS: Final = (
    ("What stands in the middle of the picture?", "A low wall stands in the middle.", "Referencing"),
    ("Where is the largest object?", "The largest object is on the left side.", "Grounding"),
    ("Is there any writing to be seen?", "Yes, there is a short word on a sign.", "OCR"),
)
_MORE: Final = ("Which season does the light suggest?", "The long shadows suggest late autumn.", "Knowledge")
_CAPTION: Final = (
    "A wide view of a place with several objects at different distances. Some of them overlap, a sign with a short "
    "word hangs on the left, and the light falls from the upper right."
)


def write_seeds(folder: Path, samples: int, seed: int = 0) -> Path:
    """Writes `samples` seeds with 2 or 3 questions each, and their images, into `folder`; gives the seed file."""
    (folder / "images").mkdir(parents=True)
    for number, picture in enumerate(_pictures(min(IMAGES, samples), seed)):
        (folder / f"images/{number}.jpg").write_bytes(picture)
    path = folder / "seeds.json"
    rows = [_row(number, f"images/{number % IMAGES}.jpg", _QUESTIONS[: 2 + number % 2]) for number in range(samples)]
    path.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    return path


def write_long_seeds(folder: Path, samples: int, seed: int = 0) -> Path:
    """`write_seeds` for any number of samples: a row is written as it is made, on a line of its own."""
    path = write_seeds(folder, min(IMAGES, samples), seed)
    with path.open("wb") as stream:
        for number in range(samples):
            row = _row(number, f"images/{number % IMAGES}.jpg", _QUESTIONS[: 2 + number % 2])
            stream.write((b",\n" if number else b"[\n") + orjson.dumps(row))
        stream.write(b"\n]\n")
    return path


def write_varied(folder: Path, samples: int) -> Path:
    """Writes `samples` seeds with 1 to 4 questions each and an image of their own, which is small; gives the file."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(samples):
        stream = io.BytesIO()
        colour = (number % 256, number // 256 % 256, number // 65536)
        Image.new("RGB", (32, 32), colour).save(stream, "PNG")
        (folder / f"images/{number}.png").write_bytes(stream.getvalue())
        asked = random.Random(f"varied {number}").randint(1, 4)
        rows.append(_row(number, f"images/{number}.png", [*_QUESTIONS, _MORE][:asked]))
    path = folder / "seeds.json"
    path.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    return path


def _row(number: int, image: str, questions: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    rng = random.Random(number)
    boxes = [BOX, *(_box(rng) for _ in range(4))]
    return {
        "id": f"sample-{number:06d}",
        "image": image,
        "topic_name": ["place"],
        "caption": [{"from": "human", "value": "<image>\nDescribe the image."}, {"from": "gpt", "value": _CAPTION}],
        "det": [{"label": f"object {i}", "bbox": box, "confidence": 1.0} for i, box in enumerate(boxes)],
        "conversations_v0": [
            {"image_position": "single", "objects": ["place"], "skills": [f"{skill} Ability"], "format": "Norm",
             "question": question, "steps": [], "answer": answer}
            for question, answer, skill in questions
        ],
    }  # fmt: skip


def _box(rng: random.Random) -> tuple[float, ...]:
    left, top = rng.uniform(0, 0.7), rng.uniform(0, 0.7)
    return tuple(round(edge, 3) for edge in (left, top, left + 0.2, top + 0.25))


def _pictures(count: int, seed: int) -> Iterator[bytes]:
    """JPEGs of smooth colours under fine grain, which is as strong as the wished size of the first one asks for."""
    low, high = 0.0, 64.0
    for _ in range(8):
        strength = (low + high) / 2
        small = len(_jpeg(np.random.default_rng((seed, 0)), strength)) < IMAGE_BYTES
        low, high = (strength, high) if small else (low, strength)
    for number in range(count):
        yield _jpeg(np.random.default_rng((seed, number)), (low + high) / 2)


def _jpeg(rng: np.random.Generator, strength: float) -> bytes:
    width, height = _SIZE
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(_SIZE, Image.Resampling.BICUBIC)
    grain = rng.normal(0.0, strength, (height, width, 1))
    pixels = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return stream.getvalue()
