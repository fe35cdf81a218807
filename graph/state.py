"""A sample's state in the graph: small, plain JSON. And the store's rows that follow from each state change."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, TypeVar, cast

from pydantic import BaseModel

from ..agents.replies import EvolvedQA
from ..samples.sample import QA, Box, Sample

Rows = dict[str, list[dict[str, Any]]]
Update = dict[str, Any]
"""Changed channels of a State."""
OUTBOX: Final = frozenset({"verdicts", "generations", "reward", "spans"})
"""Channels that only carry a step's news to `rows`: with those written, a checkpoint can do without them."""
T = TypeVar("T")


class Head(TypedDict):
    """A question's current version; `complexity` is null until it was first judged, `round` is where it comes from."""

    qa: dict[str, Any]
    complexity: float | None
    round: int


class State(TypedDict):
    """The channels of the graph. A fresh one is made by `initial`."""

    sample: dict[str, Any]
    position: int
    take: int
    round: int
    heads: list[Head]
    curated: bool
    first_scores: dict[str, int]
    seeds: dict[str, dict[str, str]]
    decision: dict[str, Any] | None
    candidates: list[dict[str, Any]]
    failure: dict[str, str] | None
    verdicts: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    proposed: list[dict[str, Any]]
    generations: list[dict[str, Any]]
    reward: dict[str, Any] | None
    history: list[dict[str, Any]]
    asked: list[str]
    idle: int
    judged: int
    tokens: int | None
    spans: list[dict[str, Any]]
    status: str
    reason: str


def initial(sample: Sample, position: int) -> State:
    """The state in which `sample` enters the graph; `position` is its place among the seeds."""
    heads: list[Head] = [{"qa": plain(qa), "complexity": None, "round": 0} for qa in sample.qas]
    given = sample.model_dump(mode="json", exclude={"qas"})
    _parsed.keep(given, sample.model_copy(update={"qas": ()}))
    return {
        "sample": given,
        "position": position,
        "take": 0,
        "round": 0,
        "heads": heads,
        "curated": False,
        "first_scores": {},
        "seeds": {},
        "decision": None,
        "candidates": [],
        "failure": None,
        "verdicts": [],
        "rejected": [],
        "proposed": [],
        "generations": [],
        "reward": None,
        "history": [],
        "asked": [],
        "idle": 0,
        "judged": 0,
        "tokens": 0,
        "spans": [],
        "status": "",
        "reason": "",
    }


def reopened(state: State, take: int) -> State:
    """A settled sample's state as it is taken up again: without the lost rounds at its end."""
    history = list(state["history"])
    while history and history[-1]["failure"]:
        history.pop()
    idle = next((back for back, past in enumerate(reversed(history)) if past["accepted"]), len(history))
    update = {"take": take, "history": history, "round": len(history), "idle": idle}
    update |= {"status": "", "reason": "", "failure": None}
    return changed(state, update | {"candidates": [], "verdicts": [], "generations": [], "reward": None, "spans": []})


def curated(qas: Sequence[QA]) -> Update:
    """What changes with the first questions of a sample that came without any: they are the heads of round 0."""
    heads: list[Head] = [{"qa": plain(qa), "complexity": None, "round": 0} for qa in qas]
    return {"heads": heads, "curated": True}


def is_uncurated(state: State) -> bool:
    """Whether the sample has a caption and nothing that was asked yet."""
    return not state["heads"] and bool(state["sample"]["caption"].strip())


def changed(state: State, update: Update) -> State:
    """`state` with the channels of `update` replaced."""
    return cast(State, {**state, **update})


class _Parsed:
    """Values by the JSON they were parsed from or dumped to, the newest few thousand.

    A state's parts are replaced and never changed, and pass through the graph as they are: what was validated in one
    node need not be validated in the next.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[Any, Any]] = OrderedDict()

    def get(self, plain: Any, parse: Callable[[Any], T]) -> T:
        """The value of `plain`."""
        kept = self._kept.get(id(plain))
        if kept is not None:  # it holds on to `plain`, so that nothing else has its id
            return kept[1]
        return self.keep(plain, parse(plain))

    def keep(self, plain: Any, value: T) -> T:
        """Remembers that `value` is what `plain` says."""
        self._kept[id(plain)] = (plain, value)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value


_parsed: Final = _Parsed(4096)


def sample_of(state: State) -> Sample:
    """The state's sample, without its questions."""
    return _parsed.get(state["sample"], Sample.model_validate)


