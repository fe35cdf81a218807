"""`evolve --metrics-port`: the run's metrics over HTTP, for this machine alone."""

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from rich.console import Console
from yarl import URL

from ..errors import EvolgraphError
from ..graph.looking import Look

HOST: Final = "127.0.0.1"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@contextlib.contextmanager
def listening(port: int | None) -> Iterator[socket.socket | None]:
    """A socket that listens on `port` of the loopback interface (0: a free one) for the block; None without a port.

    Raises EvolgraphError when the port cannot be had.
    """
    if port is None:
        yield None
        return
    try:
        made = socket.create_server((HOST, port))
    except OSError as error:
        told = f"port {port} cannot be used: {os.strerror(error.errno or 0)}"  # its own text names the address too
        remedy = "name another port, or 0 for a free one"
        raise EvolgraphError(told, where="--metrics-port", remedy=remedy, kind="setup") from error
    with made:
        yield made


@contextlib.asynccontextmanager
async def metrics_served(look: Callable[[], Look], on: socket.socket | None, out: Console) -> AsyncIterator[None]:
    """Serves the metrics of the open run that `look` tells of on a socket, if there is one, and says where."""
    if on is None:
        yield
        return
    runner = web.AppRunner(application(look), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, on).start()
        out.print(f"metrics at http://{HOST}:{on.getsockname()[1]}/metrics", soft_wrap=True)
        yield
    finally:
        await runner.cleanup()


def application(look: Callable[[], Look]) -> web.Application:
    """The web application with the metrics of the run that `look` tells of at /metrics."""
    from prometheus_client.aiohttp import make_aiohttp_handler

    from ..graph.metrics import registry_of

    app = web.Application(middlewares=[_from_here])
    app.router.add_get("/metrics", make_aiohttp_handler(registry_of(look), disable_compression=True), allow_head=False)
    return app


@web.middleware
async def _from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets in who asks for this machine by its own name: a page elsewhere whose name leads here does not."""
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1:
        raise web.HTTPBadRequest(text="one Host header is needed\n")
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if not all(_is_loopback(address) for address in (f"http://{hosts[0]}", *origins)):
        raise web.HTTPForbidden(text="only for this machine\n")
    return await handler(request)


def _is_loopback(address: str) -> bool:
    try:
        return URL(address).host in LOOPBACK
    except ValueError:
        return False
