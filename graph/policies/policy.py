"""What a routing policy is, and how its choice is drawn so that it can be logged and drawn again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from ...errors import EvolgraphError

SUM_TOLERANCE = 1e-6


class PolicyError(EvolgraphError):
    """A policy that does not exist, cannot be built, or proposes something that is no probability vector."""

    kind = "policy"


@dataclass(frozen=True, slots=True)
class Context:
    """What a policy may look at: the sample's id, the coming round (from 1), the directions it may choose, features."""

    sample: str
    round: int
    eligible: tuple[str, ...]
    features: Mapping[str, Any]
    feature_set: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One logged choice: what was chosen, with which probability, out of what, knowing what."""

    sample: str
    round: int
    direction: str
    propensity: float
    probabilities: dict[str, float]
    eligible: list[str]
    features: dict[str, Any]
    feature_set: str
    uniform: float
    policy: str
    policy_version: str
    decided_ns: int

    def row(self) -> dict[str, Any]:
        """The decision as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Policy(Protocol):
    """Chooses a direction for a sample's next round. `learn` gets the whole logged decision with its reward."""

    name: str
    version: str

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The probability of every eligible direction; the values are in [0, 1] and sum to 1."""
        ...

    def learn(self, decision: Decision, reward: float) -> None:
        """Takes note of the reward (at most 1) that a decision earned."""
        ...


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy whose proposals follow from the rewards it was told, in the form of sufficient statistics.

    One such policy serves all samples of a run at once: rewards may come late, in any order, or never.
    """

    def state(self) -> dict[str, Any]:
        """The statistics as plain JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over statistics that `state` gave, in the place of its own."""
        ...

    def merge(self, other: Self) -> None:
        """Adds what `other`, a policy of the same settings, was told."""
        ...


def floored(shares: Mapping[str, float], floor: float) -> dict[str, float]:
    """`shares` (a probability vector) mixed with equal shares so that none is below `floor`, at most 1 / n."""
    floor = min(floor, 1 / len(shares))
    free = 1 - floor * len(shares)
    return {name: floor + free * share for name, share in shares.items()}


def checked_floor(floor: float, policy: str) -> float:
    """`floor` as it is. Raises PolicyError when it is no probability that leaves two directions a choice."""
    if not 0 <= floor <= 0.5:
        raise PolicyError(f"floor is {floor}, not between 0 and 0.5", where=policy)
    return floor


def uniform_number(run_seed: int, sample: str, round_number: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256(f"{run_seed}\0{sample}\0{round_number}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def checked(probabilities: Mapping[str, float], eligible: Sequence[str], policy: str) -> dict[str, float]:
    """`probabilities` over `eligible` in that order. Raises PolicyError when they are not a probability vector."""
    strange = set(probabilities) - set(eligible)
    vector = {name: float(probabilities.get(name, 0.0)) for name in eligible}
    if strange or any(not 0.0 <= p <= 1.0 for p in vector.values()) or abs(sum(vector.values()) - 1) > SUM_TOLERANCE:
        raise PolicyError(
            f"proposed {dict(probabilities)}, which is no probability vector over {', '.join(eligible)}", where=policy
        )
    return vector


def draw(probabilities: Mapping[str, float], uniform: float) -> str:
    """The direction whose interval of the cumulative probabilities holds `uniform`."""
    reached = 0.0
    possible = [name for name, probability in probabilities.items() if probability > 0]
    for name in possible:
        reached += probabilities[name]
        if uniform < reached:
            return name
    return possible[-1]
