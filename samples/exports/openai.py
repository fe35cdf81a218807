"""OpenAI's chat messages: images as `image_url` parts before the first question."""

from collections.abc import Sequence
from typing import Any

from .conversation import Conversation


def openai_row(conversation: Conversation, urls: Sequence[str]) -> dict[str, Any]:
    """One row; `urls` are those of the images, paths or data URIs."""
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages: list[dict[str, Any]] = []
    for version in conversation.versions:
        question = version.qa.question
        asked = question if messages else [*pictures, {"type": "text", "text": question}]
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": version.qa.answer}]
    return {"id": conversation.id, "messages": messages}
