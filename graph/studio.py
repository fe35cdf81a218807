"""The model behind a graph that another program opens, LangGraph Studio for one: it starts when it is first asked."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel

from ..agents.registry import prompt_library
from ..endpoints.client import Answer, Ask, Client, Model
from ..endpoints.endpoint import Endpoint
from ..samples.images import ImageRoot
from .assembly import assembled
from .models import gathered
from .policies.uniform import Uniform
from .settings import Settings
from .state import State

T = TypeVar("T", bound=BaseModel)


class _Late:
    """A model that is opened with its first ask, so that a graph which is only looked at starts nothing."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._opening = asyncio.Lock()
        self._client: Client | None = None

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """As the client answers. Also raises what opening raises: RunError or EndpointError."""
        async with self._opening:
            self._client = self._client or await self._opened()
        return await self._client.ask(ask)

    async def _opened(self) -> Client:
        endpoints = await gathered(_configured(), {}, self._stack)
        images = ImageRoot(Path(os.environ.get("EVOLGRAPH_EVOLVE_IMAGES", ".")))
        return await self._stack.enter_async_context(Client(endpoints, images, None, 0))


@asynccontextmanager
async def model() -> AsyncIterator[_Late]:
    """The model that the variables of `evolgraph evolve` name, or the embedded one, for the length of the block.

    EVOLGRAPH_EVOLVE_ENDPOINT, EVOLGRAPH_EVOLVE_MODEL and EVOLGRAPH_EVOLVE_KEY_ENV name one endpoint for all roles,
    EVOLGRAPH_EVOLVE_IMAGES the image root (default: the current folder).
    """
    async with AsyncExitStack() as stack:
        yield _Late(stack)


def default_graph(model: Model) -> CompiledStateGraph[State, None, State, State]:
    """The graph with its default parts around `model`."""
    return assembled(model, prompt_library(), Uniform(), Settings())


def _configured() -> tuple[Endpoint, ...]:
    url = os.environ.get("EVOLGRAPH_EVOLVE_ENDPOINT")
    if not url:
        return ()
    named = os.environ.get("EVOLGRAPH_EVOLVE_MODEL", "")
    return (Endpoint(url=url, model=named, key_env=os.environ.get("EVOLGRAPH_EVOLVE_KEY_ENV")),)
