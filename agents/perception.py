"""Finer perception: a rarer object or a finer detail at similar length (MMEvol, section 3.2)."""

from .agent import Agent


class Perception(Agent):
    """Finer perception: a rarer object or a finer detail at similar length."""

    name = "perception"
    prompt = "perception"
