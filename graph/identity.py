"""Which run a store holds, and whether this start may go on with it."""

import ast
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..endpoints.endpoint import Endpoint
from ..errors import EvolgraphError
from ..prompts.library import Library
from ..store.runs import Run, change_fingerprint, create_run, newest_run
from ..store.store import Store
from .policies.policy import Policy
from .settings import Settings


class RunError(EvolgraphError):
    """A run that cannot be started as asked."""

    kind = "run"


def fingerprint(
    settings: Settings, library: Library, policy: Policy, endpoints: Sequence[Endpoint], names: Sequence[str]
) -> dict[str, Any]:
    """What decides a run's results, as plain JSON: a store goes on only with the same. No URL, port or concurrency."""
    return settings.fingerprint() | {
        "prompts": library.digest,
        "policy": f"{policy.name} {policy.version}",
        "directions": list(names),
        "models": sorted(
            {f"{role}: {endpoint.model} {endpoint.sampling()}" for endpoint in endpoints for role in endpoint.roles}
        ),
    }


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two fingerprints, in one line; empty when they agree."""
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = {name: f"{name} was {before.get(name)}, is {now.get(name)}" for name in changed}
    return "; ".join("the prompt texts differ" if name == "prompts" else words for name, words in told.items())


EXTENSIBLE: Final = ("rounds", "target")
"""What `extend` may raise, beside the models' `max_tokens`."""


async def claim(
    store: Store,
    identity: Mapping[str, Any],
    seed: int,
    *,
    resume: bool = True,
    extend: bool = False,
    name: str | None = None,
) -> Run:
    """The run that `store` holds when it is this one, or a new one in an empty store.

    `name` is the id of a new run. With `extend` it may differ in more rounds, a higher target and higher token limits.
    Raises RunError when it holds another one, or any at all without `resume`.
    """
    known = await store.read(newest_run)
    if known is None:
        return await create_run(store, name or uuid.uuid4().hex[:12], identity, seed)
    anew = "name another --store, or delete this one, to start anew"
    if not resume:
        raise RunError("the store holds a run already", where=str(store.path), remedy=anew)
    if extend and _extends(known.fingerprint, identity):
        await change_fingerprint(store, known.id, identity)
        return known
    if changed := difference(known.fingerprint, identity):
        remedy = anew
        if _extends(known.fingerprint, identity):
            remedy = f"add --extend to go on with more, or {anew}"
        elif _extends(identity, known.fingerprint):
            remedy = f"go on with what it was extended to, or {anew}"
        raise RunError(f"the store holds a run with other settings: {changed}", where=str(store.path), remedy=remedy)
    return known


def _extends(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    raised = {name: before[name] for name in EXTENSIBLE if before[name] < now[name]}
    if _lets_reply_longer(before["models"], now["models"]):
        raised["models"] = before["models"]
    return not difference(before, {**now, **raised})


def _lets_reply_longer(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether the models are the same, but for `max_tokens` that no one has less of."""
    limits, others = _token_limits(before), _token_limits(now)
    return limits.keys() == others.keys() and all(limits[model] <= others[model] for model in limits)


def _token_limits(models: Sequence[str]) -> dict[str, float]:
    """By model as in a fingerprint, without its `max_tokens`: these; infinite where the server decides."""
    return dict(map(_without_limit, models))


def _without_limit(model: str) -> tuple[str, float]:
    name, _, sampling = model.partition(" {")
    try:
        known = ast.literal_eval(f"{{{sampling}")
    except (SyntaxError, ValueError):  # a name that holds a brace, or a number that is infinite
        return model, math.inf
    limit = known.pop("max_tokens", math.inf) if isinstance(known, dict) else None
    return (f"{name} {known}", limit) if isinstance(limit, int | float) else (model, math.inf)
