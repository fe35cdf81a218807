"""The data that evolves: samples, their images and boxes, and their questions.

All values are frozen; a change makes a new value. Coordinates are fractions of the image's width and height with the
origin at the top left.
"""

import hashlib
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
BBox = tuple[Fraction, Fraction, Fraction, Fraction]


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(Value):
    """One image of a sample: where it lies and what it is, never its bytes."""

    path: str
    """Relative to the image root, with forward slashes."""
    sha256: str
    """Hex digest of the file's bytes."""
    width: int = Field(gt=0)
    """Pixels, after the EXIF rotation is applied."""
    height: int = Field(gt=0)
    converted: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    """What is changed when it is sent: `16-bit`, `CMYK`, `palette`, `rotated`, `animated` (its first frame is sent)."""


class Crop(Image):
    """A part of an image, seen closely. Made by `samples.crops.crop`; its hash tells what was cut, and how."""

    whole: Image
    bbox: BBox


class Box(Value):
    """A labelled region (x1, y1, x2, y2) of one of the sample's images."""

    label: str
    bbox: BBox
    confidence: float = 1.0
    image: int = Field(default=0, ge=0)
    """Index of the image the box lies on."""
    origin: Literal["given", "proposed"] = "given"

    @model_validator(mode="after")
    def _ordered(self) -> "Box":
        x1, y1, x2, y2 = self.bbox
        if x2 <= x1 or y2 <= y1:
            raise ValueError("bbox must have x1 < x2 and y1 < y2")
        return self


class Step(Value):
    """One step of a solution: what it finds, and the manipulation it carries out (None for plain thought).

    A manipulation is kept as it was written, as in `Grounding_1(cup)->bbx_1`.
    """

    manipulation: str | None = None
    description: str


class QA(Value):
    """A question with its solution and answer. `id` is unique in its sample and stable through all rounds."""

    id: str
    image_position: str = "single"
    objects: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    form: str = "open"
    question: str
    steps: tuple[Step, ...] = ()
    answer: str


class Sample(Value):
    """One or several images, what is known of them, and the questions asked about them."""

    id: str
    images: tuple[Image, ...] = Field(min_length=1)
    caption: str = ""
    boxes: tuple[Box, ...] = ()
    topic: tuple[str, ...] = ()
    qas: tuple[QA, ...] = ()

    def digest(self) -> str:
        """Hex SHA-256 of the whole sample, used to notice that a seed changed between two runs."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()
