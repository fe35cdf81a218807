"""Calls that a stop cuts off: the ledger says exactly which of their requests may have been billed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from evolgraph.endpoints.client import Client
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.gate import Gate, Stopped
from evolgraph.store.ledger import Ledger
from evolgraph.store.store import Store

from .conftest import Pictures, Scripted, Waits, make_ask, sends, serving


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "run.db") as opened:
        yield opened


async def calls_of(store: Store, ledger: Ledger) -> list[tuple[str, int, int]]:
    await ledger.cut_off()
    found = "SELECT kind, sum(attempts), sum(maybe_billed) FROM calls GROUP BY kind"
    return await store.read(lambda db: db.execute(found).fetchall())


async def test_a_stop_while_a_server_is_not_there_leaves_nothing_to_be_billed(store: Store) -> None:
    async with serving(Scripted()) as gone:
        pass
    gate, ledger = Gate(), Ledger(store, "r")
    async with Client([gone.endpoint()], Pictures(), ledger, run_seed=3, gate=gate) as client:
        asked = [asyncio.create_task(client.ask(make_ask(f"s{number}"))) for number in range(3)]
        while client.stats.in_flight or not client.stats.retries:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        gate.close("interrupted")
        ended = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)
    assert [type(one) for one in ended] == [Stopped] * 3
    assert await calls_of(store, ledger) == [("cut-off", 0, 0)]


async def test_requests_before_the_one_that_was_cut_off_count_too(store: Store, server: Scripted) -> None:
    async def hangs(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    server.steps = [sends("busy", 429), sends("broken", 500), hangs]
    ledger = Ledger(store, "r")
    async with Client([server.endpoint()], Pictures(), ledger, run_seed=3, clock=Waits().clock()) as client:
        asked = asyncio.create_task(client.ask(make_ask()))
        async with asyncio.timeout(20):
            while server.steps:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert await calls_of(store, ledger) == [("cut-off", 3, 2)], "all but the one that was declined"


class Slow(Ledger):
    """Commits that a second request goes out, and says so only when the first is over."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "r")
        self.first_is_over = asyncio.Event()

    async def begin(self, call: Mapping[str, Any]) -> None:
        await super().begin(call)
        if call["sample"] != "first":
            await self.first_is_over.wait()


async def test_a_request_that_a_refused_key_holds_back_is_none(store: Store, server: Scripted) -> None:
    server.otherwise = sends("no", 401)
    ledger = Slow(store)
    async with Client([server.endpoint()], Pictures(), ledger, run_seed=3) as client:
        held_back = asyncio.create_task(client.ask(make_ask("second")))
        with pytest.raises(EndpointError):
            await client.ask(make_ask("first"))
        ledger.first_is_over.set()
        with pytest.raises(EndpointError):
            await held_back
    assert len(server.bodies) == 1
    assert await calls_of(store, ledger) == [("auth", 1, 0), ("cut-off", 0, 0)]
