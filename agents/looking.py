"""Evidence that takes a model: finding what has no box, looking closely into one, reading.

A model is shown the image, or a part of it enlarged two times, and is not told what the step says. So it cannot repeat
it, and what it sees stands beside the step for the judge. It refuses no pair: that model may err as well.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel

from ..endpoints.client import Answer, Ask, CallKey, ImagePart, Message, Model, TextPart
from ..prompts.library import data_lines
from ..samples.crops import crop
from ..samples.sample import Box, Image, Step
from .agent import Prompter, View
from .evidence import (
    SAME_BOX,
    BBox,
    Finding,
    Manipulation,
    Place,
    box_at,
    called,
    carried_out,
    cited,
    manipulations,
    overlap,
    referred,
)
from .replies import GroundingReply, ReadingReply, ReferringReply
from .screen import Pair
from .together import together

R = TypeVar("R", bound=BaseModel)
WHOLE: Final[BBox] = (0.0, 0.0, 1.0, 1.0)
_QUOTED: Final = re.compile(r"['\"\u2018\u201c]([^'\"\u2019\u201d]+)['\"\u2019\u201d]")
_NUMBER: Final = re.compile(r"-?\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found by question id, how many models were asked, and what that cost in tokens (None: unknown)."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    asked: int = 0
    tokens: int | None = 0


@dataclass(slots=True)
class _Chain:
    """One pair on its way through its steps; `next_step` numbers its calls for the ledger."""

    pair: Pair
    next_step: int
    results: dict[str, Finding] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    asked: int = 0
    tokens: int | None = 0


class Looking:
    """Carries out the steps of a sample's pairs with the model that serves the role `evidence`."""

    name: ClassVar[str] = "evidence"

    def __init__(self, model: Model, prompter: Prompter) -> None:
        self._model = model
        self._prompter = prompter

    async def look(self, view: View, pairs: Sequence[Pair]) -> Looked:
        """What carrying out the steps of `pairs` brings: pairs at once, the steps of one after the other.

        A call that fails is an unknown finding with its reason. Raises EndpointError and Stopped as the model does.
        """
        chains, step = [], 0
        for pair in pairs:
            chains.append(_Chain(pair, step))
            step += 2 * len(manipulations(pair.candidate.qa))
        await together([self._follow(view, chain) for chain in chains])
        costs = [chain.tokens for chain in chains]
        known = [cost for cost in costs if cost is not None]
        findings = {chain.pair.parent.id: chain.found for chain in chains}
        tokens = sum(known) if len(known) == len(costs) else None
        return Looked(findings, sum(chain.asked for chain in chains), tokens)

    async def _follow(self, view: View, chain: _Chain) -> None:
        boxes = (*chain.pair.boxes, *chain.pair.candidate.proposed)
        for number, step, made in manipulations(chain.pair.candidate.qa):
            finding = carried_out(number, step, made, boxes, chain.results)
            match made.name:
                case "Grounding":
                    finding = await self._ground(view, chain, step, made, finding)
                case "Referring":
                    finding = await self._refer(view, chain, step, made, finding)
                case "OCR":
                    finding = await self._read(view, chain, step, made, finding)
            chain.next_step += 2
            chain.found.append(finding)
            if made.result:
                chain.results[made.result] = finding

    async def _ground(self, view: View, chain: _Chain, step: Step, made: Manipulation, finding: Finding) -> Finding:
        """A given box stands as it is; what has none, or one that a model proposed, is looked for."""
        given = [box for box in view.sample.boxes if box.origin == "given"]
        if isinstance(finding.value, tuple) and box_at(Place(finding.value, finding.image), given):
            return finding
        task = self._task("grounding", target=made.argument)
        answer = await self._ask(view, chain, self._prompter.messages(view.sample, task), GroundingReply)
        if answer.value is None:
            return _unknown(finding, answer)
        if not answer.value.boxes or answer.value.image >= len(view.sample.images):
            return _seen(finding, "a model sees no such thing", agrees=False)
        box, claimed = answer.value.boxes[0], cited(step.description)
        same = overlap(claimed[-1], box) >= SAME_BOX if claimed else None
        corners = ", ".join(f"{value:.3f}" for value in box)
        seen = _seen(finding, f"proposed by a model: it sees this at [{corners}]", agrees=same)
        return replace(seen, value=box, seen=box, image=answer.value.image)

    async def _refer(self, view: View, chain: _Chain, step: Step, made: Manipulation, finding: Finding) -> Finding:
        place = referred(step, made, chain.results)
        if place is None or not _is_area(place.bbox):
            return finding
        box, number = place.bbox, _image_of(view, place)
        image = view.sample.images[number]
        answer = await self._ask(view, chain, self._closely("referring", image, box, {}), ReferringReply)
        if answer.value is None:
            return replace(_unknown(finding, answer), seen=box, image=number)
        said = answer.value.description.strip()
        found = f"{finding.found}; a model sees there: {said}" if said else "a model can make out nothing there"
        return replace(_seen(finding, found, agrees=None), seen=box, image=number)

    async def _read(self, view: View, chain: _Chain, step: Step, made: Manipulation, finding: Finding) -> Finding:
        place = referred(step, made, chain.results) or _sole(_bearing(made.argument, view.sample.boxes))
        place = place or Place(WHOLE, None)
        box, number = place.bbox if _is_area(place.bbox) else WHOLE, _image_of(view, place)
        image = view.sample.images[number]
        asked = {"target": "image" if made.argument in chain.results else made.argument}
        answer = await self._ask(view, chain, self._closely("reading", image, box, asked), ReadingReply)
        if answer.value is None:
            return replace(_unknown(finding, answer), seen=box, image=number)
        text = answer.value.text.strip()
        found = f"a model reads {text!r}" if text else "a model can read nothing there"
        seen = _seen(finding, found, agrees=same_text(text, step.description))
        return replace(seen, value=_value(text), seen=box, image=number)

    def _task(self, prompt: str, **asked: str) -> str:
        manipulation = {"grounding": "Grounding", "referring": "Referring", "reading": "OCR"}[prompt]
        return self._prompter.library.render(prompt, look=data_lines({"manipulation": manipulation} | asked))

    def _closely(self, prompt: str, image: Image, box: BBox, asked: Mapping[str, str]) -> tuple[Message, ...]:
        """One image and the task, without the facts: what they say is not what is to be seen."""
        shown = image if box == WHOLE else crop(image, (box[0], box[1], box[2], box[3]))
        system = Message("system", (TextPart(self._prompter.system),))
        task = self._task(prompt, shown="the whole" if box == WHOLE else "a part", **asked)
        return (system, Message("user", (ImagePart(shown), TextPart(task))))

    async def _ask(self, view: View, chain: _Chain, messages: tuple[Message, ...], reply: type[R]) -> Answer[R]:
        answer = await self._model.ask(
            Ask(
                key=CallKey(view.sample.id, view.round, self.name, view.take, chain.next_step),
                role="evidence",
                messages=messages,
                reply=reply,
                repair=self._prompter.repair,
                check=_check,
            )
        )
        chain.asked += 1
        used = answer.usage.total
        chain.tokens = None if chain.tokens is None or used is None else chain.tokens + used
        return answer


