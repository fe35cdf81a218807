"""Graph: the state machine, the policies that route it, and runs over many samples.

`from evolgraph.graph import evolve` is the way in from a script.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..endpoints.endpoint import Endpoint
    from .machine import build_graph
    from .outcome import Outcome, Summary
    from .run import Evolution, evolve
    from .settings import Settings

__all__ = ["Endpoint", "Evolution", "Outcome", "Settings", "Summary", "build_graph", "evolve"]

_HOMES: Final = {
    "Endpoint": "..endpoints.endpoint",
    "Evolution": ".run",
    "Outcome": ".outcome",
    "Settings": ".settings",
    "Summary": ".outcome",
    "build_graph": ".machine",
    "evolve": ".run",
}


def __getattr__(name: str) -> Any:
    """Imports the public names on first use, so that `import evolgraph.graph` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
