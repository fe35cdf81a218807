"""`evolve --metrics-port`: a run under way, looked at over HTTP."""

import asyncio
import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from evolgraph.cli.display import console
from evolgraph.cli.metrics import listening, metrics_served
from evolgraph.endpoints.builtin.child import running
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Evolution, Settings, evolve
from evolgraph.graph.looking import look_at
from langchain_openai import ChatOpenAI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from ..conftest import SEEDS
from .conftest import SCRIPT, Run, clean_environment

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    """What a scrape said: help texts by family, values by sample name and labels."""

    helps: dict[str, str]
    values: dict[tuple[str, Labels], float]

    def of(self, name: str, **labels: str) -> float:
        """The sum over all rows of `name` that have `labels`."""
        return sum(value for (row, has), value in self.values.items() if row == name and has >= labels.items())

    def labels(self, name: str, label: str) -> set[str]:
        return {dict(has)[label] for row, has in self.values if row == name}


def parsed(text: str) -> Scrape:
    families = list(text_string_to_metric_families(text))
    rows = [row for family in families for row in family.samples]
    values = {(row.name, frozenset(row.labels.items())): row.value for row in rows}
    assert len(values) == len(rows), "a metric was told twice"
    return Scrape({family.name: family.documentation for family in families}, values)


async def scrape(url: str) -> Scrape:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        return parsed(await response.text())


@asynccontextmanager
async def watched(store: Path, *endpoints: Endpoint, **changes: object) -> AsyncIterator[tuple[Evolution, str]]:
    """A run over the example seeds, and the address of its metrics."""
    settings = Settings(rounds=2, concurrency=6)
    with listening(0) as listener:
        assert listener
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        async with (
            evolve(SEEDS, store=store, endpoints=endpoints, settings=settings, **changes) as run,  # type: ignore[arg-type]
            metrics_served(lambda: look_at(run), listener, console()),
        ):
            yield run, url


@pytest.mark.slow
async def test_a_run_is_told_while_it_goes_on_and_its_totals_are_the_summary(tmp_path: Path) -> None:
    async with running(latency_ms=150) as url, running(latency_ms=150) as judging:
        evolver = Endpoint(url=url, model="builtin", roles=("evolver",), max_in_flight=4)
        judge = ChatOpenAI(model="builtin", base_url=judging, api_key=SecretStr("none"))
        async with watched(tmp_path / "run.db", evolver, models={"judge": judge}) as (run, address):
            settling = aiter(run)
            await anext(settling)
            early = await scrape(address)
            async for _ in settling:
                pass
            late, summary = await scrape(address), await run.summary()
    assert 0 < early.of("evolgraph_calls_ended_total") < summary.calls
    assert early.of("evolgraph_requests_in_flight") > 0
    assert early.of("evolgraph_samples", status="pending") == 9
    assert early.of("evolgraph_requests_limit", endpoint=url) == 4
    assert early.of("evolgraph_uptime_seconds") < late.of("evolgraph_uptime_seconds") <= summary.seconds
    for name, expected in {
        "calls_ended_total": summary.calls,
        "requests_sent_total": summary.calls,
        "requests_ended_total": summary.calls,
        "calls_replayed_total": 0,
        "prompt_tokens_total": summary.prompt_tokens,
        "cached_tokens_total": summary.cached_tokens,
        "completion_tokens_total": summary.completion_tokens,
        "rounds_total": sum(summary.directions.values()),
        "samples": summary.samples,
        "requests_in_flight": 0,
        "requests_waiting": 0,
        "endpoint_down": 0,
    }.items():
        assert late.of(f"evolgraph_{name}") == expected, name
    for status in ("reached", "exhausted", "stalled", "failed", "pending"):
        assert late.of("evolgraph_samples", status=status) == getattr(summary, status)
    for direction, rounds in summary.directions.items():
        assert late.of("evolgraph_rounds_total", direction=direction) == rounds
    assert late.of("evolgraph_pairs_total", outcome="accepted") == summary.accepted > 0
    assert late.of("evolgraph_pairs_total", outcome="rejected") == summary.rejected > 0
    assert {"accepted", "not-improved"} <= late.labels("evolgraph_pairs_total", "code")
    assert late.labels("evolgraph_requests_sent_total", "endpoint") == {url, "ChatOpenAI builtin"}
    assert late.of("evolgraph_run_info", run=summary.run) == 1
    assert late.of("evolgraph_process_resident_memory_bytes") > 10**7
    assert late.of("evolgraph_process_cpu_seconds_total") > 0
    assert all(name.startswith("evolgraph_") and told for name, told in late.helps.items())
    with pytest.raises(aiohttp.ClientConnectionError):
        await scrape(address)


