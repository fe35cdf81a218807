"""What can go wrong with a model's endpoint, and the kinds a reply is classified into."""

from typing import Final, Literal

from ..errors import EvolgraphError

Kind = Literal[
    "ok",
    "truncated",  # finish_reason "length", whatever the text looks like
    "truncated-thinking",  # the same, before the reply itself had begun
    "refusal",  # the model declined
    "filtered",  # the server's content filter cut in
    "empty",  # no choices, no content, or blank content
    "not-json",  # a text without a JSON object in it
    "schema",  # JSON that does not fit the reply model
    "check",  # fits the reply model, but not what was asked
    "garbled",  # status 200 with a body that is not JSON
    "too-large",  # a body over the cap; reading stopped there
    "image",  # the sample's image could not be read, so nothing was sent
    "cut-off",  # the process ended before the call did
    "unreachable",
    "timeout",
    "rate-limited",  # 408, 425, 429
    "server",  # 5xx
    "bad-request",  # 400, 413, 422 and the like
    "auth",  # 401, 403
    "quota",  # 402, and a 429 that no waiting will change
    "not-found",  # 404, 405, and redirects
]
"""How a call ended. Only `ok` carries a value."""

REPAIRABLE: Final[frozenset[str]] = frozenset({"not-json", "schema", "check"})
"""Kinds that get one repair turn; every other failure is final for its ask."""

PASSING: Final[frozenset[str]] = frozenset({"cut-off", "unreachable", "timeout", "rate-limited", "server"})
"""Failures that left no reply behind: when a run is resumed, such a call is made again instead of replayed."""

FATAL: Final[frozenset[str]] = frozenset({"auth", "quota", "not-found"})
"""Kinds that no retry and no other sample can change: they stop the run."""


NO_KEY: Final = "put its key into a variable and name that: --key-env NAME, or key_env in the config file"
"""The remedy for a key that is refused, or that was not given at all."""


class EndpointError(EvolgraphError):
    """An endpoint that cannot be used at all: wrong settings, unreachable, refused key, unknown model."""

    kind = "endpoint"
