"""Where a process's CPU goes, by parts of the program: a look at the main thread every millisecond of CPU time.

A look counts for the CPU that the main thread used since the look before, and goes to the innermost frame that belongs
to a part; libraries that serve everybody (pydantic, orjson, asyncio) count for whoever called them. The other threads
are told by their CPU clocks.
"""

import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any, Final

from .processes import ROOT

EVERY_S: Final = 0.001
_OWN: Final = "benchmarks"
_LIBRARIES: Final = {
    "langgraph": "langgraph",
    "langchain_core": "langgraph",
    "langsmith": "langgraph",
    "aiohttp": "aiohttp",
    "yarl": "aiohttp",
    "multidict": "aiohttp",
    "rich": "progress",
}
_FILES: Final = {"agents/screen.py": "screen", "cli/display.py": "progress"}
_ROOMS: Final = {"endpoints": "client", "store": "store", "agents": "agents", "graph": "graph", "prompts": "agents"}
_REST: Final = "event loop"
_FOLDER: Final = "site-packages/"
_MOST_PLACES: Final = 20


class Sampler:
    """Looks from `start` to `stop`; belongs to the main thread."""

    def __init__(self) -> None:
        self._parts = defaultdict[str, float](float)
        self._places = defaultdict[str, float](float)
        self._known: dict[str, str] = {}
        self._last = 0.0

    def start(self) -> None:
        """Begins to look."""
        self._last = time.thread_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def stop(self) -> dict[str, Any]:
        """Ends; gives CPU seconds of the main thread by `parts` and by `places`, and those of other `threads`."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        places = dict(sorted(self._places.items(), key=lambda item: -item[1])[:_MOST_PLACES])
        return {"parts": dict(self._parts), "places": places, "threads": threads()}

    def _look(self, _: int, frame: FrameType | None) -> None:
        now = time.thread_time()
        used, self._last = now - self._last, now
        while frame is not None:
            part = self._part(frame.f_code.co_filename)
            if part == _OWN:
                break
            if part:
                self._parts[part] += used
                self._places[f"{part}: {Path(frame.f_code.co_filename).name} {frame.f_code.co_qualname}"] += used
                return
            frame = frame.f_back
        self._parts[_REST] += used

    def _part(self, file: str) -> str:
        if file not in self._known:
            self._known[file] = _part_of(file)
        return self._known[file]


def _part_of(file: str) -> str:
    """The part that a source file belongs to; empty for one that counts for its callers."""
    if _FOLDER in file:
        return _LIBRARIES.get(file.rpartition(_FOLDER)[2].partition("/")[0], "")
    if not file.startswith(f"{ROOT}/"):
        return ""
    name = file.removeprefix(f"{ROOT}/").removeprefix(".typing/evolgraph/")
    room = name.partition("/")[0]
    return _FILES.get(name) or (_OWN if room == _OWN else _ROOMS.get(room, "other"))


def threads() -> dict[str, float]:
    """CPU seconds of the threads that still run, but for the main one, by their names without a pool's numbers."""
    found: dict[str, float] = defaultdict(float)
    for one in threading.enumerate() if sys.platform == "linux" else ():
        if one is not threading.main_thread() and one.ident:
            found[one.name.rstrip("_0123456789")] += time.clock_gettime(time.pthread_getcpuclockid(one.ident))
    return found
