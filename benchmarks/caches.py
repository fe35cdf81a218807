"""The caches scenario: how much of the prompts a vLLM has seen before, in evolgraph's order and in the original's.

Every run is new to the server: its images differ from those of earlier runs by some bytes behind their end, and its
prefixes are kept apart by a `cache_salt`.
"""

import asyncio
import base64
import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import orjson
from evolgraph.agents.agent import Prompter, known_facts
from evolgraph.agents.judge import Judge
from evolgraph.agents.registry import directions
from evolgraph.endpoints.chat import ImagePart, Message, TextPart
from evolgraph.endpoints.client import Client, Endpoint, probe
from evolgraph.graph.machine import build_graph
from evolgraph.graph.policies.registry import load_policy
from evolgraph.graph.settings import Settings
from evolgraph.graph.state import initial
from evolgraph.prompts.library import Library, data_lines
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Image, Sample

from .prefixes import sharable
from .processes import ROOT
from .recording import Recording, image_parts, recording

_COUNTERS: Final = ("mm_cache_queries", "mm_cache_hits", "prefix_cache_queries", "prefix_cache_hits")
_COUNTER: Final = re.compile(rf"^vllm:({'|'.join(_COUNTERS)})_total(?:\{{.*\}})? ([\d.e+]+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r'^vllm:cache_config_info\{.*\bblock_size="(\d+)"', re.MULTILINE)
_SETTLE_S: Final = 1.0
"""Seconds until the server's counters have taken in its last replies."""
VARIANTS: Final = ("ours", "without_uuid", "original")
"""evolgraph as it is; the same, but every request with the bytes of its images; and in the original's order."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is evolved, and where."""

    endpoint: str
    model: str
    seeds: Path = ROOT / "examples" / "seeds" / "seeds.json"
    rounds: int = 3
    ablate: tuple[str, ...] = ("screen",)
    """Without the screen every round has a judge call, whatever the model says."""
    policy: str = "uniform"


@dataclass(frozen=True, slots=True)
class OriginalOrder(Prompter):
    """The order of MMEvol's published code: a system prompt for each agent, and the static text after the image."""

    agent: str = ""

    def messages(self, sample: Sample, task: str) -> tuple[Message, ...]:
        """The messages that put `task` about `sample`."""
        facts = self.library.render("facts", facts=data_lines(known_facts(sample)))
        images = tuple(ImagePart(image) for image in sample.images)
        return (
            Message("system", (TextPart(f"You are the {self.agent} agent."),)),
            Message("user", (*images, TextPart(self.system), TextPart(facts), TextPart(task))),
        )


class NewImages:
    """The images of `root` with some random bytes behind their end: no server has seen them before."""

    def __init__(self, root: ImageRoot) -> None:
        self._root = root
        self._salt = secrets.token_bytes(12)

    async def encoded(self, image: Image) -> bytes:
        """The data URI as a JSON string literal."""
        head, _, data = orjson.loads(await self._root.encoded(image)).partition(",")
        salted = base64.b64encode(base64.b64decode(data) + self._salt).decode()
        return orjson.dumps(f"{head},{salted}")


async def caches(scenario: Scenario) -> dict[str, Any]:
    """Measures all VARIANTS; gives one object of figures. Raises EndpointError when there is no such server."""
    await probe(Endpoint(url=scenario.endpoint, model=scenario.model))
    found = {variant: await _measured(scenario, variant) for variant in VARIANTS}
    shares = [found[variant]["prefix_hit_share"] for variant in ("ours", "original")]
    told = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(scenario).items()}
    return {"scenario": "caches", **told, **found, "prefix_hits_ours_to_original": round(shares[0] / shares[1], 3)}


async def _measured(scenario: Scenario, variant: str) -> dict[str, Any]:
    before = await _metrics(scenario.endpoint)
    async with recording(scenario.endpoint) as (url, seen):
        samples, statuses = await _evolved(scenario, url, variant)
    await asyncio.sleep(_SETTLE_S)
    after = await _metrics(scenario.endpoint)
    counted = {name: value - _counters(before)[name] for name, value in _counters(after).items()}
    block = _BLOCK.search(after)
    if block is None:
        raise click.ClickException("the server does not tell its block size at /metrics: is it a vLLM?")
    most = await sharable(scenario.endpoint, seen, int(block[1]))
    return _figures(counted, seen, samples, most) | {"statuses": dict(statuses)}


