"""The client that agents ask: chat completions over HTTP."""

from .chat import (
    Answer,
    Ask,
    CallKey,
    ImagePart,
    ImageSource,
    Ledger,
    Message,
    Model,
    Part,
    TextPart,
    Usage,
)
from .endpoint import Endpoint
from .errors import EndpointError

__all__ = [
    "Answer",
    "Ask",
    "CallKey",
    "Endpoint",
    "EndpointError",
    "ImagePart",
    "ImageSource",
    "Ledger",
    "Message",
    "Model",
    "Part",
    "TextPart",
    "Usage",
]
