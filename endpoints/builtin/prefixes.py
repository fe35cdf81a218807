"""A prefix cache as serving engines keep it: which leading part of a prompt was seen before."""

from collections import OrderedDict
from typing import Final

_BLOCK_TOKENS: Final = 16
_TOKEN_BYTES: Final = 4
"""The usual rule of thumb for English text; there is no tokenizer here."""
_BLOCK_BYTES: Final = _BLOCK_TOKENS * _TOKEN_BYTES


def tokens(text: bytes) -> int:
    """The estimated number of tokens of `text`: a token for every four bytes begun."""
    return -(-len(text) // _TOKEN_BYTES)


def image_filling(digest: bytes, count: int) -> bytes:
    """Bytes that stand for an image's `count` tokens in a prompt; equal for equal images."""
    return (digest * (count * _TOKEN_BYTES // len(digest) + 1))[: count * _TOKEN_BYTES]


class PrefixCache:
    """Blocks of 16 tokens, each known together with everything before it; the least recently used is dropped.

    `queried` and `hit` count tokens, as vLLM's counters do. `capacity` is in blocks.
    """

    def __init__(self, capacity: int = 200_000) -> None:
        self._capacity = capacity
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self.queried = 0
        self.hit = 0

    def admit(self, prompt: bytes) -> int:
        """Remember `prompt` and return how many of its leading tokens were known; never all of them."""
        chain, hit, unbroken = 0, 0, True
        for start in range(0, len(prompt) - _BLOCK_BYTES + 1, _BLOCK_BYTES):
            chain = hash((chain, prompt[start : start + _BLOCK_BYTES]))
            unbroken = unbroken and chain in self._blocks
            hit += unbroken
            self._blocks[chain] = None
            self._blocks.move_to_end(chain)
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
        total = tokens(prompt)
        cached = min(hit * _BLOCK_TOKENS, max(0, total - 1))
        self.queried += total
        self.hit += cached
        return cached
