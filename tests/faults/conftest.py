"""Runs and single calls against the fault server, and everything a test may ask about them afterwards."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from evolgraph.agents.agent import Evolved, Prompter, View
from evolgraph.agents.perception import Perception
from evolgraph.endpoints.builtin.child import running
from evolgraph.endpoints.builtin.faults import parse_fault
from evolgraph.endpoints.builtin.server import Options, serve
from evolgraph.endpoints.client import Client, Endpoint
from evolgraph.errors import EvolgraphError
from evolgraph.graph import Outcome, Settings, evolve
from evolgraph.prompts.library import Library
from evolgraph.samples.drawn import draw
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample

from ..left import Left
from .starts import Forks, forking

FEW, MANY = 2, 60
"""Samples of a run: in the default run of the tests, and of those marked `faults`."""
SENTINEL = "sk-SENTINEL-5f2c0a9d71"
KEY_ENV = "EVOLGRAPH_TEST_KEY"
SETTINGS = Settings(rounds=2, seed=1)
PROMPTER = Prompter(Library())


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of these tests carries a key that must be found nowhere afterwards."""
    monkeypatch.setenv(KEY_ENV, SENTINEL)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with forking() as process:
        yield process


@dataclass(frozen=True)
class Seeds:
    """Drawn samples and the folder of their images."""

    samples: tuple[Sample, ...]
    folder: Path


@dataclass(frozen=True)
class Ran(Left):
    """A run that ended: its outcomes, or the error that stopped it, and what the server saw of it."""

    outcomes: dict[str, Outcome]
    error: EvolgraphError | None
    stats: dict[str, Any]

    @property
    def kinds(self) -> dict[str, int]:
        """The calls on record by how they ended."""
        return dict(self.query("SELECT kind, count(*) FROM calls GROUP BY kind"))

    @property
    def asked(self) -> list[int]:
        """How often each distinct request was seen by the server."""
        return [row["seen"] for row in self.stats["bodies"]]

    def found(self, secret: str) -> list[str]:
        """The files of the run that hold `secret`."""
        files = [path for path in self.store.parent.rglob("*") if path.is_file()]
        return [path.name for path in files if secret.encode() in path.read_bytes()]


async def stats(url: str) -> dict[str, Any]:
    """The server's counts and its ledger of bodies."""

    def fetch() -> bytes:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats?full=1", timeout=30) as reply:
            return reply.read()

    return json.loads(await asyncio.to_thread(fetch))


def endpoint(url: str, **changes: Any) -> Endpoint:
    return Endpoint(**({"url": url, "model": "builtin", "key_env": KEY_ENV, "timeout_s": 60} | changes))


async def run_at(
    url: str, seeds: Seeds, store: Path, *, settings: Settings = SETTINGS, leave_after_s: float = 0, **changes: Any
) -> Ran:
    """Evolves `seeds` at the server `url` until all is settled, something stops it, or `leave_after_s` are over."""
    outcomes: list[Outcome] = []
    error = None
    async with evolve(
        seeds.samples, store=store, images=seeds.folder, endpoints=[endpoint(url, **changes)], settings=settings
    ) as run:
        try:
            async with asyncio.timeout(leave_after_s or None):
                async for outcome in run:
                    outcomes.append(outcome)
        except EvolgraphError as stopped:
            error = stopped
        except TimeoutError:
            assert leave_after_s
        summary = await run.summary()
        seen = await stats(url)
    assert len({outcome.id for outcome in outcomes}) == len(outcomes), "a sample settled twice"
    return Ran(store, summary, {outcome.id: outcome for outcome in outcomes}, error, seen)


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[str]:
    """The fault server in this process, which starts at once; gives its URL."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(options, urls.put_nowait, stopped))
        try:
            yield await urls.get()
        finally:
            stopped.set()


async def run_with(
    faults: Sequence[str], seeds: Seeds, folder: Path, *, fault_limit: int | None = None, **more: Any
) -> Ran:
    """A run at a fault server of its own."""
    options = Options(faults=tuple(map(parse_fault, faults)), fault_limit=fault_limit)
    async with serving(options) as url:
        return await run_at(url, seeds, folder / "run.db", **more)


def _drawn(count: int, folder: Path) -> Seeds:
    return Seeds(tuple(draw(count, 5, folder)), folder)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return _drawn(FEW, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return _drawn(MANY, tmp_path_factory.mktemp("many"))


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Seeds:
    """`few` or `many`, whichever the parameter names."""
    return request.getfixturevalue(request.param)


def sized(table: Mapping[str, Any], quick: Sequence[str]) -> list[Any]:
    """The parameters (name, seeds): the `quick` cases with few samples, and all of `table` with many as `faults`."""
    small = [pytest.param(name, "few") for name in quick]
    return small + [pytest.param(name, "many", marks=pytest.mark.faults) for name in table]


class Clean:
    """The results of runs that met no fault, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[int, bytes] = {}

    async def results(self, seeds: Seeds) -> bytes:
        count = len(seeds.samples)
        if count not in self._known:
            folder = self._folder / str(count)
            folder.mkdir()
            self._known[count] = (await run_with([], seeds, folder)).results
        return self._known[count]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    return Clean(tmp_path_factory.mktemp("clean"))


@dataclass(frozen=True)
class Line:
    """A client at a fault server: asks for one evolution at a time."""

    url: str
    client: Client
    seeds: Seeds

    async def ask(self, number: int = 1) -> Evolved:
        """The reply to one request about the first sample; each `number` makes another request."""
        sample = self.seeds.samples[0]
        return await Perception(self.client, PROMPTER).evolve(View(sample, number, sample.qas))

    async def until_in_flight(self, count: int) -> None:
        while (await stats(self.url))["in_flight"] != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def line(
    *faults: str,
    seeds: Seeds,
    fault_limit: int | None = None,
    latency_ms: float = 0,
    capacity: int = 256,
    **changes: Any,
) -> AsyncIterator[Line]:
    """A fault server and a client of it, without a ledger unless `ledger` is among the changes."""
    ledger = changes.pop("ledger", None)
    async with (
        running(faults=faults, fault_limit=fault_limit, latency_ms=latency_ms, capacity=capacity) as url,
        Client([endpoint(url, **changes)], ImageRoot(seeds.folder), ledger, run_seed=1) as client,
    ):
        yield Line(url, client, seeds)
