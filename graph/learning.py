"""What a run remembers of its routing: rewards that a policy learnt from, and decisions that stand."""

import sqlite3
from collections.abc import Awaitable, Callable

from ..store.lineage import Decision as Row
from ..store.lineage import decision_of, rewarded
from ..store.store import Store
from .policies.policy import Decision, LearningPolicy, Policy

Recall = Callable[[str, int], Awaitable[Decision | None]]
"""From a sample and a round to the decision that was logged for it, if any."""


async def learn_again(policy: Policy, store: Store, run: str) -> None:
    """Tells a learning policy the logged rewards of `run` in the order of their commits, as if it had been there."""
    if isinstance(policy, LearningPolicy):
        await store.read(lambda db: _fold(policy, db, run))


def _fold(policy: LearningPolicy, db: sqlite3.Connection, run: str) -> None:
    for row, reward in rewarded(db, run):
        if reward.reward is not None:
            policy.learn(_decision(row), reward.reward)


def recalling(store: Store, run: str) -> Recall:
    """Looks decisions of `run` up in `store`."""

    async def recall(sample: str, number: int) -> Decision | None:
        row = await store.read(lambda db: decision_of(db, run, sample, number))
        return _decision(row) if row else None

    return recall


def _decision(row: Row) -> Decision:
    return Decision(**{name: getattr(row, name) for name in Decision.__dataclass_fields__})
