"""Questions before and after their evolution, chosen for people to look at, with their images."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image as Pillow

from ..samples.images import ImageError, ImageRoot
from ..samples.sample import Image
from .tally import Line

SIDE: Final = 560
"""Pixels along the longer side of an image in a report."""
_QUALITY: Final = 82
_SPARE: Final = 4
"""How many times more are kept than are shown, so that there is a choice of images."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question that was evolved at least once, of one sample."""

    sample: Mapping[str, Any]
    line: Line
    rounds: int

    @property
    def direction(self) -> str:
        """Where it went last."""
        return self.line.accepted[-1].direction or ""

    @property
    def gain(self) -> float:
        """By how much its complexity rose; 0 when it is not known."""
        before, after = self.line.seed_complexity, self.line.head(self.rounds)[1]
        return after - before if before is not None and after is not None else 0.0

    @property
    def image(self) -> str:
        """The SHA-256 of its first image."""
        return self.sample["images"][0]["sha256"]

    def row(self) -> dict[str, Any]:
        """As it is told: the seed and the question it became, and the way from one to the other."""
        after, complexity = self.line.head(self.rounds)
        verdicts = {one.round: one for one in self.line.verdicts}
        return {
            "sample": self.sample["id"],
            "image": self.sample["images"][0]["path"],
            "before": dict(self.line.seed.content),
            "after": dict(after),
            "complexity_before": self.line.seed_complexity,
            "complexity_after": complexity,
            "path": [
                {"round": one.round, "direction": one.direction, "reason": verdicts[one.round].reason}
                for one in self.line.accepted
            ],
        }


@dataclass(slots=True)
class Chosen:
    """The `count` questions with the largest gains, in turn by direction; no image twice before all had one."""

    rounds: int
    count: int = 6
    _best: dict[str, list[Example]] = field(default_factory=dict)

    def offer(self, sample: Mapping[str, Any], line: Line) -> None:
        """Takes a question into the choice."""
        if not line.accepted:
            return
        example = Example(sample, line, self.rounds)
        best = self._best.setdefault(example.direction, [])
        best.append(example)
        if len(best) > 2 * _SPARE * self.count:
            self._best[example.direction] = _ranked(best)[: _SPARE * self.count]

    def examples(self) -> list[Example]:
        """The choice."""
        waiting = {direction: _ranked(self._best[direction]) for direction in sorted(self._best)}
        found: list[Example] = []
        seen: set[str] = set()
        while len(found) < self.count and any(waiting.values()):
            for best in waiting.values():
                if not best or len(found) == self.count:
                    continue
                fresh = next((one for one in best if one.image not in seen), best[0])
                best.remove(fresh)
                found.append(fresh)
                seen.add(fresh.image)
            if not any(one.image not in seen for best in waiting.values() for one in best):
                seen.clear()
        return found


def _ranked(examples: list[Example]) -> list[Example]:
    return sorted(examples, key=lambda one: (-one.gain, one.sample["id"], one.line.seed.qa))


def embedded(images: ImageRoot, image: Mapping[str, Any], side: int = SIDE) -> str | None:
    """An image as a data URI: pixels only, decoded and written anew as JPEG. None when it is gone or has changed."""
    try:
        data = images.encode(Image.model_validate(image), side).data
    except ImageError:
        return None  # the page says so
    out = io.BytesIO()
    with Pillow.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
        clean = Pillow.frombytes(picture.mode, picture.size, picture.tobytes())  # no metadata
    clean.convert("RGB").save(out, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
