"""A tiny request that tells whether a server answers at all, beside one that it may be refusing alone."""

from typing import Any, Final

import orjson

from .endpoint import Endpoint

WORDS: Final = "Say yes."
_MOST_TOKENS: Final = 16


def greeting(endpoint: Endpoint) -> bytes:
    """The body of a request without image or schema, and with hardly any reply."""
    sampling: dict[str, Any] = endpoint.sampling()
    if endpoint.max_tokens is not None:
        sampling["max_tokens"] = min(endpoint.max_tokens, _MOST_TOKENS)
    return orjson.dumps({"model": endpoint.model, "messages": [{"role": "user", "content": WORDS}], **sampling})
