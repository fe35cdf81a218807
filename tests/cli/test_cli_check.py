"""`evolgraph check` tells servers apart by what they do."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from evolgraph.cli.check import _show
from evolgraph.endpoints.abilities import Abilities, examine
from evolgraph.endpoints.builtin.server import Options, serve
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.store.connections import reading

from .conftest import SCRIPT, Run


@asynccontextmanager
async def lacking(words: Sequence[str]) -> AsyncIterator[str]:
    """The embedded server without these abilities, in this process."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(Options(without=frozenset(words)), urls.put_nowait, stopped))
        yield await urls.get()
        stopped.set()


async def found(*words: str) -> Abilities:
    async with lacking(words) as url:
        return await examine(Endpoint(url=url, model="builtin"))


async def test_a_server_that_can_do_everything() -> None:
    one = await found()
    assert one.server == "evolgraph's embedded model"
    assert (one.images, one.schema, one.usable) == (True, "enforced", True)
    assert one.usage and one.cached_tokens and one.image_tokens and one.image_uuid
    assert one.queue == "vllm:num_requests_waiting"
    assert one.version == version("evolgraph")


async def test_where_schemas_are_ignored_one_in_the_prompt_is_tried() -> None:
    assert (await found()).schema_in_prompt is None
    assert (await found("schema")).schema_in_prompt is True


@pytest.mark.parametrize(
    ("lack", "field", "value", "usable"),
    [
        ("schema", "schema", "ignored", True),
        ("usage", "usage", False, True),
        ("cached", "cached_tokens", False, True),
        ("uuid", "image_uuid", False, True),
        ("metrics", "queue", None, True),
        ("images", "images", False, False),
    ],
)
async def test_what_a_server_lacks_is_found(lack: str, field: str, value: object, usable: bool) -> None:
    one, whole = await found(lack), await found()
    assert getattr(one, field) == value != getattr(whole, field)
    assert one.usable is usable


def test_the_embedded_model_is_checked_without_an_endpoint(evolgraph: Run) -> None:
    told = evolgraph("check", "--json")
    assert (told.code, told.json["usable"], told.json["errors"]) == (0, True, [])
    shown = evolgraph("check")
    assert shown.code == 0
    assert "enforced" in shown.out and shown.out.rstrip().endswith("good to go")


def test_each_server_is_told_of_and_one_that_is_not_there_is_an_error(evolgraph: Run, url: str) -> None:
    gone = ("--endpoint", "http://127.0.0.1:9/v1", "--model", "builtin")
    told = evolgraph("check", "--endpoint", url, "--model", "builtin", *gone, "--json")
    assert told.code == 2
    assert [one["usable"] for one in told.json["endpoints"]] == [True]
    (error,) = told.json["errors"]
    assert error.startswith("http://127.0.0.1:9/v1: cannot be reached")


def test_the_file_of_an_evolution_names_the_endpoints(evolgraph: Run, url: str, tmp_path: Path) -> None:
    config = f'rounds = 2\npolicy = "uniform"\n[[endpoint]]\nurl = "{url}"\nmodel = "builtin"\n'
    (tmp_path / "evolgraph.toml").write_text(config)
    told = evolgraph("check", "--json")
    assert (told.code, [one["url"] for one in told.json["endpoints"]]) == (0, [url])
    (tmp_path / "other.toml").write_text(config + 'roles = ["judge"]\n')
    assert "no endpoint serves the role evolver" in evolgraph("check", "--config", "other.toml").line
    (tmp_path / "other.toml").write_text(config.replace("model =", "modle ="))
    assert "did you mean model?" in evolgraph("check", "--config", "other.toml").line
    assert "absent.toml: no such file" in evolgraph("check", "--config", "absent.toml").line


def test_an_unknown_model_is_one_line(evolgraph: Run, url: str) -> None:
    told = evolgraph("check", "--endpoint", url, "--model", "other")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"evolgraph: {url}: does not serve the model other (served: builtin)")


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """`evolgraph serve` with these words; gives its URL."""
    with subprocess.Popen([SCRIPT, "serve", "--port", "0", *words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.send_signal(signal.SIGTERM)


def test_an_evolution_at_a_server_that_ignores_schemas_loses_no_round(evolgraph: Run, tmp_path: Path) -> None:
    evolgraph("seeds", "draw", "6", "--seed", "5", "-o", "drawn")
    with serving("--without", "schema") as url:
        at = ("--endpoint", url, "--model", "builtin", "--rounds", "2", "--concurrency", "2")
        told = evolgraph("evolve", "drawn/seeds.json", *at, "--store", "poor.db", "--json")
    assert (told.code, told.json["failed"]) == (0, 0)
    assert told.json["accepted"] > 0
    with reading(tmp_path / "poor.db") as db:
        (mended,) = db.execute("SELECT count(*) FROM calls WHERE step = 1").fetchone()
        kinds = db.execute("SELECT DISTINCT kind FROM calls WHERE step = 1 OR kind <> 'schema'").fetchall()
    assert kinds == [("ok",)]
    assert 2 <= mended <= 6, "only until it was noticed"


@pytest.mark.parametrize(
    ("server", "context", "said"),
    [
        ("vLLM", 7000, ["set max_tokens = 3000", "--max-model-len 16384", "not usable"]),
        ("llama.cpp", 7000, ["set max_tokens = 3000", "-c: 16384 for each slot", "good to go"]),
        ("Ollama", 2048, ["shorter than a usual prompt", "OLLAMA_CONTEXT_LENGTH=16384", "not usable"]),
        ("Ollama", None, ["longer prompts are cut without a word", "OLLAMA_CONTEXT_LENGTH=16384", "good to go"]),
        ("vLLM", 16384, ["16,384 tokens", "good to go"]),
    ],
)
async def test_a_context_that_is_too_short_comes_with_its_remedy(
    server: str,
    context: int | None,
    said: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    one = replace(await found(), server=server, context=context)
    _show([one], [], [])
    shown = capsys.readouterr().out
    assert [words for words in said if words not in shown] == []
    assert ("max-model-len" in shown) is (server == "vLLM" and context == 7000)


def test_a_model_that_judges_itself_is_pointed_out() -> None:
    from evolgraph.cli.display import same_model

    def at(model: str, *roles: str) -> Endpoint:
        return Endpoint(url="http://127.0.0.1:1/v1", model=model, roles=roles or ("evolver", "judge"))

    assert "a judges its own questions" in same_model([at("a")])
    assert same_model([at("a", "evolver"), at("b", "judge")]) == ""
    assert same_model([at("builtin")]) == ""
    assert same_model([]) == ""