async def _evolved(scenario: Scenario, url: str, variant: str) -> tuple[int, Counter[str]]:
    """Evolves all seeds at once through `url`; gives how many there were, and how they ended."""
    root = ImageRoot(scenario.seeds.parent)
    samples = [row for row in read(scenario.seeds, root) if isinstance(row, Sample)]
    settings = Settings(rounds=scenario.rounds, ablate=scenario.ablate, policy=scenario.policy, patience=0)
    salted = {"cache_salt": secrets.token_hex(16)}
    uuid = False if variant == "without_uuid" else None
    endpoint = await probe(Endpoint(url=url, model=scenario.model, extra_body=salted, image_uuid=uuid))
    async with Client([endpoint], NewImages(root), None, run_seed=settings.seed) as client:
        library = Library()

        def prompter(agent: str) -> Prompter:
            return OriginalOrder(library, agent) if variant == "original" else Prompter(library)

        graph = build_graph(
            {name: agent(client, prompter(name)) for name, agent in directions().items()},
            Judge(client, prompter(Judge.name)),
            load_policy(settings.policy),
            settings,
        )
        config: Any = {"recursion_limit": 2 * settings.rounds + 4}
        ended = await asyncio.gather(*(graph.ainvoke(initial(one, place), config) for place, one in enumerate(samples)))
    return len(samples), Counter(state["status"] for state in ended)


def _figures(counted: Mapping[str, float], seen: Recording, samples: int, most: int) -> dict[str, Any]:
    prompts = sum(one.usage["prompt_tokens"] for one in seen.answered)
    return {
        "samples": samples,
        "requests": len(seen.answered),
        "prompt_tokens": prompts,
        "mm_queries": counted["mm_cache_queries"],
        "mm_hit_share": _share(counted["mm_cache_hits"], counted["mm_cache_queries"]),
        "prefix_queries": counted["prefix_cache_queries"],
        "prefix_hits": counted["prefix_cache_hits"],
        "prefix_hit_share": _share(counted["prefix_cache_hits"], counted["prefix_cache_queries"]),
        "prefix_most": most,
        "prefix_hits_of_most": _share(counted["prefix_cache_hits"], most),
        "bytes_per_sample": round(seen.bytes_sent / samples),
        "images_sent": sum(bool(part["image_url"]) for one in seen.answered for part in image_parts(one.body)),
    }


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


async def _metrics(endpoint: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(endpoint.removesuffix("/v1") + "/metrics") as response:
        return await response.text()


def _counters(metrics: str) -> dict[str, float]:
    """The caches' counters, summed over engines; those that the server does not tell are 0."""
    found: dict[str, float] = dict.fromkeys(_COUNTERS, 0.0)
    for name, value in _COUNTER.findall(metrics):
        found[name] += float(value)
    return found


_ROWS: Final = (
    ("requests", "requests", "{:,.0f}"),
    ("prompt tokens", "prompt_tokens", "{:,.0f}"),
    ("image cache: hits of queries", "mm_hit_share", "{:.1%}"),
    ("prefix cache: hits of tokens", "prefix_hit_share", "{:.1%}"),
    ("prefix cache: hits of possible", "prefix_hits_of_most", "{:.1%}"),
    ("images sent", "images_sent", "{:,.0f}"),
    ("bytes sent a sample", "bytes_per_sample", "{:,.0f}"),
)


def shown(found: Mapping[str, Any]) -> str:
    """The figures of `caches` as a small table."""
    left_out = ", ".join(found["ablate"]) or "nothing"
    lines: Sequence[str] = [
        f"{found['ours']['samples']} samples x {found['rounds']} rounds, without {left_out}",
        f"{'':32}{'evolgraph':>14}{'without uuid':>14}{'original':>14}",
        *(
            f"{title:32}" + "".join(f"{form.format(found[variant][name]):>14}" for variant in VARIANTS)
            for title, name, form in _ROWS
        ),
        f"prefix hits, evolgraph / original: {found['prefix_hits_ours_to_original']:.2f}",
    ]
    return "\n".join(lines)
