"""A fourth direction: what a question asks about is compared with something else in the image."""

from pathlib import Path
from typing import ClassVar

from evolgraph.agents.agent import Agent


class Comparison(Agent):
    """Sets what a question asks about beside something else in the image."""

    name: ClassVar[str] = "comparison"
    prompt: ClassVar[str] = "comparison"
    prompt_file: ClassVar[Path | None] = Path(__file__).with_name("comparison.md")
