"""A call as bytes: its identity, its seed, and the body of the request."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel

from .chat import CallKey, ImagePart, Message, TextPart
from .fragments import Fragments
from .schemas import response_format


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be made: step 0 of an ask, or step 1, its repair turn."""

    key: CallKey
    step: int
    role: str
    messages: tuple[Message, ...]
    reply: type[BaseModel]
    seed: int

    @property
    def affinity(self) -> str:
        """What should stick to one endpoint: the first image, or the sample where there is none."""
        parts = (part for message in self.messages for part in message.parts)
        return next((part.image.sha256 for part in parts if isinstance(part, ImagePart)), self.key.sample)


def request_seed(run_seed: int, key: CallKey, step: int) -> int:
    """The request's `seed`, 0 to 2^31 - 1: the same for the same call of the same run."""
    named = orjson.dumps([run_seed, key.sample, key.round, key.agent, step, key.take])
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "big") % 2**31


def logical(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as plain JSON, images by path and hash."""
    return [{"role": turn.role, "parts": [_logical_part(part) for part in turn.parts]} for turn in messages]


def _logical_part(part: TextPart | ImagePart) -> dict[str, str]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image", "sha256": part.image.sha256, "path": part.image.path}


def ledger_key(call: Call, model: str, sampling: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    """Hex SHA-256 of what a call is: never of where it is sent, when, or how often."""
    who = call.key
    said = [[turn["role"], [part.get("text", part.get("sha256")) for part in turn["parts"]]] for turn in messages]
    identity = [who.sample, who.round, who.agent, call.step, who.take, model, said, sampling, call.seed]
    return hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def body(call: Call, model: str, sampling: dict[str, Any], fragments: Fragments) -> bytes:
    """The JSON body of the chat completions request."""
    request = {
        "model": model,
        "messages": [{"role": turn.role, "content": await _content(turn, fragments)} for turn in call.messages],
        "response_format": response_format(call.key.agent, call.reply),
        "seed": call.seed,
        **sampling,
    }
    return orjson.dumps(request)


async def _content(turn: Message, fragments: Fragments) -> str | list[dict[str, Any]]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], TextPart):
        return turn.parts[0].text
    return [await _part(part, fragments) for part in turn.parts]


async def _part(part: TextPart | ImagePart, fragments: Fragments) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    uri = orjson.Fragment(await fragments.get(part.image))
    return {"type": "image_url", "image_url": {"url": uri}}
