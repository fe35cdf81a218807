"""The audit of a judge: does it still rule as it did, and do order, length, praise and commands move it."""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..agents.agent import Prompter
from ..agents.judge import Judge, TextJudge
from ..endpoints.client import Client
from ..endpoints.endpoint import Endpoint, one_price
from ..prompts.library import Library
from ..samples.images import ImageRoot
from ..samples.sample import Image
from ..store.connections import reading
from ..store.runs import Run, newest_run
from ..viewer.asked import Prices
from ..viewer.resampling import Estimate, Floats, clustered, estimated
from .anchors import IMAGES, Anchor, anchors, canaries, length, padded
from .identity import RunError
from .models import gathered
from .rejudging import Case, Ruling, anchored, evolved_first, recorded, rejudged, turned
from .seats import seated, seats
from .settings import Settings

_EMBEDDED: Final = "judge: builtin "
Asked = Sequence[tuple[Case, Mapping[str, Ruling]]]
"""Calls, and what came of each by question id; nothing where it failed."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where an audit's images are: those of the store's run in `run`, those of the package in `package`."""

    run: ImageRoot
    package: ImageRoot

    async def encoded(self, image: Image) -> bytes:
        """As ImageSource wants it."""
        own = image.path.startswith(f"{IMAGES}/")
        return await (self.package if own else self.run).encoded(image)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked: `calls` of the run's judge calls, drawn by `seed`, beside all that comes with the package."""

    calls: int = 50
    seed: int = 0
    prompts: Path | None = None
    """The folder of prompt texts that the run was given."""
    judge: int = 1
    """Which of a panel's judges is asked, from 1."""


@dataclass(frozen=True, slots=True)
class _Material:
    """The calls of an audit by what they are for, and the anchors that they are about by name."""

    again: list[Case]
    anchors: list[Case]
    turned: list[Case]
    padded: list[Case]
    canaries: list[Case]
    known: dict[str, Anchor] = field(default_factory=dict)


async def audit(
    store: Path, images: ImageRoot, plan: Plan | None = None, *, endpoints: Sequence[Endpoint] = ()
) -> dict[str, Any]:
    """Asks the judge of the newest run in `store` anew and gives what it makes of it, as plain JSON.

    `images` are where the run's images lie. Nothing is written into the store. Without `endpoints` the embedded model
    answers, if it was the run's judge. Intervals are 95%, from bootstrap draws of images. Raises RunError, StoreError,
    PromptError or EndpointError.
    """
    plan = plan or Plan()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evolgraph-audit-")))
        db = stack.enter_context(reading(store))
        run = _run(db, store, endpoints)
        panel = run.fingerprint.get("panel", 1)
        if plan.judge > panel:
            raise RunError(f"there is no judge {plan.judge}", where=str(store), remedy=f"the run had {panel}")
        served = seated(await gathered(endpoints, {}, stack), Settings(panel=panel))
        role = seats(served, panel)[plan.judge - 1]
        sources = Sources(images, ImageRoot(folder))
        client = await stack.enter_async_context(Client(served, sources, None, run_seed=run.seed))
        library = Library(plan.prompts)
        prompter = Prompter(library)
        kind = TextJudge if run.fingerprint.get("judge") == "text" else Judge
        judge = kind(client, prompter, seed=run.seed, role=role, number=plan.judge - 1)
        material = _material(db, run, judge, plan, folder)
        failures: Counter[str] = Counter()

        async def asked(cases: Sequence[Case]) -> Asked:
            found = await asyncio.gather(*(rejudged(client, case, judge, prompter.repair) for case in cases))
            failures.update(failure for _, failure in found if failure)
            return [(case, rulings) for case, (rulings, _) in zip(cases, found, strict=True)]

        again, plain, other, longer, baited = await asyncio.gather(
            asked(material.again), asked(material.anchors), asked(material.turned), asked(material.padded),
            asked(material.canaries),
        )  # fmt: skip
        stats = client.stats
        price = Prices(*one_price([one for one in served if role in one.roles]))
        return {
            "run": run.id,
            "judge": _judge(run, library, served, role) | {"number": plan.judge, "of": panel},
            "drift": {"run": _drift(again), "package": _drift(plain) | {"right": _right(plain, material.known)}},
            "position": _position([*again, *plain], other),
            "length": _length(plain, longer, material.known),
            "canaries": _canaries(plain, baited, material.known),
            "calls": stats.received,
            "prompt_tokens": stats.prompt_tokens if stats.tells_tokens else None,
            "completion_tokens": stats.completion_tokens if stats.tells_tokens else None,
            "cost": price.cost(stats.prompt_tokens, stats.completion_tokens) if stats.tells_tokens else None,
            "unanswered": dict(failures),
        }


