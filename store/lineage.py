"""How questions came about: decisions, verdicts and generations, and the settled samples made of them."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from .errors import RECOVER, StoreError
from .rows import FLAG, JSON, fetch, grouped, plain, snapshot

_PAGE: Final = 200
_CONTENTS: Final = "SELECT id, sample FROM samples WHERE run = ? AND id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Settled:
    """How a sample ended. Complexities are means over its questions, 1 to 10, None when never judged.

    `heads` are its final questions: the ids and the rounds they are of, as {"qa", "complexity", "round"} each.
    """

    sample: str
    take: int
    status: str
    rounds: int
    reason: str
    complexity_before: float | None
    complexity_after: float | None
    settled_ns: int
    heads: list[dict[str, Any]] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a sample was sent in a round, with what the policy knew and every direction's probability."""

    sample: str
    round: int
    direction: str
    propensity: float
    uniform: float
    policy: str
    policy_version: str
    feature_set: str
    decided_ns: int
    probabilities: dict[str, float] = field(metadata=JSON)
    eligible: list[str] = field(metadata=JSON)
    features: dict[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Reward:
    """What a round brought: None when an outage left it unknown. `seq` counts in the order of the commits."""

    seq: int
    sample: str
    round: int
    take: int
    reward: float | None
    tokens: int | None
    rewarded_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What screen, judge or a failing agent decided on one question in one round; flags and scores are the judge's."""

    sample: str
    round: int
    qa: str
    take: int
    direction: str
    stage: str
    code: str
    reason: str
    score_before: int | None
    score_after: int | None
    accepted: bool = field(metadata=FLAG)
    grounded: bool | None = field(metadata=FLAG)
    correct: bool | None = field(metadata=FLAG)
    answerable: bool | None = field(metadata=FLAG)
    needs_image: bool | None = field(metadata=FLAG)
    improved: bool | None = field(metadata=FLAG)

    @property
    def end(self) -> str:
        """What became of the pair: `accepted`, `rejected`, or `lost` when nobody ruled on it, since a call failed."""
        if self.accepted:
            return "accepted"
        unruled = self.stage == "agent" or (self.stage == "judge" and self.score_after is None)
        return "lost" if unruled else "rejected"


@dataclass(frozen=True, slots=True)
class Generation:
    """A version of a question, and what became of it; round 0 is the seed."""

    sample: str
    round: int
    qa: str
    take: int
    outcome: str
    direction: str | None
    parent_round: int | None
    complexity: float | None
    content: dict[str, Any] = field(metadata=JSON)


@dataclass(frozen=True, slots=True)
class Lineage:
    """All of a sample's decisions, rewards, verdicts and generations, each by round, question and take."""

    decisions: list[Decision] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    generations: list[Generation] = field(default_factory=list)


def lineages(db: sqlite3.Connection, run: str, samples: Sequence[str]) -> dict[str, Lineage]:
    """The lineages of `samples`, by their ids. Raises StoreError `corrupt`."""
    named = (run, orjson.dumps(samples).decode())
    of_these = "WHERE run = ? AND sample IN (SELECT value FROM json_each(?)) ORDER BY round"
    found = {sample: Lineage() for sample in samples}
    for decision in fetch(db, Decision, f"decisions {of_these}", named):
        found[decision.sample].decisions.append(decision)
    for reward in fetch(db, Reward, f"rewards {of_these}, take", named):
        found[reward.sample].rewards.append(reward)
    for verdict in fetch(db, Verdict, f"verdicts {of_these}, qa, take", named):
        found[verdict.sample].verdicts.append(verdict)
    for generation in fetch(db, Generation, f"generations {of_these}, qa, take", named):
        found[generation.sample].generations.append(generation)
    return found


def final_questions(end: Settled, lineage: Lineage) -> list[Generation]:
    """The versions that a settled sample ended with; of several takes of a round the last one counts.

    Raises StoreError `corrupt` when one of them is not there.
    """
    made = {(one.round, one.qa): one for one in lineage.generations}
    try:
        return [made[head["round"], head["qa"]] for head in end.heads]
    except KeyError as error:
        round_, qa = error.args[0]
        what = f"question {qa} of round {round_} is missing"
        raise StoreError(what, where=end.sample, remedy=RECOVER, kind="corrupt") from error


def decision_of(db: sqlite3.Connection, run: str, sample: str, number: int) -> Decision | None:
    """The decision on a sample's round, or None where none was taken yet."""
    found = fetch(db, Decision, "decisions WHERE run = ? AND sample = ? AND round = ?", (run, sample, number))
    return found[0] if found else None


def rewarded(db: sqlite3.Connection, run: str) -> Iterator[tuple[Decision, Reward]]:
    """Decisions with their rewards in the order of the commits, as a learning policy met them; read in pages."""
    last = 0
    while True:
        with snapshot(db):
            rewards = fetch(db, Reward, "rewards WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?", (run, last, _PAGE))
            known = lineages(db, run, sorted({reward.sample for reward in rewards}))
        for reward in rewards:
            decision = next((one for one in known[reward.sample].decisions if one.round == reward.round), None)
            if decision is not None:
                yield decision, reward
            last = reward.seq
        if len(rewards) < _PAGE:
            return


def settled_records(db: sqlite3.Connection, run: str) -> Iterator[dict[str, Any]]:
    """The settled samples as results files hold them, in the order of the seeds; read in pages.

    Each is {id, image, status, rounds, complexity_before, complexity_after, qas, history}; `image` is a path, or a list
    of paths when there are several; `history` holds {round, direction, propensity, verdicts, qas} for each round.
    Raises StoreError `corrupt`.
    """
    for sample, end, lineage in settled_lineages(db, run):
        yield _record(sample, end, lineage)


def settled_lineages(db: sqlite3.Connection, run: str) -> Iterator[tuple[dict[str, Any], Settled, Lineage]]:
    """The settled samples in the order of the seeds, as {id, images, ...} without their questions; read in pages.

    Raises StoreError `corrupt`.
    """
    after = (-1, 0)
    while True:
        with snapshot(db):
            seeds = _settled_seeds(db, run, after)
            ends = _ends(db, run, [*seeds])
            lines = lineages(db, run, [*seeds])
        for sample, (_, content) in seeds.items():
            yield orjson.loads(content), ends[sample], lines[sample]
        if len(seeds) < _PAGE:
            return
        after = max(place for place, _ in seeds.values())


def _settled_seeds(db: sqlite3.Connection, run: str, after: tuple[int, int]) -> dict[str, tuple[tuple[int, int], str]]:
    rows = db.execute(
        "SELECT s.id, s.position, s.rowid, s.sample"
        " FROM samples s JOIN v_settled e ON e.run = s.run AND e.sample = s.id"
        " WHERE s.run = ? AND (s.position, s.rowid) > (?, ?) ORDER BY s.position, s.rowid LIMIT ?",
        (run, *after, _PAGE),
    )
    return {sample: ((position, row), content) for sample, position, row, content in rows}


def lineages_of(
    db: sqlite3.Connection, run: str, samples: Sequence[str]
) -> Iterator[tuple[dict[str, Any], Settled, Lineage]]:
    """Those of `samples` that are settled, in their order, as in `settled_lineages`. Raises StoreError `corrupt`."""
    for first in range(0, len(samples), _PAGE):
        page = samples[first : first + _PAGE]
        named = (run, orjson.dumps(page).decode())
        with snapshot(db):
            seeds = dict(db.execute(_CONTENTS, named))
            ends = _ends(db, run, page)
            lines = lineages(db, run, page)
        for sample in page:
            if sample in ends:
                yield orjson.loads(seeds[sample]), ends[sample], lines[sample]


def _ends(db: sqlite3.Connection, run: str, samples: Sequence[str]) -> Mapping[str, Settled]:
    named = (run, orjson.dumps(samples).decode())
    found = fetch(db, Settled, "v_settled WHERE run = ? AND sample IN (SELECT value FROM json_each(?))", named)
    return {end.sample: end for end in found}


def _record(sample: dict[str, Any], end: Settled, lineage: Lineage) -> dict[str, Any]:
    paths = [image["path"] for image in sample["images"]]
    return {
        "id": sample["id"],
        "image": paths[0] if len(paths) == 1 else paths,
        **plain(end, "status", "rounds", "complexity_before", "complexity_after"),
        "qas": [version.content for version in final_questions(end, lineage)],
        "history": _history(lineage),
    }


def _history(lineage: Lineage) -> list[dict[str, Any]]:
    """What happened round by round; of several takes of a round the last one counts."""
    verdicts = grouped([*{(one.round, one.qa): one for one in lineage.verdicts}.values()], "round")
    generations = grouped([*{(one.round, one.qa): one for one in lineage.generations}.values()], "round")
    return [
        {
            **plain(decision, "round", "direction", "propensity"),
            "verdicts": [_verdict(verdict) for verdict in verdicts.get(decision.round, ())],
            "qas": [generation.content for generation in generations.get(decision.round, ())],
        }
        for decision in lineage.decisions
    ]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    flags = ("grounded", "correct", "answerable", "needs_image", "improved")
    return {"id": verdict.qa, **plain(verdict, "accepted", "stage", "code", "reason")} | (
        plain(verdict, *flags, "score_before", "score_after") if verdict.score_after is not None else {}
    )