async def test_failures_and_retries_are_told_by_kind(tmp_path: Path) -> None:
    async with (
        running(faults=["500:0.3"]) as url,
        watched(tmp_path / "run.db", Endpoint(url=url, model="builtin")) as (run, address),
    ):
        async for _ in run:
            pass
        found, summary = await scrape(address), await run.summary()
    retries = found.of("evolgraph_retries_total")
    assert found.of("evolgraph_requests_ended_total", kind="server") >= retries > 0
    assert found.of("evolgraph_requests_sent_total") == summary.calls + retries
    assert found.of("evolgraph_calls_ended_total", kind="ok") <= found.of("evolgraph_requests_ended_total", kind="ok")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/metrics", {}, 200),
        ("GET", "/metrics", {"Host": "localhost:1"}, 200),
        ("GET", "/metrics", {"Host": "[::1]"}, 200),
        ("GET", "/metrics", {"Host": "evil.example"}, 403),
        ("GET", "/metrics", {"Host": "127.0.0.1.evil.example"}, 403),
        ("GET", "/metrics", {"Host": "127.0.0.1:port"}, 403),
        ("GET", "/metrics", {"Origin": "http://evil.example"}, 403),
        ("GET", "/metrics", {"Origin": "null"}, 403),
        ("GET", "/", {}, 404),
        ("POST", "/metrics", {}, 405),
        ("HEAD", "/metrics", {}, 405),
    ],
)
async def test_only_this_machine_may_look(
    watching: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    url = watching.removesuffix("/metrics") + path
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as response:
        assert response.status == status


@pytest.fixture
async def watching(tmp_path: Path, url: str) -> AsyncIterator[str]:
    async with watched(tmp_path / "run.db", Endpoint(url=url, model="builtin")) as (_, address):
        yield address


async def test_two_host_headers_are_one_too_many(watching: str) -> None:
    port = int(watching.rpartition(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in said.partition(b"\r\n")[0]
    assert b"evolgraph_" not in said


@pytest.mark.slow
def test_a_command_tells_where_it_can_be_watched(tmp_path: Path) -> None:
    command = [SCRIPT, "evolve", SEEDS, "--rounds", "1", "--metrics-port", "0", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(), stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stderr
        address = re.fullmatch(r"metrics at (http://127\.0\.0\.1:\d+/metrics)\n", process.stderr.readline())
        assert address
        with urllib.request.urlopen(address[1], timeout=30) as response:
            found = parsed(response.read().decode())
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert found.of("evolgraph_run_info", run=json.loads(out)["run"]) == 1


def test_a_port_in_use_is_told_before_anything_is_paid(evolgraph: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = evolgraph("evolve", SEEDS, "--metrics-port", str(port))
    remedy = "name another port, or 0 for a free one"
    assert said.line == f"--metrics-port: port {port} cannot be used: Address already in use ({remedy})"
    assert not list(tmp_path.iterdir())


def test_help_loads_little() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from evolgraph.cli.main import cli\n"
        "def loaded(*words): assert CliRunner().invoke(cli, words).exit_code == 0; return {*sys.modules}\n"
        "print(sorted({'aiohttp', 'jinja2', 'langgraph', 'numpy', 'pydantic', 'rich'} & loaded('--help')))\n"
        "models = {'langchain_openai', 'langchain_core', 'langgraph', 'prometheus_client'}\n"
        "print(sorted(models & loaded('evolve', '--help')))"
    )
    done = subprocess.run([SCRIPT.with_name("python"), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"
