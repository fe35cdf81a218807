"""Every direction equally often; MMEvol's ablation found equal shares best (arXiv 2409.05840, Table 2)."""

from collections.abc import Mapping

from .policy import Context, Decision


class Uniform:
    """Gives every eligible direction the same probability."""

    name = "uniform"
    version = "1"

    async def propose(self, context: Context) -> Mapping[str, float]:
        """1 / n for each of the n eligible directions."""
        return dict.fromkeys(context.eligible, 1 / len(context.eligible))

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""
