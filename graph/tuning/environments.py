"""The loop's decision process without images and models: four kinds of it, small enough to be solved exactly.

A sample is of one of three kinds, with few or many boxes, and asks one question. Each round a direction is chosen; the
evolved question is accepted or not, and the complexity rises by 0 to 3. True values follow from dynamic programming
over all states. In `uneven` the best direction depends on the sample; in `staged` reasoning pays only after another
direction (which one depends on the kind) was accepted, so that what earns most at once is not what earns most; in
`even` all directions are alike. (Where no policy beats the uniform one, all are alike: a value is linear in each
decision, so its maximum inside is its minimum, and nothing can be lost.) In `level` they are nearly so: the best policy
earns 3% more than the uniform one, the worst 4% less, so that chasing noise would cost something.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..features import FEATURE_SET
from ..policies.encoding import encode
from ..policies.policy import Context, Decision, Policy
from .log import Floats, Log
from .recorded import Recorded

DIRECTIONS: Final = ("perception", "reasoning", "interaction")
KINDS: Final = ("scene", "chart", "table")
BOXES: Final = (2, 12)
ROUNDS: Final = 3
TARGET: Final = 7
_START: Final = 3
_GAINS: Final = np.arange(4)
_TOKENS: Final = np.array([900.0, 1300.0, 1000.0])


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a sample before a round. `last` is the direction before, `accepted` what became of it."""

    kind: str
    boxes: int
    complexity: int
    round: int
    last: str | None
    accepted: bool

    def features(self) -> dict[str, Any]:
        """Feature set v1 of the situation."""
        return {
            "round": self.round,
            "complexity": self.complexity if self.round > 1 else None,
            "objects": 1.0,
            "boxes": self.boxes,
            "has_caption": True,
            "skills": 1.0,
            "steps": 0.0,
            "forms": ["open"],
            "last_direction": self.last,
            "last_accepted": float(self.accepted) if self.last else None,
            "questions": 1,
            "images": 1,
            "kind": self.kind,
            "megapixels": 0.5,
        }


def _uneven(now: Situation, direction: str) -> tuple[float, float]:
    """The chance of being accepted, and the chance of each of two further points of gain."""
    many = now.boxes > BOXES[0]
    best = {"scene": "perception" if many else "interaction", "chart": "reasoning", "table": "interaction"}[now.kind]
    if now.kind == "table" and now.complexity >= 5:
        best = "reasoning"
    tired = 0.75 if now.complexity >= 6 else 1.0
    return (0.75 * tired, 0.6) if direction == best else (0.4 * tired, 0.3)


def _staged(now: Situation, direction: str) -> tuple[float, float]:
    first = "interaction" if now.kind == "table" else "perception"
    ready = now.last == first and now.accepted
    if direction == "reasoning":
        return (0.9, 0.9) if ready else (0.15, 0.1)
    if direction == "perception":
        return (0.8, 0.0) if now.last != "perception" else (0.3, 0.0)
    return (0.5, 0.2) if now.boxes > BOXES[0] else (0.4, 0.2)


def _even(now: Situation, _: str) -> tuple[float, float]:
    easy = {"scene": 0.1, "chart": 0.0, "table": -0.1}[now.kind]
    return 0.5 + easy - 0.03 * (now.complexity - _START), 0.4


def _level(now: Situation, direction: str) -> tuple[float, float]:
    accepted, further = _even(now, direction)
    best = {"scene": 0, "chart": 1, "table": 2}[now.kind]
    return accepted * (1.02, 1.0, 0.95)[(DIRECTIONS.index(direction) - best) % 3], further


_RULES: Final = {"uneven": _uneven, "staged": _staged, "even": _even, "level": _level}
NAMES: Final = tuple(_RULES)


