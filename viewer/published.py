"""The figures that MMEvol published, to set beside a run's own (arXiv 2409.05840, and its authors' notebooks)."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Published:
    """MMEvol's figures. Rounds count from 1, version 0 is the seeds.

    `skills` and `steps` are means over all questions of the seeds and of the evolved set (figure 9); `difficulty` is
    the mean score of each version (figure 9); `pass_rates` are the shares that the judge called improved, by round, in
    the authors' logs of two sets of 6,000 images; `labels` are the distinct names of skills after each round, of which
    the method allows nine; `human` are the shares that five experts found good (table 7).
    """

    skills: tuple[float, float]
    steps: tuple[float, float]
    difficulty: tuple[float, ...]
    pass_rates: dict[str, tuple[float, ...]]
    labels: tuple[int, ...]
    human: dict[str, float]


MMEVOL: Final = Published(
    skills=(1.03, 1.71),
    steps=(1.61, 2.47),
    difficulty=(4.98, 5.64, 6.22, 6.56),
    pass_rates={"6k": (0.72, 0.87, 0.92), "6k_mini": (0.68, 0.85, 0.91)},
    labels=(66, 88, 134),
    human={"perception": 0.893, "interaction": 0.887, "reasoning": 0.92, "elimination": 0.945},
)
CAVEATS: Final = (
    "MMEvol's judge sees neither image nor steps, and compares every version with the seed, not with its parent: its "
    "pass rates and difficulties rise by that alone.",
    "A difficulty is one judge's opinion on a scale of 1 to 10; other judges use the scale differently.",
)
"""What keeps the two columns from being one."""
