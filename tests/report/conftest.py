"""Two runs of the embedded model over the same seeds, evolved once for all tests that read them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from evolgraph.graph import Settings, evolve
from evolgraph.graph.outcome import Outcome, Summary

from ..cli.conftest import Run, run_in
from ..conftest import SEEDS


@dataclass(frozen=True)
class Evolved:
    """A store, and what its run said of itself."""

    store: Path
    summary: Summary
    outcomes: dict[str, Outcome]


async def evolved(store: Path, **settings: object) -> Evolved:
    run = evolve(SEEDS, store=store, settings=Settings.model_validate({"rounds": 2, "limit": 5} | settings))
    async with run:
        outcomes = {outcome.id: outcome async for outcome in run}
        return Evolved(store, await run.summary(), outcomes)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Evolved:
    """Two rounds over five samples of the examples."""
    return asyncio.run(evolved(tmp_path_factory.mktemp("full") / "full.db"))


@pytest.fixture(scope="session")
def without_reasoning(tmp_path_factory: pytest.TempPathFactory) -> Evolved:
    """The same, but nothing is sent to the reasoning agent."""
    return asyncio.run(evolved(tmp_path_factory.mktemp("less") / "less.db", ablate=("reasoning",)))


@pytest.fixture
def evolgraph(tmp_path: Path) -> Run:
    return run_in(tmp_path)
