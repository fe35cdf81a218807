"""A model that remembers what it was asked and answers with prepared replies."""

from collections.abc import Sequence
from typing import Any, cast

from evolgraph.endpoints.chat import Answer, Ask, T, TextPart, Usage


class Scripted:
    """Gives `replies` in turn; a reply that the ask's check turns down is repaired with the next one."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asks: list[Ask[Any]] = []
        self.repairs: list[str] = []

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        self.asks.append(ask)
        for calls in (1, 2):
            value = cast(T, self.replies.pop(0))
            error = ask.check(value) if ask.check else None
            if error is None:
                return Answer(value, "ok", "", calls, 0, Usage(100 * calls, 0, 10 * calls))
            self.repairs.append(ask.repair(error))
        return Answer(None, "check", error or "", 2, 0, Usage(200, 0, 20))


def text_of(parts: Sequence[Any]) -> str:
    """The texts of message parts, one after the other."""
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))
