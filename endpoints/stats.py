"""Counters of a client, for progress lines and summaries."""

from collections import Counter
from dataclasses import dataclass, field

from .chat import Usage


@dataclass(slots=True)
class Stats:
    """What a client has done so far. Tokens are those of replies received now, not of replayed ones."""

    sent: int = 0
    """Requests that went out, retries included."""
    retries: int = 0
    in_flight: int = 0
    received: int = 0
    """Calls that ended with a reply or a final failure."""
    replayed: int = 0
    """Calls answered from the ledger."""
    repairs: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    image_tokens: int = 0
    metered: int = 0
    """Replies whose token counts the server told."""
    unmetered: int = 0
    """Replies whose token counts the server did not tell."""
    failures: Counter[str] = field(default_factory=Counter)
    """Calls by the kind of their failure."""

    @property
    def tells_tokens(self) -> bool:
        """Whether the token counts are whole: where requests went out and no reply told any, nobody knows them."""
        return not self.unmetered and (self.metered > 0 or self.sent == 0)

    def count(self, kind: str, usage: Usage, *, replied: bool) -> None:
        """Add a call that ended now with `kind`."""
        self.received += 1
        if kind != "ok":
            self.failures[kind] += 1
        if usage.total is not None:
            self.metered += 1
        elif replied:
            self.unmetered += 1
        self.prompt_tokens += usage.prompt_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        self.image_tokens += usage.image_tokens or 0
