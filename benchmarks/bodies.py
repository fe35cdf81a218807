"""The bodies that the bare loop sends: what evolgraph's agents would send, made beforehand, the image left out."""

from itertools import islice
from pathlib import Path
from typing import Any

from evolgraph.agents.agent import Prompter, View
from evolgraph.agents.judge import Judge
from evolgraph.agents.reasoning import Reasoning
from evolgraph.agents.replies import EvolvedQA
from evolgraph.agents.screen import Pair, normalise
from evolgraph.endpoints.client import Answer, Ask, Endpoint, Usage
from evolgraph.endpoints.fragments import Fragments
from evolgraph.endpoints.wire import Call, body
from evolgraph.prompts.library import Library
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import QA, Image, Sample

from .bare import GAP
from .replies import evolved


class _Gap:
    async def encoded(self, image: Image) -> bytes:
        return GAP


class _Recorder:
    """A model that answers nothing and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._endpoint = Endpoint(url="http://127.0.0.1/v1", model="mock")

    async def ask(self, ask: Ask[Any]) -> Answer[Any]:
        call = Call(ask.key, 0, ask.role, ask.messages, ask.reply, seed=1)
        made = await body(call, "mock", self._endpoint.sampling(), Fragments(_Gap()))
        self.bodies.append(made.content)
        return Answer(None, "empty", "", 1, 0, Usage())


async def bodies(seeds: Path) -> list[bytes]:
    """Evolve and judge bodies of the first two samples of `seeds` in their second round."""
    recorder = _Recorder()
    prompter = Prompter(Library())
    samples = [row for row in islice(read(seeds, ImageRoot(seeds.parent)), 2) if isinstance(row, Sample)]
    for sample in samples:
        view = View(sample, 2, tuple(_head(qa, place, 1) for place, qa in enumerate(sample.qas)))
        await Reasoning(recorder, prompter).evolve(view)
        pairs = [_pair(head, place) for place, head in enumerate(view.heads)]
        await Judge(recorder, prompter).judge(view, pairs)
    return recorder.bodies


def _head(seed: QA, place: int, level: int) -> QA:
    return normalise(EvolvedQA.model_validate({"id": seed.id} | evolved(place, level)), seed).qa


def _pair(head: QA, place: int) -> Pair:
    return Pair(normalise(EvolvedQA.model_validate({"id": head.id} | evolved(place, 2)), head), head, "reasoning")
