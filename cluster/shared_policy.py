"""A learning policy that knows what every worker's rewards have taught."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.policies.policy import Context, Decision, LearningPolicy, Policy
from ..graph.policies.registry import load_policy


class SharedPolicy:
    """The policy `spec` as one of several workers has it: it proposes by all rewards and tells those of its own."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._own, self._all = _blank(spec), _loaded(spec)
        self.name, self.version = self._all.name, self._all.version

    async def propose(self, context: Context) -> Mapping[str, float]:
        """What the policy proposes, knowing all rewards that it was told."""
        return await self._all.propose(context)

    def learn(self, decision: Decision, reward: float) -> None:
        """Takes note of a reward of this worker."""
        self._own.learn(decision, reward)
        self._all.learn(decision, reward)

    def state(self) -> dict[str, Any]:
        """The statistics of this worker's rewards alone."""
        return self._own.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over the statistics of this worker's rewards."""
        self._own.restore(state)
        self.hear({})

    def merge(self, other: "SharedPolicy") -> None:
        """Adds what another worker was told."""
        self._own.merge(other._own)
        self._all.merge(other._own)

    def hear(self, others: Mapping[str, Any]) -> None:
        """Takes over the statistics of all other workers' rewards, in the place of what it had heard before."""
        known = _loaded(self._spec)
        known.merge(self._own)
        if others:
            told = _blank(self._spec)
            told.restore(others)
            known.merge(told)
        self._all = known


def shared(spec: str) -> Policy:
    """The policy `spec` for a worker: a SharedPolicy when it learns."""
    policy = load_policy(spec)
    return SharedPolicy(spec) if isinstance(policy, LearningPolicy) else policy


def merged_state(spec: str, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The statistics of several workers as one."""
    total = _blank(spec)
    for state in states:
        told = _blank(spec)
        told.restore(state)
        total.merge(told)
    return total.state()


def _loaded(spec: str) -> LearningPolicy:
    policy = load_policy(spec)
    assert isinstance(policy, LearningPolicy)
    return policy


def _blank(spec: str) -> LearningPolicy:
    """The policy without what it may have been given to begin with: that would count once for every worker."""
    policy = _loaded(spec)
    policy.restore(type(policy)().state())
    return policy
