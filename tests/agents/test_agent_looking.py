"""Carrying out steps with a model: what it is shown, how results chain, and what a failed call leaves behind."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from evolgraph.agents.agent import Prompter, View
from evolgraph.agents.evidence import Finding
from evolgraph.agents.looking import Looking, same_text
from evolgraph.agents.screen import Candidate, Pair
from evolgraph.endpoints.chat import Answer, Ask, ImagePart, T, TextPart, Usage
from evolgraph.endpoints.gate import Stopped
from evolgraph.prompts.library import Library
from evolgraph.samples.sample import Box, Crop, Image, Sample, Step

from ..conftest import make_qa, make_sample

SAMPLE = make_sample()
PLATE = (0.65, 0.5, 0.95, 0.8)
CHAIN = (
    Step(manipulation="Grounding_1(plate)->bbx_1", description="The plate is at [0.650, 0.500, 0.950, 0.800]."),
    Step(manipulation="Referring_1(bbx_1)->tgt_1", description="The plate is white."),
    Step(manipulation="OCR_1(bbx_1)->txt_1", description="It says 12."),
    Step(manipulation="Calculate_1(txt_1 + 2)->res_1", description="12 + 2 = 14."),
)


@dataclass
class Seer:
    """Answers every look by rules, and remembers what it was shown."""

    says: Callable[[Mapping[str, Any]], Any]
    asks: list[Ask[Any]] = field(default_factory=list)

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        self.asks.append(ask)
        said = self.says(look_of(ask))
        if isinstance(said, Exception):
            raise said
        if isinstance(said, str):
            return Answer(None, said, "as the script says", 1, 0, Usage())
        return Answer(cast(T, ask.reply.model_validate(said)), "ok", "", 1, 0, Usage(100, 0, 10))


def look_of(ask: Ask[Any]) -> dict[str, Any]:
    text = ask.messages[-1].parts[-1]
    assert isinstance(text, TextPart)
    return json.loads(text.text.partition("```json look\n")[2].partition("\n```")[0])


async def looked(seer: Seer, *steps: Step, proposed: tuple[Box, ...] = (), sample: Sample = SAMPLE) -> list[Finding]:
    pair = Pair(Candidate(make_qa(steps=steps), proposed), make_qa(), "reasoning", sample.boxes)
    found = await Looking(seer, Prompter(Library())).look(View(sample, 1, sample.qas), [pair])
    return found.findings["q0"]


def sees(look: Mapping[str, Any]) -> Any:
    return {"Grounding": {"boxes": [[0.4, 0.2, 0.6, 0.6]]}, "Referring": {"description": "A white plate."},
            "OCR": {"text": "12"}}[look["manipulation"]]  # fmt: skip


async def test_what_a_model_sees_feeds_the_next_step_and_stands_beside_what_the_step_says() -> None:
    found = await looked(seer := Seer(sees), *CHAIN)
    assert [(one.by, one.agrees) for one in found] == [
        ("code", True), ("model", None), ("model", True), ("code", True)
    ]  # fmt: skip
    assert "A white plate." in found[1].found and found[2].value == 12.0 and found[3].found == "txt_1 + 2 is 14"
    assert [ask.key.step for ask in seer.asks] == [2, 4], "a call's number does not depend on what else was asked"
    assert {(ask.role, ask.key.agent) for ask in seer.asks} == {("evidence", "evidence")}


async def test_a_model_is_shown_the_part_alone_and_not_told_what_the_step_says() -> None:
    await looked(seer := Seer(sees), *CHAIN)
    for ask in seer.asks:
        image, text = ask.messages[-1].parts
        assert isinstance(image, ImagePart) and isinstance(image.image, Crop) and isinstance(text, TextPart)
        assert image.image.whole == SAMPLE.images[0] and image.image.bbox == PLATE
        assert image.image.sha256 != SAMPLE.images[0].sha256
        assert "white" not in text.text and "12" not in text.text and "Two cups" not in text.text
    first, second = (ask.messages[-1].parts[0] for ask in seer.asks)
    assert first == second, "one part is one image, however often it is shown"


def shown(seer: Seer) -> list[str]:
    """The images that were looked at, whole or in part."""
    images = [ask.messages[-1].parts[0].image for ask in seer.asks]  # type: ignore[union-attr]
    return [image.whole.path if isinstance(image, Crop) else image.path for image in images]


@pytest.mark.parametrize(
    "steps",
    [
        (Step(manipulation="Referring_1(bbx_1)->tgt_1", description="It is white."),),
        (Step(manipulation="Referring_1(it)->tgt_1", description="What is at [0.650, 0.500, 0.950, 0.800] is white."),),
        (Step(manipulation="OCR_1(bbx_1)->txt_1", description="It says 12."),),
    ],
    ids=["its name", "its numbers", "a text in it"],
)
@pytest.mark.parametrize(("target", "path"), [("plate", "desk.png"), ("lamp", "room.png")])
async def test_a_step_looks_at_the_image_that_its_thing_is_on(steps: tuple[Step, ...], target: str, path: str) -> None:
    first, second = (Image(path=name, sha256=name[0] * 64, width=100, height=100) for name in ("desk.png", "room.png"))
    alike = (Box(label="plate", bbox=PLATE), Box(label="lamp", bbox=PLATE, image=1))
    sample = SAMPLE.model_copy(update={"images": (first, second), "boxes": alike})
    grounding = Step(
        manipulation=f"Grounding_1({target})->bbx_1", description=f"The {target} is at [0.650, 0.500, 0.950, 0.800]."
    )
    found = await looked(seer := Seer(sees), grounding, *steps, sample=sample)
    assert shown(seer) == [path]
    assert found[-1].image == ("desk.png", "room.png").index(path)
    if steps[0].manipulation and steps[0].manipulation.startswith("Referring"):
        assert f"labelled {target}" in found[-1].found


async def test_a_thing_without_a_given_box_is_looked_for_and_marked_as_proposed_by_a_model() -> None:
    fork = Box(label="fork", bbox=(0.05, 0.7, 0.2, 0.9), origin="proposed")
    step = Step(manipulation="Grounding_1(fork)->bbx_1", description="The fork is at [0.050, 0.700, 0.200, 0.900].")
    (found,) = await looked(Seer(sees), step, proposed=(fork,))
    assert found.agrees is False and found.value == (0.4, 0.2, 0.6, 0.6) and "proposed by a model" in found.found
    (same,) = await looked(Seer(lambda _: {"boxes": [fork.bbox]}), step, proposed=(fork,))
    assert same.agrees is True
    (none,) = await looked(Seer(lambda _: {"boxes": []}), step, proposed=(fork,))
    assert none.agrees is False and none.found == "a model sees no such thing"


async def test_a_failed_call_is_unknown_with_its_reason_and_the_others_go_on() -> None:
    found = await looked(Seer(lambda look: "server" if look["manipulation"] == "Referring" else sees(look)), *CHAIN)
    assert found[1].agrees is None and found[1].found == "unknown: server: as the script says"
    assert found[1].record()["error"] == "server" and found[1].record()["seen"] == list(PLATE)
    assert found[3].agrees is True


async def test_what_stops_the_run_comes_out_as_itself() -> None:
    with pytest.raises(Stopped):
        await looked(Seer(lambda _: Stopped("budget")), *CHAIN)


@pytest.mark.parametrize(
    ("read", "described", "same"),
    [
        ("EXIT", "The sign reads 'Exit'.", True),
        ("Exit only", "The sign reads 'Exit'.", True),
        ("Entry", "The sign reads 'Exit'.", False),
        ("38 percent", "The value for Coal is 38 percent.", True),
        ("29", "The value for Coal is 38 percent.", False),
        ("Coal", "The value for Coal is high.", None),
        ("", "The sign reads 'Exit'.", None),
        ("1,250", "The total is 1250 euros.", True),
    ],
)
def test_a_text_is_the_same_by_its_letters_or_its_numbers(read: str, described: str, same: bool | None) -> None:
    assert same_text(read, described) is same