def heads_of(state: State) -> tuple[QA, ...]:
    """The sample's current questions."""
    return tuple([_parsed.get(head["qa"], QA.model_validate) for head in state["heads"]])


def proposed_of(state: State) -> tuple[Box, ...]:
    """The boxes that earlier rounds proposed and the judge confirmed."""
    return tuple([_parsed.get(box, Box.model_validate) for box in state["proposed"]])


def seed_texts(state: State) -> dict[str, dict[str, str]]:
    """Question and answer of the current questions, by id, to be kept as those of the seeds."""
    return {head["qa"]["id"]: {name: head["qa"][name] for name in ("question", "answer")} for head in state["heads"]}


def candidates_of(state: State) -> list[EvolvedQA]:
    """The evolved questions that wait for screen and judge."""
    return [_parsed.get(row, EvolvedQA.model_validate) for row in state["candidates"]]


def plain(value: BaseModel) -> dict[str, Any]:
    """`value` as JSON for the state."""
    made = value.model_dump(mode="json")
    _parsed.keep(made, value)
    return made


def is_resting(values: Mapping[str, Any]) -> bool:
    """Whether a restart goes on from the state `values`: its sample has just been routed, or is settled.

    What lies between two of these follows from the first one and the calls on record.
    """
    if not values.get("sample"):
        return False
    waiting = values["candidates"] or values["failure"] is not None
    return bool(values["status"]) or (values["decision"] is not None and not waiting)


def complexity(heads: Sequence[Head]) -> float | None:
    """The mean complexity of `heads`, on a scale of 1 to 10; None while one of them was never judged."""
    scores = [score for head in heads if (score := head["complexity"]) is not None]
    return sum(scores) / len(scores) if scores and len(scores) == len(heads) else None


def complexities(state: State) -> tuple[float | None, float | None]:
    """The sample's mean complexity before and after, each over the questions that were judged at least once.

    A judge of texts scores no seed, so that only the second is known.
    """
    heads = [(head["qa"]["id"], score) for head in state["heads"] if (score := head["complexity"]) is not None]
    first = [state["first_scores"][qa] for qa, _ in heads if qa in state["first_scores"]]
    return _mean(first), _mean([score for _, score in heads])


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def rows(thread: str, values: Mapping[str, Any]) -> Rows:
    """The store's rows that follow from the state `values` of `thread` ("run/sample"); inserted once each."""
    if "sample" not in values:
        return {}
    run, _, sample = thread.partition("/")
    key = {"run": run, "sample": sample}
    taken = key | {"take": values["take"]}
    # After a resume a channel of the outbox has no value until a step sets it.
    found: Rows = {"spans": [taken | span for span in values.get("spans", ())]}
    if not values["history"] and not values["candidates"] and values["failure"] is None:
        found |= _seed_rows(run, sample, values)
    if values["decision"] is not None:
        decision = {k: v for k, v in values["decision"].items() if k != "sample"}
        found["decisions"] = [key | decision]
    if values.get("verdicts"):
        found["verdicts"] = [taken | verdict for verdict in values["verdicts"]]
        found["generations"] = [taken | generation for generation in values["generations"]]
    if values.get("reward") is not None:
        found["rewards"] = [taken | values["reward"]]
    if values["status"]:
        found["settled"] = [taken | _settled_row(values)]
    return found


def _seed_rows(run: str, sample: str, values: Mapping[str, Any]) -> Rows:
    state = cast(State, values)
    # What was admitted had no questions yet, if they were curated. Stores of earlier versions do not know the channel.
    asked = () if values.get("curated") else heads_of(state)
    generations = [
        {"run": run, "sample": sample, "round": 0, "qa": head["qa"]["id"], "outcome": "seed", "direction": None,
         "parent_round": None, "complexity": None, "content": head["qa"]}
        for head in state["heads"]
    ]  # fmt: skip
    row = {"run": run, "id": sample, "position": state["position"],
           "digest": sample_of(state).model_copy(update={"qas": asked}).digest(),
           "images": state["sample"]["images"], "sample": state["sample"]}  # fmt: skip
    return {"samples": [row], "generations": generations}


def _settled_row(values: Mapping[str, Any]) -> dict[str, Any]:
    before, after = complexities(cast(State, values))
    return {
        "status": values["status"],
        "rounds": len(values["history"]),
        "reason": values["reason"],
        "complexity_before": before,
        "complexity_after": after,
        "heads": [head | {"qa": head["qa"]["id"]} for head in values["heads"]],
        "settled_ns": time.time_ns(),
    }
