"""Several calls of one sample at once."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from ..errors import EvolgraphError

T = TypeVar("T")


async def together(calls: Sequence[Awaitable[T]]) -> list[T]:
    """What the calls give, in their order.

    Where one stops the run (EvolgraphError), those beside it come to their end first: what is sent is paid. Then the
    first of these errors is raised.
    """
    stopped: list[EvolgraphError] = []

    async def ended(call: Awaitable[T]) -> list[T]:
        try:
            return [await call]
        except EvolgraphError as error:
            stopped.append(error)
            return []

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(ended(call)) for call in calls]
    if stopped:
        raise stopped[0]
    return [value for task in running for value in task.result()]
