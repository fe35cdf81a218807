"""Texts that repeat what other rows hold, deflated; SQL knows both functions by their names."""

import zlib


def packed(text: str) -> bytes:
    """`text` deflated (RFC 1950): of a checkpoint about a third is left."""
    return zlib.compress(text.encode(), 1)


def unpacked(data: bytes) -> str:
    """What `packed` was given. Raises zlib.error and UnicodeDecodeError."""
    return zlib.decompress(data).decode()
