"""LLaVA's instruction format: `id`, `image` and `conversations`, with `<image>` where an image goes."""

from typing import Any

from .conversation import Conversation, paths, turns


def llava_row(conversation: Conversation) -> dict[str, Any]:
    """One row; `image` is a path, or a list of paths where there are several."""
    images = paths(conversation.sample)
    return {
        "id": conversation.id,
        "image": images[0] if len(images) == 1 else images,
        "conversations": turns(conversation),
    }
