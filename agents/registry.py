"""The directions: the three built-in agents and those that installed packages register."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from ..errors import EvolgraphError
from .agent import Agent
from .interaction import Interaction
from .perception import Perception
from .reasoning import Reasoning
from .screen import SCREENS, Screen

BUILTIN: Final[tuple[type[Agent], ...]] = (Perception, Reasoning, Interaction)


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
        found[agent.name] = agent
    return found


def screens() -> tuple[Screen, ...]:
    """The built-in screens, then those of installed packages. Raises PluginError for a broken plugin."""
    found = list(SCREENS)
    for point in entry_points(group="evolgraph.screens"):
        try:
            found.append(point.load())
        except Exception as error:
            raise PluginError(f"cannot load the screen: {error}", where=point.value) from error
    return tuple(found)