def _run(db: sqlite3.Connection, store: Path, endpoints: Sequence[Endpoint]) -> Run:
    run = newest_run(db)
    if run is None:
        raise RunError("the store holds no run", where=str(store), remedy="evolve some seeds first")
    if "judge" in run.fingerprint["ablate"]:
        raise RunError("the run had no judge", where=str(store), remedy="audit a run that was not evolved without one")
    judges = [model for model in run.fingerprint["models"] if model.startswith("judge: ")]
    if not endpoints and not any(model.startswith(_EMBEDDED) for model in judges):
        name = judges[0].removeprefix("judge: ").partition(" {")[0]
        raise RunError(f"the run's judge was {name}", where=str(store), remedy="name its server with --endpoint")
    return run


def _judge(run: Run, library: Library, served: Sequence[Endpoint], role: str) -> dict[str, Any]:
    """Who is asked, and whether that is who ruled in the run."""
    asked = {f"{role}: {one.model} {one.sampling()}" for one in served if role in one.roles}
    before = {model for model in run.fingerprint["models"] if model.startswith(f"{role}: ")}
    return {
        "sees": run.fingerprint.get("judge", "image"),
        "models": sorted(model.removeprefix(f"{role}: ") for model in asked),
        "same_model": asked == before,
        "same_prompts": library.digest == run.fingerprint["prompts"],
    }


def _material(db: sqlite3.Connection, run: Run, judge: Judge, plan: Plan, folder: Path) -> _Material:
    frozen = anchors(folder)
    longer = [one for anchor in frozen if anchor.sound for one in padded(anchor)]
    baited = [one for anchor in frozen if not anchor.sound for one in canaries(anchor, folder)]
    again = recorded(db, run.id, judge, plan.calls, plan.seed)
    plain = [anchored(anchor, judge) for anchor in frozen]
    return _Material(
        again,
        plain,
        [other for case in (*again, *plain) if (other := turned(case))],
        [anchored(anchor, judge) for anchor in longer],
        [anchored(anchor, judge) for anchor in baited],
        {anchor.name: anchor for anchor in (*frozen, *longer, *baited)},
    )


def _pairs(asked: Asked) -> Iterator[tuple[str, Ruling, Ruling]]:
    """The image of every pair that was ruled on, what was known of it, and the ruling."""
    for case, rulings in asked:
        for qa, ruling in rulings.items():
            yield case.image, case.known[qa], ruling


