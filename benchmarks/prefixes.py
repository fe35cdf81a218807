"""How much of the prompts a prefix cache without limits could have served: whole blocks that an earlier request had."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final

import aiohttp
import click

from .recording import Passed, Recording, image_parts

_AT_ONCE: Final = 2


async def sharable(url: str, seen: Recording, block: int) -> int:
    """Tokens of the answered requests in blocks of `block` tokens that also began an earlier request.

    The server at `url` tokenises the prompts; where images stand in them, their identity counts. As in vLLM, the last
    token of a prompt is never taken from the cache.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def read(one: Passed) -> list[Hashable]:
            async with places:
                return await _tokens(session, url, seen, one)

        prompts = await asyncio.gather(*map(read, seen.answered))
    known: set[bytes] = set()
    found = 0
    for tokens in prompts:
        chain = list(_chain(tokens, block))
        usable = chain[: (len(tokens) - 1) // block]
        found += block * next((place for place, key in enumerate(usable) if key not in known), len(usable))
        known.update(chain)
    return found


def _chain(tokens: Sequence[Hashable], block: int) -> Iterator[bytes]:
    """A key for every whole block that stands for it and all before it."""
    key = b""
    for start in range(0, len(tokens) - block + 1, block):
        key = hashlib.sha256(key + repr(tokens[start : start + block]).encode()).digest()
        yield key


async def _tokens(session: aiohttp.ClientSession, url: str, seen: Recording, one: Passed) -> list[Hashable]:
    """The tokens of a prompt, those of images with the image's name."""
    names = [part.get("uuid") or part["image_url"]["url"] for part in image_parts(one.body)]
    body = {"model": one.body["model"], "messages": [_with_images(turn, seen) for turn in one.body["messages"]]}
    async with session.post(url.removesuffix("/v1") + "/tokenize", json=body) as response:
        if response.status != 200:
            raise click.ClickException(f"POST /tokenize was answered with {response.status}: is it a vLLM?")
        tokens: list[int] = (await response.json())["tokens"]
    if len(tokens) != one.usage["prompt_tokens"]:
        raise click.ClickException(f"/tokenize gives {len(tokens)} tokens, the reply {one.usage['prompt_tokens']}")
    return _named(tokens, names, _image_tokens(one))


def _image_tokens(one: Passed) -> int:
    details = one.usage.get("prompt_tokens_details") or {}
    told = (details.get("multimodal_tokens") or {}).get("image")
    if told is None:
        raise click.ClickException("usage tells no image tokens: start vLLM with --enable-prompt-tokens-details")
    return told


def _named(tokens: Sequence[int], names: Sequence[str], count: int) -> list[Hashable]:
    """`tokens` with the images' placeholders, `count` in all, marked by the images that they stand for."""
    placeholders = [token for token, number in Counter(tokens).items() if number == count]
    if len(placeholders) != 1:
        raise click.ClickException(f"no single token stands {count} times for the images of a prompt")
    named: list[Hashable] = []
    image = -1
    for place, token in enumerate(tokens):
        if token != placeholders[0]:
            named.append(token)
            continue
        image += place == 0 or tokens[place - 1] != token
        named.append((token, names[image]))
    return named


def _with_images(turn: dict[str, Any], seen: Recording) -> dict[str, Any]:
    """The turn with every image in full, which tokenising does not take from a cache."""
    if isinstance(turn["content"], str):
        return turn
    return turn | {"content": [_full(part, seen) for part in turn["content"]]}


def _full(part: dict[str, Any], seen: Recording) -> dict[str, Any]:
    if part["type"] != "image_url" or part["image_url"]:
        return part
    return part | {"image_url": {"url": seen.images[part["uuid"]]}}
