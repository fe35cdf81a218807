"""The ShareGPT format with images, as LLaMA-Factory and others read it: LLaVA's turns, and `images` always a list."""

from typing import Any

from .conversation import Conversation, paths, turns


def sharegpt_row(conversation: Conversation) -> dict[str, Any]:
    """One row."""
    return {
        "id": conversation.id,
        "images": paths(conversation.sample),
        "conversations": turns(conversation),
    }
