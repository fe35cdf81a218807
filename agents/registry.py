"""The directions: the three built-in agents and those that installed packages register."""

import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from ..errors import EvolgraphError
from ..prompts.library import Library
from .agent import Agent
from .interaction import Interaction
from .perception import Perception
from .reasoning import Reasoning
from .screen import SCREENS, Screen

BUILTIN: Final[tuple[type[Agent], ...]] = (Perception, Reasoning, Interaction)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Names go into file formats, CSS classes and the names of reply schemas."""
_TAKEN: Final = frozenset({"route", "judge", "curation", "blind", "evidence"})
"""What other steps of a round are called."""


class PluginError(EvolgraphError):
    """An installed plugin that cannot be used."""

    kind = "plugin"


def directions() -> Mapping[str, type[Agent]]:
    """Agent classes by direction name, the built-in three first. Raises PluginError for a broken or doubled plugin."""
    found: dict[str, type[Agent]] = {agent.name: agent for agent in BUILTIN}
    for point in entry_points(group="evolgraph.agents"):
        try:
            agent = point.load()
        except Exception as error:
            raise PluginError(f"cannot load the agent: {error}", where=point.value) from error
        if not (isinstance(agent, type) and issubclass(agent, Agent)) or agent.name in found:
            raise PluginError("is not an Agent class with a name of its own", where=point.value)
        if agent.name in _TAKEN or not _NAME.fullmatch(agent.name):
            remedy = f"use small letters, digits and _, and none of {', '.join(sorted(_TAKEN))}"
            raise PluginError(f"its direction cannot be called {agent.name!r}", where=point.value, remedy=remedy)
        found[agent.name] = agent
    return found


def prompt_library(overlay: Path | None = None) -> Library:
    """The prompt texts with those that installed agents bring, single ones replaced by the folder `overlay`.

    Raises PluginError for a broken plugin, and PromptError for a text that cannot be used.
    """
    agents = directions().values()
    return Library(overlay, {agent.prompt: agent.prompt_file for agent in agents if agent.prompt_file})


def screens() -> tuple[Screen, ...]:
    """The built-in screens, then those of installed packages. Raises PluginError for a broken plugin."""
    found = list(SCREENS)
    for point in entry_points(group="evolgraph.screens"):
        try:
            found.append(point.load())
        except Exception as error:
            raise PluginError(f"cannot load the screen: {error}", where=point.value) from error
    return tuple(found)
