from typing import Any

import pytest
from evolgraph.agents.agent import Agent, Prompter, View
from evolgraph.agents.interaction import Interaction
from evolgraph.agents.judge import Judge
from evolgraph.agents.perception import Perception
from evolgraph.agents.reasoning import Reasoning
from evolgraph.agents.registry import directions
from evolgraph.agents.replies import EvolvedQA, EvolveReply, JudgeReply, asked
from evolgraph.agents.screen import Candidate, Pair
from evolgraph.endpoints.chat import Ask, ImagePart, TextPart
from evolgraph.prompts.library import Library
from evolgraph.samples.sample import Box, Image
from evolgraph.samples.vocabulary import FORMS, SKILLS

from ..conftest import make_qa, make_sample, solved
from .conftest import Scripted, text_of

PROMPTER = Prompter(Library())
AGENTS = [Perception, Reasoning, Interaction]
SAMPLE = make_sample()


def evolved(*names: str) -> EvolveReply:
    fields = {"objects": ["cup"], "skills": ["OCR"], "form": "open", "question": "?", "steps": [], "answer": "!"}
    return EvolveReply(evolved=[EvolvedQA.model_validate({"id": name, **fields}) for name in names])


def view(round: int = 1, **changes: Any) -> View:
    values = {"sample": SAMPLE, "round": round, "heads": SAMPLE.qas}
    return View(**(values | changes))


async def asked_of(agent: type[Agent], seen: View) -> Ask[Any]:
    model = Scripted(evolved("q0", "q1"))
    await agent(model, PROMPTER).evolve(seen)
    return model.asks[0]


async def asked_of_judge(seen: View) -> Ask[Any]:
    # The judge is asked in vain: what it is shown matters here.
    model = Scripted(JudgeReply(verdicts=[]), JudgeReply(verdicts=[]))
    pairs = [Pair(Candidate(solved(0)), make_qa(0), "reasoning")]
    await Judge(model, PROMPTER).judge(seen, pairs)
    return model.asks[0]


async def test_one_call_brings_candidates_for_all_heads() -> None:
    model = Scripted(evolved("q1", "q0"))
    result = await Reasoning(model, PROMPTER).evolve(view(2, take=3))
    assert [candidate.id for candidate in result.candidates] == ["q1", "q0"]
    assert (result.failure, result.tokens) == (None, 110)
    ask = model.asks[0]
    assert (ask.key.sample, ask.key.round, ask.key.agent, ask.key.take) == ("table", 2, "reasoning", 3)
    assert (ask.role, ask.reply) == ("evolver", asked(EvolveReply, ("q0", "q1")))


async def test_a_reply_without_any_known_id_is_repaired() -> None:
    model = Scripted(evolved("1", "2"), evolved("q0"))
    result = await Perception(model, PROMPTER).evolve(view())
    assert len(model.repairs) == 1
    assert "no evolved question has one of the ids q0, q1" in model.repairs[0]
    assert [candidate.id for candidate in result.candidates] == ["q0"]
    assert result.tokens == 220


async def test_a_reply_that_stays_unusable_is_a_failure_and_no_exception() -> None:
    result = await Perception(Scripted(evolved("1"), evolved("2")), PROMPTER).evolve(view())
    assert result.candidates == ()
    assert result.failure
    assert result.failure.kind == "check"
    assert "q0, q1" in result.failure.detail


@pytest.mark.parametrize("agent", AGENTS)
async def test_messages_are_system_then_images_facts_and_the_task(agent: type[Agent]) -> None:
    other = Image(path="detail.png", sha256="cd" * 32, width=10, height=20)
    sample = make_sample(images=(*SAMPLE.images, other))
    system, user = (await asked_of(agent, view(sample=sample))).messages
    assert (system.role, user.role) == ("system", "user")
    kinds = [type(part) for part in user.parts]
    assert kinds == [ImagePart, ImagePart, TextPart, TextPart]
    assert [part.image.path for part in user.parts if isinstance(part, ImagePart)] == ["table.png", "detail.png"]
    assert text_of(user.parts[2:3]).startswith("# Facts")
    assert text_of(user.parts[3:]).startswith("# Task")


async def test_all_agents_and_rounds_of_a_sample_share_one_prefix() -> None:
    later = view(
        3,
        heads=(solved(0), make_qa(1)),
        rejected=[{"id": "q1", "question": "?", "answer": "!", "reason": "not-correct: no"}],
        proposed=(Box(label="crack", bbox=(0.7, 0.6, 0.75, 0.65), origin="proposed"),),
        take=2,
    )
    asks = [await asked_of(agent, seen) for agent in AGENTS for seen in (view(), later)]
    asks += [await asked_of_judge(view()), await asked_of_judge(later)]
    prefixes = {(ask.messages[0], ask.messages[1].parts[:-1]) for ask in asks}
    assert len(prefixes) == 1
    tasks = {text_of(ask.messages[1].parts[-1:]) for ask in asks}
    assert len(tasks) == 8  # with the round even the judge's changes: which question of a pair stands first


async def test_the_system_text_names_the_closed_vocabulary_and_interaction_the_forms() -> None:
    ask = await asked_of(Interaction, view())
    assert all(skill in text_of(ask.messages[0].parts) for skill in SKILLS)
    assert all(form in text_of(ask.messages[1].parts) for form in FORMS)


def test_feedback_and_confirmed_boxes_are_shown_only_where_there_are_any() -> None:
    agent = Reasoning(Scripted(), PROMPTER)
    assert "```json rejected" not in agent.task(view())
    assert "```json proposed" not in agent.task(view())
    turned_down = {"id": "q0", "question": "Is it old?", "answer": "Yes.", "reason": "not-answerable: who knows"}
    crack = Box(label="crack", bbox=(0.7, 0.6, 0.75, 0.65), origin="proposed")
    task = agent.task(view(rejected=[turned_down], proposed=(crack,)))
    assert "not-answerable: who knows" in task
    assert '{"label":"crack","bbox":[0.7,0.6,0.75,0.65]}' in task


def test_the_facts_hold_no_path_and_no_hash() -> None:
    facts = text_of(PROMPTER.messages(SAMPLE, "")[1].parts)
    assert "table.png" not in facts
    assert "abab" not in facts


def test_the_three_directions_are_registered_by_their_names() -> None:
    assert list(directions())[:3] == ["perception", "reasoning", "interaction"]
