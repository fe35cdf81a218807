"""Which models serve a run: endpoints, LangChain chat models in some roles, or the embedded model."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from ..endpoints.builtin.child import running
from ..endpoints.endpoint import Endpoint
from ..endpoints.errors import EndpointError
from ..endpoints.langchain import ChatEndpoint
from ..endpoints.probing import probe
from .checks import ROLES, check_roles
from .identity import RunError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


async def gathered(
    endpoints: Sequence[Endpoint], models: Mapping[str, "BaseChatModel"], stack: AsyncExitStack
) -> tuple[Endpoint, ...]:
    """Everything that serves a run, with what the servers tell of themselves.

    The roles of `models` are theirs alone. Where no endpoint is given, the embedded model serves the rest; `stack`
    ends it. Raises RunError or EndpointError.
    """
    found = [*_without(models, endpoints), *_chats(models)]
    if not endpoints and (left := tuple(role for role in ROLES if role not in models)):
        url = await stack.enter_async_context(running())
        found.append(Endpoint(url=url, model="builtin", roles=left))
    probed = await _probed(found)
    check_roles(probed)
    return probed


def _without(models: Mapping[str, "BaseChatModel"], endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoints without the roles that `models` serve."""
    kept = []
    for endpoint in endpoints:
        roles = tuple(role for role in endpoint.roles if role not in models)
        if not roles:
            raise RunError(
                f"models serve all of its roles ({', '.join(endpoint.roles)})",
                where=endpoint.url,
                remedy="leave out this endpoint or the models",
            )
        kept.append(replace(endpoint, roles=roles))
    return kept


def _chats(models: Mapping[str, "BaseChatModel"]) -> list[Endpoint]:
    """The chat models as endpoints; one that serves several roles is one endpoint."""
    roles: dict[int, list[str]] = {}
    for role, chat in models.items():
        roles.setdefault(id(chat), []).append(role)
    return [ChatEndpoint(chat=chat, roles=tuple(roles.pop(id(chat)))) for chat in models.values() if id(chat) in roles]


async def _probed(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints with what they tell of themselves.

    One that cannot be reached is no error while another does its work. Raises EndpointError.
    """
    found: list[Endpoint] = []
    lost: list[tuple[Endpoint, EndpointError]] = []
    for endpoint in dict.fromkeys(endpoints):
        try:
            found.append(await probe(endpoint) if endpoint.is_server else endpoint)
        except EndpointError as error:
            if error.kind != "unreachable":
                raise
            lost.append((endpoint, error))
    served = {role for endpoint in found for role in endpoint.roles}
    for endpoint, error in lost:
        if not served.issuperset(endpoint.roles):
            raise error
    return (*found, *(endpoint for endpoint, _ in lost))
