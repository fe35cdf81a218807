"""OpenAI's chat messages: `content` is a text or a list of parts, of which `image_url` and `image` are images."""

from collections.abc import Mapping
from typing import Any, Final

from .conversation import TOKEN, caption_alone, described, questions
from .fields import (
    Draft,
    Reference,
    RowError,
    Unknown,
    entries,
    identity_or_digest,
    image_reference,
    image_references,
    kind,
    objects,
    required,
    text,
)

_UNASKED: Final = ("system", "developer")
_HERE: Final = "\0"
"""Where an image goes. No text holds it, so that a text which says `<image>` and means no image stays what it is."""


def matches(row: Mapping[str, Any]) -> bool:
    """Whether `row` is in this layout."""
    return "messages" in row


def parse(row: Mapping[str, Any]) -> Draft:
    """The seed in `row`: each user message with its answer is a question. System messages are not kept, but counted.

    Its caption is kept where nothing is asked.

    An `image` part without an image of its own stands for the next one of the field `images`, and so does `<image>` in
    a text where there is that field; elsewhere it is text. Raises RowError.
    """
    messages = objects(required(row, "messages"), "messages")
    unknown: Unknown = Unknown()
    while messages and messages[0].get("role") in _UNASKED:
        unknown["turn", str(messages[0]["role"])] += 1
        messages = messages[1:]
    found = _Images([*image_references(row)] if row.get("images") or row.get("image") else [])
    said = [(message.get("role") == "assistant", _words(message.get("content"))) for message in messages]
    if found.spare and (caption := caption_alone(row, said, "messages")):
        images = tuple(found.spare)
        return Draft(id=identity_or_digest(row), images=images, qas=(), caption=caption, unknown=unknown)
    skipped = unknown.total()
    turns = [_turn(message, index, skipped, found) for index, message in enumerate(messages)]
    if found.spare:
        raise RowError("images", f"{len(found.spare)} more than the messages place", "add an image part for each")
    if not found.placed:
        raise RowError("messages", "missing image", "add an image_url part, or images")
    qas = questions(turns, len(found.placed), "messages", _HERE)
    caption, images = described(qas), tuple(found.placed)
    return Draft(
        id=identity_or_digest(row), images=images, qas=() if caption else qas, caption=caption, unknown=unknown
    )


def _words(content: object) -> object:
    """The text of a message without its other parts; what is neither text nor parts is given back."""
    if not isinstance(content, list):
        return content
    return "\n".join(str(part.get("text")) for part in content if isinstance(part, dict) and part.get("type") == "text")


class _Images:
    """The images of a row in the order in which its messages place them; `spare` are those not placed yet."""

    def __init__(self, spare: list[Reference]) -> None:
        self.spare = spare
        self._by_token = bool(spare)
        self.placed: list[Reference] = []

    def next(self, place: str) -> None:
        if not self.spare:
            raise RowError(place, "places an image that is not there", "add it to images")
        self.placed.append(self.spare.pop(0))

    def placing(self, said: str, place: str) -> str:
        """`said` with what stands for images in it marked."""
        if not self._by_token:
            return said
        for _ in range(said.count(TOKEN)):
            self.next(place)
        return said.replace(TOKEN, _HERE)


def _turn(message: Mapping[str, Any], index: int, skipped: int, images: _Images) -> str:
    place, role = f"messages turn {index + skipped + 1}", message.get("role")
    expected = ("user", "assistant")[index % 2]
    if role != expected:
        remedy = "let user and assistant take turns, user first"
        raise RowError(place, f"expected {expected!r}, found {role!r}", remedy)
    content = message.get("content")
    if isinstance(content, str):
        return images.placing(text(content, place, empty=False), place)
    parts = [_part(part, f"{place} part {n + 1}", images) for n, part in enumerate(entries(content, place))]
    text("\n".join(parts).replace(_HERE, TOKEN), place, empty=False)
    return "\n".join(parts)


def _part(part: object, place: str, images: _Images) -> str:
    if not isinstance(part, dict):
        raise RowError(place, f"expected an object, found {kind(part)}", "write an object with a type")
    match part.get("type"):
        case "text":
            return images.placing(text(part.get("text"), place), place)
        case "image_url":
            url = part.get("image_url")
            images.placed.append(image_reference(url.get("url") if isinstance(url, dict) else url, place))
        case "image" if part.get("image") is None:
            images.next(place)
        case "image":
            images.placed.append(image_reference(part["image"], place))
        case other:
            raise RowError(place, f"type {other!r} is neither text nor image_url", "remove the part or the row")
    return _HERE
