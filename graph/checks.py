"""What can be known to be wrong before a run is claimed and anything is paid."""

import difflib
from collections.abc import Sequence
from typing import Final, get_args

from ..agents.agent import Agent, Prompter
from ..endpoints.endpoint import Endpoint
from ..endpoints.errors import Kind
from ..prompts.library import Library
from ..samples.sample import QA, Image, Sample
from .features import FEATURE_SET, features
from .identity import RunError
from .policies.fixed import Fixed
from .policies.policy import Context, Policy, PolicyError, checked
from .policies.softmax import Softmax
from .settings import SWITCHES
from .state import initial

ROLES: Final = ("evolver", "judge")
FURTHER_ROLES: Final = ("evidence",)
"""What an endpoint may do beside; a judge does it where none has the role."""
_EXAMPLE: Final = Sample(
    id="example",
    images=(Image(path="example.png", sha256="0" * 64, width=1, height=1),),
    qas=(QA(id="q1", question="?", answer="!"),),
)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def check_ablations(ablate: Sequence[str], names: Sequence[str]) -> None:
    """Raises RunError when a part that shall be left out does not exist, or no direction would be left."""
    known = [*names, *SWITCHES]
    for part in ablate:
        if part not in known:
            raise RunError(f"no part is called {part!r}", where="ablate", remedy=_nearest(part, known))
    if set(names) <= set(ablate):
        raise RunError("no direction is left", where="ablate", remedy=f"keep one of {', '.join(names)}")


def check_kind(kind: str | None) -> None:
    """Raises RunError when no sample can fail in this way; None and an empty string are no kind."""
    known = [*get_args(Kind), "no-questions"]
    if kind and (kind == "ok" or kind not in known):
        raise RunError(f"no failure is called {kind!r}", where="retry-failed", remedy=_nearest(kind, known[1:]))


def check_roles(endpoints: Sequence[Endpoint]) -> None:
    """Raises RunError when an endpoint has a role that does not exist, or a role has no endpoint."""
    served = {role: endpoint.url for endpoint in endpoints for role in endpoint.roles}
    for role, url in served.items():
        if role not in (*ROLES, *FURTHER_ROLES):
            known = (*ROLES, *FURTHER_ROLES)
            raise RunError(f"no role is called {role!r}", where=url, remedy=_nearest(role, known))
    if missing := [role for role in ROLES if role not in served]:
        raise RunError(f"no endpoint serves the role {missing[0]}", where="endpoints", remedy="give one that role")


async def check_policy(policy: Policy, eligible: Sequence[str], names: Sequence[str]) -> None:
    """Asks the policy once. Raises PolicyError when it cannot choose, or has weights for what does not exist."""
    for name in policy.weights if isinstance(policy, Fixed | Softmax) else ():
        if name not in names:
            raise PolicyError(f"no direction is called {name!r}", where=policy.name, remedy=_nearest(name, names))
    context = Context("example", 1, tuple(eligible), features(initial(_EXAMPLE, 0), 1), FEATURE_SET)
    checked(await policy.propose(context), eligible, policy.name)


def check_prompts(library: Library, agents: Sequence[type[Agent]]) -> None:
    """Renders every text once. Raises PromptError when one does not render."""
    prompter = Prompter(library)
    prompter.messages(_EXAMPLE, "")
    prompter.repair("")
    library.render("work", questions="", rejected="", proposed="")
    library.render("judge", pairs="", looked=True)
    for text in ("grounding", "referring", "reading"):
        library.render(text, look="")
    library.render("judge_text", pairs="")
    library.render("blind", questions="")
    library.render("curation")
    library.render("route", directions="", sample="")
    for agent in agents:
        library.render(agent.prompt, work="", forms="")
