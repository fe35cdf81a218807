"""The rendered prompts, kept as files, so that a change of a prompt shows in review.

Renew them, after a change that is meant, with

    EVOLGRAPH_RENEW_SNAPSHOTS=1 uv run pytest tests/prompts
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from evolgraph.agents.agent import Agent, Prompter, View
from evolgraph.agents.curation import Curation
from evolgraph.agents.evidence import examine
from evolgraph.agents.interaction import Interaction
from evolgraph.agents.judge import Judge
from evolgraph.agents.perception import Perception
from evolgraph.agents.reasoning import Reasoning
from evolgraph.agents.screen import Candidate, Pair
from evolgraph.endpoints.chat import TextPart
from evolgraph.graph.features import FEATURE_SET, features
from evolgraph.graph.policies.model import task
from evolgraph.graph.policies.policy import Context
from evolgraph.graph.state import initial
from evolgraph.prompts.library import HERE, Library, data_lines
from evolgraph.samples.sample import Box

from ..conftest import make_qa, make_sample, solved

SNAPSHOTS = Path(__file__).parent / "snapshots"
PROMPTER = Prompter(Library())
SAMPLE = make_sample()
CRACK = Box(label="crack", bbox=(0.7, 0.6, 0.75, 0.65), origin="proposed")


class _NoModel:
    async def ask(self, ask: Any) -> Any:
        raise AssertionError("a task's text needs no model")


def _task(agent: type[Agent], rejected: Sequence[dict[str, Any]] = (), proposed: tuple[Box, ...] = ()) -> str:
    view = View(sample=SAMPLE, round=1, heads=SAMPLE.qas, rejected=rejected, proposed=proposed)
    return agent(_NoModel(), PROMPTER).task(view)


def _judge() -> str:
    pairs = [
        Pair(Candidate(solved(0)), make_qa(0), "reasoning"),
        Pair(Candidate(make_qa(1, question="Is the plate cracked?"), proposed=(CRACK,)), make_qa(1), "perception"),
    ]
    view = View(sample=SAMPLE, round=1, heads=SAMPLE.qas)
    found = {solved(0).id: examine(solved(0), SAMPLE.boxes)}
    return Judge(_NoModel(), PROMPTER).task(view, pairs, found)


def _look(name: str, look: dict[str, str]) -> str:
    return PROMPTER.library.render(name, look=data_lines(look))


def _facts() -> str:
    text = PROMPTER.messages(SAMPLE, "")[1].parts[1]
    assert isinstance(text, TextPart)
    return text.text


def _route() -> str:
    known = {agent.name: agent.__doc__ or "" for agent in (Perception, Reasoning, Interaction)}
    context = Context("table", 1, ("perception", "reasoning"), features(initial(SAMPLE, 0), 1), FEATURE_SET)
    return task(context, PROMPTER.library, known)


TURNED_DOWN = [
    {"id": "q1", "question": "Is it big?", "answer": "Yes.", "reason": "not-answerable: what is big is not said"}
]
SEEN_AS_TEXT = {
    "id": "q0",
    "seed": {"question": "What is red?", "answer": "The cup."},
    "evolved": {"question": "What is left of the plate?", "answer": "The red cup."},
}
TEXTS = {
    "system": lambda: PROMPTER.system,
    "facts": _facts,
    "perception": lambda: _task(Perception),
    "reasoning": lambda: _task(Reasoning, rejected=TURNED_DOWN, proposed=(CRACK,)),
    "interaction": lambda: _task(Interaction),
    "curation": lambda: Curation(_NoModel(), PROMPTER).task(),
    "judge": _judge,
    "judge_text": lambda: PROMPTER.library.render("judge_text", pairs=data_lines([SEEN_AS_TEXT])),
    "blind": lambda: PROMPTER.library.render("blind", questions=data_lines([{"id": "q0", "question": "What is red?"}])),
    "grounding": lambda: _look("grounding", {"manipulation": "Grounding", "target": "left cup"}),
    "referring": lambda: _look("referring", {"manipulation": "Referring", "shown": "a part"}),
    "reading": lambda: _look("reading", {"manipulation": "OCR", "shown": "a part", "target": "plate"}),
    "route": _route,
    "repair": lambda: PROMPTER.repair("evolved.0.answer: Field required"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_rendered_prompt_is_what_its_snapshot_says(name: str) -> None:
    path = SNAPSHOTS / f"{name}.md"
    rendered = TEXTS[name]() + "\n"
    if os.environ.get("EVOLGRAPH_RENEW_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(rendered, encoding="utf-8")
    assert rendered == path.read_text(encoding="utf-8"), "see this module's docstring on how to renew the snapshots"


def test_every_prompt_has_a_snapshot() -> None:
    texts = {path.stem for path in HERE.glob("*.md")} - {"work"}  # a part of the directions' tasks
    assert texts == set(TEXTS) == {path.stem for path in SNAPSHOTS.iterdir()}
