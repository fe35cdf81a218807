"""Message texts by content: what several calls sent is stored once."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from .errors import StoreError

Outline = list[Any]
"""Messages without their texts: [role, parts] each. A part is an image's mapping, or a text as a list of pieces; a
piece is "#" and the hash of a stored text, or a short text as it is."""

# Landmarks of the agents' data blocks: a question is sent by several calls, between other words. A text is always the
# concatenation of its pieces; where it is cut only decides how much of it is shared.
_BEGINS: Final = ('{"id":', ',"proposed_boxes"')
_ENDS: Final = re.compile(r'\}(?=,\n|\]\n|,"(?:evolved|parent|evidence)")')
_MARK: Final = "\0"
_SHORT: Final = 48


def dismantled(messages: Sequence[Mapping[str, Any]]) -> tuple[Outline, dict[str, str]]:
    """The outline of `messages` ({"role", "parts"} each) and the texts that it refers to, by hash."""
    texts: dict[str, str] = {}
    outline: Outline = []
    for message in messages:
        parts: list[Any] = []
        for part in message["parts"]:
            if part["type"] == "text":
                pieces, longer = _pieces(part["text"])
                texts.update(longer)
                parts.append(pieces)
            else:
                parts.append(part)
        outline.append([message["role"], parts])
    return outline, texts


def assembled(outline: Outline, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The messages that `dismantled` took apart. Raises StoreError `corrupt` when a text is missing."""
    return [
        {"role": role, "parts": [_text_part(part, texts) if isinstance(part, list) else part for part in parts]}
        for role, parts in outline
    ]


def hashes(outline: Outline) -> Iterator[str]:
    """The hashes of the texts that an outline refers to."""
    for _, parts in outline:
        for part in parts:
            if isinstance(part, list):
                yield from (piece[1:] for piece in part if piece.startswith("#"))


def _text_part(pieces: Sequence[str], texts: Mapping[str, str]) -> dict[str, str]:
    try:
        text = "".join([texts[piece[1:]] if piece.startswith("#") else piece for piece in pieces])
    except KeyError as error:
        raise StoreError(
            f"the text {error} is missing", remedy="restore a copy of the store", kind="corrupt"
        ) from error
    return {"type": "text", "text": text}


@lru_cache(maxsize=1024)
def _pieces(text: str) -> tuple[list[str], dict[str, str]]:
    pieces: list[str] = []
    longer: dict[str, str] = {}
    for piece in _cut(text):
        if len(piece) < _SHORT and not piece.startswith("#"):
            pieces.append(piece)
        else:
            name = urlsafe_b64encode(hashlib.sha256(piece.encode()).digest()[:12]).decode()
            longer[name] = piece
            pieces.append(f"#{name}")
    return pieces, longer


def _cut(text: str) -> list[str]:
    """`text` in pieces that begin at the landmarks."""
    if _MARK in text:
        return [text]
    for landmark in _BEGINS:
        text = text.replace(landmark, _MARK + landmark)
    return _ENDS.sub(_MARK + "}", text).split(_MARK)
