"""The graph with the parts that are installed and that the settings name, all of them asking one model."""

from collections.abc import Callable
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from ..agents.agent import Prompter
from ..agents.blind import Blind
from ..agents.curation import Curation
from ..agents.judge import Judge, TextJudge
from ..agents.registry import directions, screens
from ..agents.screen import duplicate
from ..endpoints.client import Model
from ..prompts.library import Library
from .learning import Recall
from .machine import build_graph
from .policies.model import AskingPolicy
from .policies.policy import Policy
from .settings import Settings
from .state import State


def assembled(
    model: Model,
    library: Library,
    policy: Policy,
    settings: Settings,
    *,
    on_round: Callable[[list[dict[str, Any]]], None] | None = None,
    recall: Recall | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[State, None, State, State]:
    """The compiled graph whose agents, judge and policy ask `model` in the words of `library` (see build_graph).

    Raises PluginError for an installed agent or screen that cannot be used.
    """
    prompter, agents = Prompter(library), directions()
    if isinstance(policy, AskingPolicy):
        policy.bind(model, library, {name: (agent.__doc__ or "").strip() for name, agent in agents.items()})
    judge = TextJudge if settings.judge == "text" else Judge
    return build_graph(
        {name: agent(model, prompter) for name, agent in agents.items()},
        judge(model, prompter, seed=None if "order" in settings.ablate else settings.seed),
        policy,
        settings,
        screens=[check for check in screens() if check is not duplicate or "duplicates" not in settings.ablate],
        on_round=on_round,
        blind=Blind(model, prompter, settings.blind) if settings.blind else None,
        curation=Curation(model, prompter),
        recall=recall,
        checkpointer=checkpointer,
    )
