"""The graph with the parts that are installed and that the settings name, all of them asking one model."""

from collections.abc import Callable, Sequence
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from ..agents.agent import Prompter
from ..agents.blind import Blind
from ..agents.curation import Curation
from ..agents.judge import Judge, TextJudge
from ..agents.looking import Looking
from ..agents.panel import Panel
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
    judges: Sequence[str] = (),
    on_round: Callable[[list[dict[str, Any]]], None] | None = None,
    recall: Recall | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[State, None, State, State]:
    """The compiled graph whose agents, judge and policy ask `model` in the words of `library` (see build_graph).

    `judges` are the roles that a panel's judges ask (default: all of them `judge`).

    Raises PluginError for an installed agent or screen that cannot be used.
    """
    prompter, agents = Prompter(library), directions()
    if isinstance(policy, AskingPolicy):
        policy.bind(model, library, {name: (agent.__doc__ or "").strip() for name, agent in agents.items()})
    return build_graph(
        {name: agent(model, prompter) for name, agent in agents.items()},
        _judge(model, prompter, settings, judges or ["judge"] * settings.panel),
        policy,
        settings,
        screens=[check for check in screens() if check is not duplicate or "duplicates" not in settings.ablate],
        on_round=on_round,
        blind=Blind(model, prompter, settings.blind) if settings.blind else None,
        curation=Curation(model, prompter),
        looking=Looking(model, prompter) if settings.evidence == "full" else None,
        recall=recall,
        checkpointer=checkpointer,
    )


def _judge(model: Model, prompter: Prompter, settings: Settings, roles: Sequence[str]) -> Judge:
    kind = TextJudge if settings.judge == "text" else Judge
    seed = None if "order" in settings.ablate else settings.seed
    judges = [kind(model, prompter, seed=seed, role=role, number=at) for at, role in enumerate(roles)]
    return judges[0] if len(judges) == 1 else Panel(judges)
