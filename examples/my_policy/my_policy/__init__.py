"""A routing policy: the direction that a sample has just taken is less likely to be taken again."""

from collections.abc import Mapping

from evolgraph.graph.policies.policy import Context, Decision, PolicyError


class Restless:
    """Rarely takes the direction of the round before again; least of all one that brought nothing.

    That direction weighs `again` (0 to 1, the others 1), and half of it when nothing of the round was accepted. Above 0
    every direction stays possible, so that the run's log can tell what other policies would have earned.
    """

    name = "restless"

    def __init__(self, again: float = 0.4) -> None:
        if not 0 <= again <= 1:
            raise PolicyError(f"again is {again}, not between 0 and 1", where=self.name)
        self.again = again
        self.version = f"1:again={again:g}"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """The weights of the eligible directions, scaled to sum to 1."""
        seen = context.features
        weights = dict.fromkeys(context.eligible, 1.0)
        if len(weights) > 1 and seen["last_direction"] in weights:
            weights[seen["last_direction"]] = self.again if seen["last_accepted"] else self.again / 2
        total = sum(weights.values())
        return {name: weight / total for name, weight in weights.items()}

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""
