"""`python -m benchmarks.turns`: evolutions with progress and traces and evolutions without take turns in one process.

A turn takes a second or two, so that whatever else the machine does meets both alike. Prints one JSON object: the CPU
milliseconds a call of every turn.
"""

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvloop
from evolgraph.graph import machine, outcome, run, state
from evolgraph.graph.settings import Settings
from evolgraph.store import ledger
from rich.console import Console

from .evolving import TARGET, measure
from .usage import freeze, options


@contextmanager
def silenced() -> Iterator[None]:
    """Takes traces (spans, messages) and the counting of rounds out of the product for the block."""
    stubs: list[tuple[Any, str, Any]] = [
        (machine, "span", lambda *_, **__: {}),
        (run, "rows", lambda thread, values: state.rows(thread, {**values, "spans": []})),
        (ledger, "dismantled", lambda _: ([], {})),
        (outcome.Progress, "close_round", lambda *_: None),
    ]
    whole = [(place, name, getattr(place, name)) for place, name, _ in stubs]
    for place, name, stub in stubs:
        setattr(place, name, stub)
    try:
        yield
    finally:
        for place, name, own in whole:
            setattr(place, name, own)


async def take_turns(given: Namespace, folder: Path, out: Console) -> dict[str, list[float]]:
    """CPU milliseconds a call of `given.turns` turns of each kind; which of a pair comes first changes too."""
    settings = Settings(rounds=given.rounds, target=TARGET, concurrency=given.concurrency)
    taken: dict[str, list[float]] = {"on": [], "off": []}
    given.store = folder / "warm.db"
    await measure(given, settings, out)
    freeze()
    for number in range(given.turns):
        for kind in ("on", "off") if number % 2 else ("off", "on"):
            given.store = folder / f"{kind}-{number}.db"
            if kind == "on":
                found = await measure(given, settings, out)
            else:
                with silenced():
                    found = await measure(given, settings, None)
            taken[kind].append(found["cpu_s"] * 1000 / found["calls"])
            given.store.unlink()
    return taken


def main() -> None:
    """Reads the options, measures and prints."""
    parser = options("benchmarks.turns", __doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--turns", type=int, required=True, help="of each kind")
    given = parser.parse_args()
    with Path(os.devnull).open("w") as nowhere, tempfile.TemporaryDirectory(prefix="evolgraph-turns-") as name:
        found = uvloop.run(take_turns(given, Path(name), Console(file=nowhere, force_terminal=True)))
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    sys.exit(main())
