"""Runs whose judge is `ChatOpenAI`, over drawn samples, against the embedded model."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from evolgraph.endpoints.builtin.child import running
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.errors import EndpointError
from evolgraph.graph import Settings, evolve
from evolgraph.graph.identity import RunError
from evolgraph.samples.drawn import draw
from evolgraph.store.connections import reading
from evolgraph.store.errors import StoreError
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ..left import Left

pytestmark = pytest.mark.slow

SETTINGS = Settings(rounds=2, seed=5)
SECRET = "sk-sentinel-0123456789"


async def start(
    seeds: Path,
    store: Path,
    endpoints: Sequence[Endpoint] = (),
    models: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Left:
    settings = SETTINGS.model_copy(update=changes)
    async with evolve(seeds, store=store, endpoints=endpoints, models=models, settings=settings) as run:
        async for _ in run:
            pass
        return Left(store, await run.summary())


def judge_at(url: str, **changes: Any) -> ChatOpenAI:
    named = {"model": "builtin", "base_url": url, "api_key": SecretStr(SECRET), "temperature": 1.0, "max_tokens": 4096}
    return ChatOpenAI(**(named | changes))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    assert len(list(draw(4, seed=3, folder=folder))) == 4
    return folder / "seeds.json"


@pytest.fixture(scope="module")
def over_http(seeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """The run that all others should equal: one HTTP client, the embedded model."""
    return asyncio.run(start(seeds, tmp_path_factory.mktemp("http") / "run.db"))


async def test_a_chat_model_judges_as_the_same_model_over_http(over_http: Left, seeds: Path, tmp_path: Path) -> None:
    async with running() as url:
        chatted = await start(seeds, tmp_path / "run.db", models={"judge": judge_at(url)})
    assert chatted.results == over_http.results
    assert chatted.query("SELECT DISTINCT endpoint FROM calls WHERE agent = 'judge'") == [("ChatOpenAI builtin",)]
    for name in ("calls", "prompt_tokens", "completion_tokens", "accepted", "rejected", "failed"):
        assert getattr(chatted.summary, name) == getattr(over_http.summary, name), name
    everything = (tmp_path / "run.db").read_bytes()
    assert SECRET.encode() not in everything
    kinds = "SELECT agent, kind, model, attempts, http_status, maybe_billed FROM calls ORDER BY sample, key"
    assert chatted.query(kinds) == over_http.query(kinds)


async def test_a_model_takes_its_role_from_the_endpoints(over_http: Left, seeds: Path, tmp_path: Path) -> None:
    async with running() as url, running() as other:
        served = await start(
            seeds, tmp_path / "run.db", [Endpoint(url=url, model="builtin")], {"judge": judge_at(other)}
        )
    assert served.results == over_http.results
    roles = {agent == "judge": where for agent, where in served.query("SELECT DISTINCT agent, endpoint FROM calls")}
    assert roles == {True: "ChatOpenAI builtin", False: url}


async def test_one_model_for_both_roles_needs_no_endpoint(over_http: Left, seeds: Path, tmp_path: Path) -> None:
    async with running() as url:
        chat = judge_at(url)
        both = await start(seeds, tmp_path / "run.db", models={"evolver": chat, "judge": chat})
    assert both.results == over_http.results
    assert both.query("SELECT DISTINCT endpoint FROM calls") == [("ChatOpenAI builtin",)]


async def test_a_finished_run_is_the_same_run_through_either_client_and_other_parameters_are_not(
    over_http: Left, seeds: Path, tmp_path: Path
) -> None:
    async with running() as url:
        again = await start(seeds, over_http.store, models={"judge": judge_at(url)})
        with pytest.raises(RunError, match=r"judge: builtin .*'temperature': 0.2"):
            await start(seeds, over_http.store, models={"judge": judge_at(url, temperature=0.2)})
    assert (again.summary.run, again.summary.calls) == (over_http.summary.run, 0)


@pytest.mark.parametrize(
    ("models", "complaint"),
    [(("judg",), "no role is called 'judg' (did you mean judge?)"), (("evolver", "judge"), "models serve all of its")],
)
async def test_models_in_roles_that_cannot_be_are_refused(
    seeds: Path, tmp_path: Path, models: tuple[str, ...], complaint: str
) -> None:
    async with running() as url:
        chats = {role: judge_at(url) for role in models}
        with pytest.raises(RunError) as caught:
            await start(seeds, tmp_path / "run.db", [Endpoint(url=url, model="builtin")], chats)
    assert complaint in str(caught.value)


async def test_a_budget_counts_the_requests_of_both_clients(over_http: Left, seeds: Path, tmp_path: Path) -> None:
    async with running() as url:
        models = {"judge": judge_at(url)}
        first = await start(seeds, tmp_path / "run.db", models=models, budget_calls=7, concurrency=1)
        assert (first.summary.calls, first.summary.pending > 0) == (7, True)
        rest = await start(seeds, tmp_path / "run.db", models=models)
    assert rest.summary.calls == over_http.summary.calls - 7
    assert rest.results == over_http.results


CONFIG = """
rounds = 2
seed = 5

