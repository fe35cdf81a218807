"""Images from hosts that the user allowed, and from no others."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from .contained import ImageError, shown

TIMEOUT_S: Final = 30.0
_PORTS: Final = {"http": 80, "https": 443}
Reachable = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether the IP address `address` is one of the open Internet: neither loopback, private, local nor multicast."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None)
    found = inner or found
    return found.is_global and not found.is_multicast


def is_url(path: str) -> bool:
    """Whether `path` is meant as an address of the web."""
    return path[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, hosts: Collection[str], max_bytes: int, *, reachable: Reachable = is_public) -> bytes:
    """What `url` holds, at most `max_bytes`; blocks for up to TIMEOUT_S seconds.

    Its host must be one of `hosts` (`HOST`, or `HOST:PORT` for another port than 80 and 443), and every address that it
    resolves to must be public; the connection is made to the address that was checked. Redirects are not followed.
    Raises ImageError.
    """
    try:
        return asyncio.run(_fetch(_allowed(url, hosts, reachable), max_bytes, reachable))
    except ImageError as error:
        raise ImageError(error.message, where=shown(url), remedy=error.remedy or "save the image as a file") from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(f"cannot be fetched: {told}", where=shown(url), remedy="save the image as a file") from error


def _allowed(url: str, hosts: Collection[str], reachable: Reachable) -> str:
    """`url`, whose host is one of `hosts`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower(), 0)
    name = host if port in _PORTS.values() else f"{host}:{port}"
    if parts.scheme.lower() not in _PORTS or parts.username is not None or name not in hosts:
        remedy = "allow its host with --allow-image-host, or save the file under the image root"
        raise ImageError("remote images disabled", remedy=remedy)
    # aiohttp asks no resolver for what is an address already.
    if _is_address(host) and not reachable(host):
        raise ImageError(f"{host} is no public address")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Checked(AbstractResolver):
    """Resolves names, and refuses those that lead to an address which is not reachable."""

    def __init__(self, reachable: Reachable) -> None:
        self._inner = ThreadedResolver()
        self._reachable = reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            if not self._reachable(entry["host"]):
                raise ImageError(f"{host} leads to {entry['host']}, which is no public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


async def _fetch(url: str, max_bytes: int, reachable: Reachable) -> bytes:
    connector = aiohttp.TCPConnector(resolver=_Checked(reachable), force_close=True)
    async with (
        aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), auto_decompress=False
        ) as session,
        session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
    ):
        if response.status != 200:
            kind = "redirect refused" if 300 <= response.status < 400 else "cannot be fetched"
            raise ImageError(f"{kind}: HTTP {response.status}")
        data = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            data += chunk
            if len(data) > max_bytes:
                raise ImageError(f"more than the limit of {max_bytes / 1e6:g} MB", remedy="scale or compress the image")
        return bytes(data)
