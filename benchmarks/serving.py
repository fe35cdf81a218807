"""The least of an HTTP server that a mock needs: it shares the CPU with what is measured.

It answers one request after the other on a connection that is kept open. Bodies come with a Content-Length.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Final, cast

import orjson

Answer = Callable[[bytes], None]
"""Takes the JSON of the reply; may be called later."""
Handle = Callable[[bytes, bytes, Answer], None]
"""Takes a request's path and body, and what is to be called with the reply."""

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: what it still waits for is not written."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._pieces.append(data)
        self._have += len(data)
        if self._have >= self._need:
            self._read(b"".join(self._pieces))

    def _read(self, got: bytes) -> None:
        head, found, _ = got.partition(_END)
        start = len(head) + len(_END)
        self._need = start + _length(head) if found else 0
        if not found or len(got) < self._need:
            self._pieces = [got]
            return
        body = got[start : self._need]
        rest = got[self._need :]
        self._pieces, self._have, self._need = [rest], len(rest), 0
        self._handle(head.split(b" ", 2)[1], body, self._answer)

    def _answer(self, body: bytes) -> None:
        if self._transport:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


def _length(head: bytes) -> int:
    low = head.lower()
    place = low.find(_LENGTH)
    return int(low[place + len(_LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0


async def serve(handles: list[Handle]) -> None:
    """Serves each of `handles` on a free loopback port until standard input closes.

    The first line on standard output is a JSON object with the base URLs, the first one also as `url`.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    servers = [
        await loop.create_server(lambda handle=handle: Connection(handle), "127.0.0.1", 0, backlog=1024)
        for handle in handles
    ]
    urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1" for server in servers]
    print(orjson.dumps({"url": urls[0], "urls": urls}).decode(), flush=True)
    threading.Thread(target=_watch_stdin, args=(loop, stopped), daemon=True).start()
    await stopped.wait()
    for server in servers:
        server.close()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stopped.set)


MODELS: Final = orjson.dumps({"object": "list", "data": [{"id": "mock", "object": "model"}]})
"""What /v1/models answers."""