[[endpoint]]
url = "{url}"
model = "builtin"
roles = ["evolver"]

[[endpoint]]
provider = "openai"
url = "{url}"
model = "builtin"
roles = ["judge"]
key_env = "JUDGE_KEY"
"""


def command(folder: Path, seeds: Path) -> list[str | Path]:
    return [sys.executable, "-m", "evolgraph.cli", "evolve", seeds, "--store", folder / "run.db", "--concurrency", "2"]


@contextmanager
def serving(latency_ms: int) -> Iterator[str]:
    """The embedded model as a process, for tests that start runs as processes too."""
    words = ["--port", "0", "--exit-with-stdin", "--latency-ms", str(latency_ms)]
    command = [sys.executable, "-m", "evolgraph.endpoints.builtin", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        yield json.loads(child.stdout.readline())["url"]
        child.stdin.close()


def test_a_killed_run_with_a_judge_from_the_config_goes_on(over_http: Left, seeds: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "JUDGE_KEY": SECRET}
    with serving(latency_ms=60) as url:
        (tmp_path / "evolgraph.toml").write_text(CONFIG.format(url=url))
        words = command(tmp_path, seeds)
        with subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as child:
            _until_judged(tmp_path / "run.db", 3)
            child.kill()
            child.communicate()
        received = _received(tmp_path / "run.db")
        done = subprocess.run([*words, "--json"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (tmp_path / "seeds.evolved.jsonl").read_bytes() == over_http.results
    assert received + summary["calls"] == over_http.summary.calls  # what was received is not paid again
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in left + done.stdout + done.stderr


def _received(store: Path) -> int:
    with reading(store) as db:
        return db.execute("SELECT count(*) FROM calls WHERE http_status = 200").fetchone()[0]


def _until_judged(store: Path, calls: int) -> None:
    """Waits until so many judge's calls are on record."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(StoreError), reading(store) as db:  # before its tables are made it cannot be read
            if db.execute("SELECT count(*) FROM calls WHERE agent = 'judge'").fetchone()[0] >= calls:
                return
        time.sleep(0.05)
    raise AssertionError("the run did not come that far")


def test_a_config_that_names_another_provider_or_no_key_is_refused(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="no provider is called 'opnai'"):
        Endpoint(url="http://127.0.0.1:9/v1", model="builtin", provider="opnai")  # type: ignore[arg-type]
    (tmp_path / "evolgraph.toml").write_text(CONFIG.format(url="http://127.0.0.1:9/v1").replace("openai", "opnai"))
    done = subprocess.run(command(tmp_path, seeds), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "endpoint.provider: Input should be 'evolgraph' or 'openai'" in done.stderr
    assert not (tmp_path / "run.db").exists()
