"""Which endpoint does what beyond the two roles of every run: a panel's further judges, and the evidence."""

from collections.abc import Sequence
from dataclasses import replace

from ..endpoints.endpoint import Endpoint
from .identity import RunError
from .settings import Settings


def seat(number: int) -> str:
    """The role of a panel's judge, from 0."""
    return "judge" if number == 0 else f"judge-{number + 1}"


def seated(endpoints: Sequence[Endpoint], settings: Settings) -> tuple[Endpoint, ...]:
    """The endpoints with the roles that `settings` need; as they are where those need no more.

    The models that serve the role `judge` take the panel's seats in turn. Evidence is the first judge's, unless an
    endpoint has the role `evidence`. Raises RunError when there are more judging models than seats.
    """
    found = _panel(endpoints, settings.panel) if settings.panel > 1 else tuple(endpoints)
    if settings.evidence == "full" and not any("evidence" in one.roles for one in found):
        return tuple(replace(one, roles=(*one.roles, "evidence")) if "judge" in one.roles else one for one in found)
    return found


def seats(endpoints: Sequence[Endpoint], panel: int) -> list[str]:
    """The role that each of a panel's judges asks, where the endpoints are `seated`."""
    served = {role for endpoint in endpoints for role in endpoint.roles}
    judging = [seat(number) for number in range(panel) if seat(number) in served]
    return [judging[number % len(judging)] for number in range(panel)]


def _panel(endpoints: Sequence[Endpoint], panel: int) -> tuple[Endpoint, ...]:
    models = list(dict.fromkeys(_served(one) for one in endpoints if "judge" in one.roles))
    if len(models) > panel:
        raise RunError(f"{len(models)} models judge, on a panel of {panel}", where="endpoints", remedy="raise --panel")
    return tuple(
        replace(one, roles=tuple(seat(models.index(_served(one))) if role == "judge" else role for role in one.roles))
        if "judge" in one.roles
        else one
        for one in endpoints
    )


def _served(endpoint: Endpoint) -> str:
    return f"{endpoint.model} {endpoint.sampling()}"