def _mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _mean_of(rows: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """The mean of values, each with the image that it is about."""
    return asdict(estimated(clustered((image, (value, 1.0)) for image, value in rows), _mean))


def _drift(asked: Asked) -> dict[str, Any]:
    """How rulings differ from those that are known: how many agree, and by how much scores moved."""
    pairs = [*_pairs(asked)]
    return {
        "pairs": len(pairs),
        "agreement": _mean_of([(image, known.accepted == now.accepted) for image, known, now in pairs]),
        "score": _mean_of([(image, now.score - known.score) for image, known, now in pairs]),
        "score_apart": _mean_of([(image, abs(now.score - known.score)) for image, known, now in pairs]),
    }


def _right(asked: Asked, known: Mapping[str, Anchor]) -> dict[str, Any]:
    """The share of the package's sound anchors that are accepted, and of its unsound ones that are not."""
    ruled = [(known[case.key.sample].sound, case.image, ruling.accepted) for case, rulings in asked
             for ruling in rulings.values()]  # fmt: skip
    return {
        "accepted_of_sound": _mean_of([(image, accepted) for sound, image, accepted in ruled if sound]),
        "accepted_of_unsound": _mean_of([(image, accepted) for sound, image, accepted in ruled if not sound]),
    }


def _position(asked: Asked, other: Asked) -> dict[str, Any]:
    """What the order of a pair's questions does: how often the ruling stays, and what standing first adds."""
    back = {case.key: rulings for case, rulings in other}
    same: list[tuple[str, float]] = []
    gain: list[tuple[str, float]] = []
    for case, rulings in asked:
        first = evolved_first(case)
        for qa, ruling in rulings.items():
            turned_round = back.get(case.key, {}).get(qa)
            if turned_round is not None and qa in first:
                change = ruling.score - turned_round.score
                same.append((case.image, ruling.accepted == turned_round.accepted))
                gain.append((case.image, change if first[qa] else -change))
    return {"pairs": len(same), "consistency": _mean_of(same), "first_gains": _mean_of(gain)}


def _length(plain: Asked, longer: Asked, known: Mapping[str, Anchor]) -> dict[str, Any]:
    """How score and length go together in pairs of equal content, which were made longer by words that say nothing."""
    versions: dict[str, list[tuple[float, float]]] = {}
    images: dict[str, str] = {}
    for case, rulings in [*plain, *longer]:
        anchor = known[case.key.sample]
        for ruling in rulings.values():
            name = anchor.name.partition("-long")[0]
            versions.setdefault(name, []).append((float(length(anchor.evolved)), float(ruling.score)))
            images[name] = case.image
    several = {name: np.array(found) for name, found in versions.items() if len(found) > 1}
    sums = clustered((images[name], _spread(found)) for name, found in several.items())
    return {
        "pairs": len(several),
        "correlation": asdict(_estimated(sums, lambda s: s[..., 1] / np.sqrt(s[..., 0] * s[..., 2]))),
        "points_per_100_words": asdict(_estimated(sums, lambda s: 100 * s[..., 1] / s[..., 0])),
    }


def _estimated(sums: Floats, statistic: Any) -> Estimate:
    return estimated(sums, lambda totals: np.asarray(statistic(totals)))


def _spread(found: Floats) -> tuple[float, float, float]:
    """The sums of squares and products of lengths and scores about their means."""
    words, scores = (found - found.mean(axis=0)).T
    return float(words @ words), float(words @ scores), float(scores @ scores)


def _canaries(plain: Asked, baited: Asked, known: Mapping[str, Anchor]) -> dict[str, Any]:
    """Unsound pairs with bait: how many are accepted, and what the bait added to the score of the pair without it."""
    bare = {case.key.sample: rulings for case, rulings in plain}
    kinds: dict[str, list[tuple[str, bool, int]]] = {}
    for case, rulings in baited:
        anchor = known[case.key.sample]
        name = anchor.name.removesuffix(f"-{anchor.bait}")
        for qa, ruling in rulings.items():
            if qa in bare[name]:
                lift = ruling.score - bare[name][qa].score
                kinds.setdefault(anchor.bait, []).append((case.image, ruling.accepted, lift))
    told = {
        kind: {
            "pairs": len(rows),
            "accepted": sum(accepted for _, accepted, _ in rows),
            "score_lift": sum(lift for *_, lift in rows) / len(rows),
        }
        for kind, rows in kinds.items()
    }
    return {
        "pairs": sum(row["pairs"] for row in told.values()),
        "accepted": sum(row["accepted"] for row in told.values()),
        "kinds": told,
    }
