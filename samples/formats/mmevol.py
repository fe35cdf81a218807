"""MMEvol's own layout: `conversations_v0` holds the seed questions, `conversations_vK` what round K accepted.

Read and written: `id, hash_id, image, topic_name, caption, det, conversations_v*` and in a question `image_position,
objects, skills, format, question, steps, answer, score`. Ours are the optional `id` of a question and the optional
`image` (an index) and `origin` of a box.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from ..sample import QA, Box, Sample, Step
from ..vocabulary import OPEN, normalise_form, normalise_manipulation, normalise_skill
from .evolved import Evolved, ScoredQA
from .fields import (
    Draft,
    RowError,
    Unknown,
    caption_text,
    entries,
    identity,
    identity_or_digest,
    image_references,
    labels,
    objects,
    required,
    text,
    texts,
)

_SLACK: Final = 0.001
"""How far a coordinate may lie outside 0 to 1 by rounding; it is then moved to the border."""
_NO_MANIPULATION: Final = {"", "none", "null", "n/a"}
_DESCRIBE: Final = "<image>\nDescribe the image in detail."


def matches(row: Mapping[str, Any]) -> bool:
    """Whether `row` is in this layout, or has a caption and no conversation of any layout."""
    if any(re.fullmatch(r"conversations_v\d+", key) for key in row):
        return True
    return bool(row.get("caption")) and not row.keys() & {"conversations", "messages"}


def parse(row: Mapping[str, Any]) -> Draft:
    """The seed in `row`, without questions where it has only a caption. Raises RowError."""
    unknown: Unknown = Counter()
    images = image_references(row)
    caption = caption_text(row.get("caption"))
    asking = "conversations_v0" in row or not caption.strip()
    seeds = objects(required(row, "conversations_v0") if asking else None, "conversations_v0")
    if not seeds and not caption.strip():
        raise RowError("conversations_v0", "holds no questions", "add one or a caption, or remove the row")
    return Draft(
        id=identity(row) if asking else identity_or_digest(row),
        images=images,
        qas=distinct(
            tuple(question(seed, f"conversations_v0[{i}].", i + 1, unknown) for i, seed in enumerate(seeds)),
            "conversations_v0",
        ),
        spare_id=text(row.get("hash_id") or "", "hash_id"),
        caption=caption,
        boxes=tuple(_box(entry, index, len(images)) for index, entry in enumerate(objects(row.get("det"), "det"))),
        topic=texts(row.get("topic_name"), "topic_name"),
        unknown=unknown,
    )


def _box(entry: Mapping[str, Any], index: int, images: int) -> Box:
    place = f"det[{index}]."
    corners = entries(required(entry, "bbox", place), f"{place}bbox")
    if len(corners) != 4 or not all(map(_is_fraction, corners)):
        raise RowError(f"{place}bbox", "expected 4 fractions of width and height, 0 to 1", "divide pixels by the size")
    image = entry.get("image", 0)
    if image not in range(images):
        raise RowError(f"{place}image", f"no image {image!r} among {images}", "count the images from 0")
    try:
        return Box.model_validate(
            {
                "label": text(required(entry, "label", place), f"{place}label", empty=False),
                "bbox": tuple(min(max(float(corner), 0.0), 1.0) for corner in corners),
                "confidence": entry.get("confidence", 1.0),
                "image": image,
                "origin": entry.get("origin", "given"),
            }
        )
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"])) or "bbox"
        raise RowError(f"{place}{name}", fault["msg"].removeprefix("Value error, "), "correct it") from error


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_SLACK <= value <= 1 + _SLACK


def question(seed: Mapping[str, Any], place: str, number: int, unknown: Unknown) -> QA:
    """A question of this layout, the `number`th of its row; `place` begins the names of its fields in a RowError."""
    steps = enumerate(objects(seed.get("steps"), f"{place}steps"))
    written = text(seed.get("format") or OPEN, f"{place}format")
    form = normalise_form(written)
    if form is None:
        unknown["form", written] += 1
    return QA(
        id=text(seed.get("id") or f"q{number}", f"{place}id"),
        image_position=text(seed.get("image_position") or "single", f"{place}image_position"),
        objects=texts(seed.get("objects"), f"{place}objects"),
        skills=labels(texts(seed.get("skills"), f"{place}skills"), normalise_skill, "skill", unknown),
        form=form or OPEN,
        question=text(required(seed, "question", place), f"{place}question", empty=False),
        steps=tuple(_step(step, f"{place}steps[{number}].", unknown) for number, step in steps),
        answer=text(required(seed, "answer", place), f"{place}answer", empty=False),
    )


def _step(step: Mapping[str, Any], place: str, unknown: Unknown) -> Step:
    written = text(step.get("manipulation") or "", f"{place}manipulation")
    manipulation = None if written.strip().lower() in _NO_MANIPULATION else written.strip()
    if manipulation and normalise_manipulation(manipulation) is None:
        unknown["manipulation", manipulation] += 1
    description = text(required(step, "description", place), f"{place}description")
    return Step(manipulation=manipulation, description=description)


def distinct(qas: tuple[QA, ...], name: str) -> tuple[QA, ...]:
    """`qas`, of the field `name`, if no two have the same id. Raises RowError."""
    repeated = [name for name, count in Counter(qa.id for qa in qas).items() if count > 1]
    if repeated:
        raise RowError(name, f"two questions have the id {repeated[0]!r}", "give each its own")
    return qas


def to_row(row: Evolved, number: int) -> dict[str, Any]:
    """`row` as a JSON object; `number` is its place in the file, counted from 0, which makes its `hash_id`."""
    sample = row.sample
    image = _image(sample)
    versions = (tuple(ScoredQA(qa) for qa in sample.qas), *row.generations)
    return {
        "id": sample.id,
        "hash_id": f"{number}_{sample.images[0].path.replace('/', '_')}",
        "image": image,
        "topic_name": list(sample.topic),
        "caption": _turns(sample.caption),
        "det": [_detection(box) for box in sample.boxes],
    } | {f"conversations_v{version}": [_written(scored) for scored in qas] for version, qas in enumerate(versions)}


def _image(sample: Sample) -> str | list[str]:
    paths = [image.path for image in sample.images]
    return paths[0] if len(paths) == 1 else paths


def _turns(caption: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": _DESCRIBE}, {"from": "gpt", "value": caption}] if caption else []


def _detection(box: Box) -> dict[str, Any]:
    found: dict[str, Any] = {"label": box.label, "bbox": list(box.bbox), "confidence": box.confidence}
    if box.image:
        found["image"] = box.image
    if box.origin != "given":
        found["origin"] = box.origin
    return found


def _written(scored: ScoredQA) -> dict[str, Any]:
    qa = scored.qa
    found: dict[str, Any] = {
        "id": qa.id,
        "image_position": qa.image_position,
        "objects": list(qa.objects),
        "skills": [f"{skill} Ability" for skill in qa.skills],
        "format": "Norm" if qa.form == OPEN else qa.form,
        "question": qa.question,
        "steps": [step.model_dump() for step in qa.steps],
        "answer": qa.answer,
    }
    if scored.score is not None:
        found["score"] = scored.score
    return found