def same_text(read: str, described: str) -> bool | None:
    """Whether a step that says `described` tells the same text or number as was `read`; None where it names neither."""
    if not read:
        return None
    if quoted := _QUOTED.findall(described):
        said, seen = _plain(quoted[-1]), _plain(read)
        return said in seen or seen in said
    told, found = _numbers(described), _numbers(read)
    return bool(told & found) if told and found else None


def _check(reply: BaseModel) -> str | None:
    boxes = reply.boxes if isinstance(reply, GroundingReply) else []
    return None if all(_is_area(box) for box in boxes) else "a box needs x1 < x2 and y1 < y2"


def _is_area(box: BBox) -> bool:
    return box[0] < box[2] and box[1] < box[3]


def _seen(finding: Finding, found: str, *, agrees: bool | None) -> Finding:
    return replace(finding, found=found, agrees=agrees, by="model")


def _unknown(finding: Finding, answer: Answer[Any]) -> Finding:
    found = f"unknown: {answer.kind}: {answer.detail}"[:300]
    return replace(finding, found=found, agrees=None, by="model", error=answer.kind)


def _bearing(target: str, boxes: Sequence[Box]) -> list[Box]:
    """The boxes that the text of `target` can stand in: those called so, or its row of a table."""
    rows = [box for box in boxes if box.label.casefold() == f"{target.casefold()} row"]
    return rows or called(target, boxes)


def _sole(boxes: Sequence[Box]) -> Place | None:
    return Place(boxes[0].bbox, boxes[0].image) if len(boxes) == 1 else None


def _image_of(view: View, place: Place) -> int:
    """The index of the image to look at; where only a box is given, that of the known box it is, else the first."""
    hit = box_at(place, (*view.sample.boxes, *view.proposed))
    image = place.image if place.image is not None else hit.image if hit else 0
    return image if image < len(view.sample.images) else 0


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _numbers(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in _NUMBER.findall(text) if number.count(".") < 2}


def _value(text: str) -> float | str | None:
    numbers = _numbers(text)
    return numbers.pop() if len(numbers) == 1 else text or None
