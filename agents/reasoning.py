"""Deeper reasoning: one or two more objects or abilities and a longer chain of steps (MMEvol, section 3.2)."""

from .agent import Agent


class Reasoning(Agent):
    """Deeper reasoning: one or two more objects or abilities and a longer chain of steps."""

    name = "reasoning"
    prompt = "reasoning"
