"""Another form of interaction out of the 17 task forms (MMEvol, section 3.2)."""

from .agent import Agent


class Interaction(Agent):
    """Another form of interaction out of the 17 task forms."""

    name = "interaction"
    prompt = "interaction"
