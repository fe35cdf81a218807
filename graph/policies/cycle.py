"""One direction after the other."""

from collections.abc import Mapping

from .policy import Context, Decision


class Cycle:
    """Chooses the directions in turn, round by round, with certainty. Its logs support no other policy's evaluation."""

    name = "cycle"
    version = "1"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """Probability 1 for the direction whose turn it is, 0 for the others."""
        turn = context.eligible[(context.round - 1) % len(context.eligible)]
        return {name: float(name == turn) for name in context.eligible}

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""
