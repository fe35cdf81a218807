"""A call as bytes: its identity, its seed, and the body of the request."""

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from pydantic import BaseModel

from ..samples.sample import Crop
from .chat import CallKey, ImagePart, Message, TextPart
from .fragments import Fragments
from .schemas import response_format, schema_text


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be made: an even step asks, the odd one behind it is its repair turn."""

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
    """The messages as plain JSON, images by path and hash, parts of images with what they are parts of."""
    return [{"role": turn.role, "parts": [_logical_part(part) for part in turn.parts]} for turn in messages]


def _logical_part(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    image = part.image
    cut = {"of": image.whole.sha256, "bbox": list(image.bbox)} if isinstance(image, Crop) else {}
    return {"type": "image", "sha256": image.sha256, "path": image.path} | cut


def ledger_key(call: Call, model: str, sampling: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    """Hex SHA-256 of what a call is: never of where it is sent, when, or how often.

    Nor of `max_tokens`: what was said under one limit stands under a higher one. So does a reply that was cut off; only
    a sample that is taken up again asks anew.
    """
    who = call.key
    shaping = {name: value for name, value in sampling.items() if name != "max_tokens"}
    said = [[turn["role"], [part.get("text", part.get("sha256")) for part in turn["parts"]]] for turn in messages]
    identity = [who.sample, who.round, who.agent, call.step, who.take, model, said, shaping, call.seed]
    return hashlib.sha256(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server takes its requests; the default is what every server understands."""

    uuids: bool = False
    """Images are sent with their uuid, and without their bytes where it is one of `held`."""
    held: Container[str] = ()
    schema_in_prompt: bool = False
    """The reply's schema stands in the prompt too: the server does not enforce it."""
    seeded: bool = True
    """The request carries its seed."""


PLAIN = Dialect()


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON, and the uuids of the images that it holds and that it leaves out."""

    content: bytes
    sent: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


async def body(
    call: Call, model: str, sampling: dict[str, Any], fragments: Fragments, dialect: Dialect = PLAIN
) -> Body:
    """The JSON body of the chat completions request, as `dialect` has it."""
    sent: list[str] = []
    left_out: list[str] = []

    async def image(part: ImagePart) -> dict[str, Any]:
        fragment = await fragments.get(part.image)
        if not dialect.uuids:
            return {"type": "image_url", "image_url": {"url": orjson.Fragment(fragment.uri)}}
        held = fragment.uuid in dialect.held
        (left_out if held else sent).append(fragment.uuid)
        shown = None if held else {"url": orjson.Fragment(fragment.uri)}
        return {"type": "image_url", "image_url": shown, "uuid": fragment.uuid}

    async def content(turn: Message) -> str | list[dict[str, Any]]:
        if len(turn.parts) == 1 and isinstance(turn.parts[0], TextPart):
            return turn.parts[0].text
        return [
            {"type": "text", "text": part.text} if isinstance(part, TextPart) else await image(part)
            for part in turn.parts
        ]

    request = {
        "model": model,
        "messages": [{"role": turn.role, "content": await content(turn)} for turn in spoken(call, dialect)],
        "response_format": response_format(call.key.agent, call.reply),
        **({"seed": call.seed} if dialect.seeded else {}),
        **sampling,
    }
    return Body(orjson.dumps(request), tuple(sent), tuple(left_out))


def spoken(call: Call, dialect: Dialect) -> tuple[Message, ...]:
    """The messages of `call` with the reply's schema where `dialect` wants it, and in every repair turn."""
    messages = call.messages
    if dialect.schema_in_prompt or call.step % 2:
        return (*messages[:-1], _with_schema(messages[-1], call.reply))
    return messages


def _with_schema(turn: Message, reply: type[BaseModel]) -> Message:
    """The last message with the reply's schema behind all that the prefix cache may share."""
    last = turn.parts[-1]
    if isinstance(last, TextPart):
        return replace(turn, parts=(*turn.parts[:-1], TextPart(f"{last.text}\n\n{schema_text(reply)}")))
    return replace(turn, parts=(*turn.parts, TextPart(schema_text(reply))))