class Environment:
    """One of the processes, by its name in NAMES."""

    def __init__(self, name: str) -> None:
        self.name = name
        rule = _RULES[name]
        scores = range(_START, 11)
        lasts = (None, *DIRECTIONS)
        grid = product(KINDS, BOXES, scores, range(1, ROUNDS + 1), lasts, (False, True))
        self.situations = [Situation(*values) for values in grid]
        self._shape = (len(KINDS), len(BOXES), len(scores), ROUNDS, len(lasts), 2)
        odds = [[_odds(*rule(now, direction)) for direction in DIRECTIONS] for now in self.situations]
        self._odds = np.array(odds)

    @cached_property
    def contexts(self) -> list[Context]:
        """Every situation as a policy sees it; their order is that of all tables by situation."""
        return [Context("simulated", now.round, DIRECTIONS, now.features(), FEATURE_SET) for now in self.situations]

    @cached_property
    def features(self) -> tuple[tuple[str, ...], Floats]:
        """The names of all numeric features, and a table of them by situation."""
        rows = [encode(context.features) for context in self.contexts]
        names = sorted({name for row in rows for name in row} - {"bias"})
        return tuple(names), np.array([[row.get(name, 0.0) for name in names] for row in rows])

    def simulate(self, policy: Floats, samples: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Log]:
        """`samples` fresh samples routed by `policy` (a table of probabilities by situation), as situations and log."""
        states = np.full((samples, ROUNDS), -1)
        actions = np.full((samples, ROUNDS), -1)
        gains = np.zeros((samples, ROUNDS))
        state = self._starts(samples, rng)
        alive = np.ones(samples, dtype=bool)
        for number in range(ROUNDS):
            rows = np.nonzero(alive)[0]
            action = _drawn(policy[state[rows]], rng)
            gain = _drawn(self._odds[state[rows], action], rng)
            states[rows, number], actions[rows, number], gains[rows, number] = state[rows], action, gain
            following, ends = self._step(state[rows], action, gain)
            state[rows], alive[rows] = following, ~ends
        return states, self._log(policy, states, actions, gains)

    def record(self, policy: Floats, samples: int, rng: np.random.Generator) -> Recorded:
        """`samples` fresh samples routed by `policy`, as a recorded run."""
        states, log = self.simulate(policy, samples, rng)
        contexts = [[self.contexts[state] for state in row if state >= 0] for row in states]
        return Recorded(self.name, log, contexts.__getitem__, 0, {"uniform 1": int(log.taken.sum())})

    async def online(self, policy: Policy, samples: int, rng: np.random.Generator) -> Floats:
        """The summed rewards of `samples` samples, one after the other, that `policy` routes and learns from."""
        earned = np.zeros(samples)
        for sample, state in enumerate(self._starts(samples, rng)):
            ends = False
            while not ends:
                context = self.contexts[state]
                vector = await policy.propose(context)
                at = np.array([state])
                action = _drawn(np.array([[vector[name] for name in DIRECTIONS]]), rng)
                gain = _drawn(self._odds[at, action], rng)
                decision = _decision(context, vector, DIRECTIONS[action[0]], policy)
                policy.learn(decision, gain[0] / 9)
                earned[sample] += gain[0] / 9
                (state,), (ends,) = self._step(at, action, gain)
        return earned

    def policy_table(self, policy: Policy) -> Floats:
        """What `policy` proposes in every situation."""
        return asyncio.run(self._proposed(policy))

    async def _proposed(self, policy: Policy) -> Floats:
        proposed = [await policy.propose(context) for context in self.contexts]
        return np.array([[vector[name] for name in DIRECTIONS] for vector in proposed])

    def along(self, tables: Floats, states: NDArray[np.int64]) -> Floats:
        """What `tables` (p, situations, K) say in the situations `states` (n, T): (p, n, T, K), 0 after the end."""
        return np.where((states >= 0)[..., None], tables[:, states], 0.0)

    def value(self, policy: Floats) -> float:
        """The exact mean summed reward of `policy`, a table of probabilities by situation."""
        worth, _ = self._solve(policy)
        return worth

    def oracle(self) -> tuple[float, Floats]:
        """The exact value of the best policy, and its table."""
        return self._solve(None)

    def _solve(self, policy: Floats | None) -> tuple[float, Floats]:
        count = len(self.situations)
        rounds = np.array([now.round for now in self.situations])
        worth, table = np.zeros(count), np.zeros((count, len(DIRECTIONS)))
        for number in range(ROUNDS, 0, -1):
            rows = np.nonzero(rounds == number)[0]
            q = np.zeros((len(rows), len(DIRECTIONS)))
            for action, gain in product(range(len(DIRECTIONS)), _GAINS):
                following, ends = self._step(rows, np.full(len(rows), action), np.full(len(rows), gain))
                later = np.where(ends, 0.0, worth[np.where(ends, 0, following)])
                q[:, action] += self._odds[rows, action, gain] * (gain / 9 + later)
            table[rows] = np.eye(len(DIRECTIONS))[q.argmax(axis=1)] if policy is None else policy[rows]
            worth[rows] = (table[rows] * q).sum(axis=1)
        return float(worth[self._first()].mean()), table

    def _first(self) -> NDArray[np.int64]:
        """The situations that samples start in, all as likely."""
        return np.array([at for at, now in enumerate(self.situations) if now == _began(now)])

    def _starts(self, samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.choice(self._first(), samples)

    def _step(
        self, states: NDArray[np.int64], actions: NDArray[np.int64], gains: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where situations go, and which samples end there: at the target or after the last round."""
        kind, boxes, score, number, _, _ = np.unravel_index(states, self._shape)
        after = np.minimum(score + gains, self._shape[2] - 1)
        following = (kind, boxes, after, np.minimum(number + 1, ROUNDS - 1), actions + 1, (gains > 0).astype(int))
        ends = (number + 1 >= ROUNDS) | (after + _START >= TARGET)
        return np.ravel_multi_index(following, self._shape), ends

    def _log(self, policy: Floats, states: NDArray[np.int64], actions: NDArray[np.int64], gains: Floats) -> Log:
        names, features = self.features
        taken = states >= 0
        return Log(
            directions=DIRECTIONS,
            clusters=np.arange(len(states)),
            actions=actions,
            logged=np.where(taken[..., None], policy[states], 0.0),
            eligible=np.repeat(taken[..., None], len(DIRECTIONS), axis=-1),
            signals={
                "reward": gains / 9,
                "accepted": (gains > 0).astype(float),
                "offered": taken.astype(float),
                "gain": gains,
                "tokens": np.where(taken, _TOKENS[actions], 0.0),
            },
            features=np.where(taken[..., None], features[states], 0.0),
            feature_names=names,
        )


def _odds(accepted: float, further: float) -> list[float]:
    """The chances of a gain of 0, 1, 2 and 3."""
    return [
        1 - accepted,
        accepted * (1 - further) ** 2,
        accepted * 2 * further * (1 - further),
        accepted * further**2,
    ]


def _decision(context: Context, vector: Mapping[str, float], direction: str, policy: Policy) -> Decision:
    return Decision(
        sample=context.sample,
        round=context.round,
        direction=direction,
        propensity=vector[direction],
        probabilities=dict(vector),
        eligible=list(context.eligible),
        features=dict(context.features),
        feature_set=context.feature_set,
        uniform=0.0,
        policy=policy.name,
        policy_version=policy.version,
        decided_ns=0,
    )


def _began(now: Situation) -> Situation:
    return Situation(now.kind, now.boxes, _START, 1, None, False)


def _drawn(odds: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """One draw out of each row of `odds`."""
    reached = odds.cumsum(axis=1)
    return np.minimum((rng.random(len(odds))[:, None] >= reached).sum(axis=1), odds.shape[1] - 1)
