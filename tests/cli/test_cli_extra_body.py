"""Further fields of requests: from the config file to the wire."""

import asyncio
from pathlib import Path

import click
import pytest
from evolgraph.cli.configuration import ConfigError, load_endpoints
from evolgraph.endpoints.endpoint import Endpoint

from ..conftest import SEEDS
from ..toy import Model
from .conftest import SCRIPT, clean_environment


@pytest.mark.slow
async def test_extra_fields_go_from_the_config_into_every_request(tmp_path: Path) -> None:
    model = Model()
    await model.serve()
    (tmp_path / "evolgraph.toml").write_text(
        f'''[[endpoint]]
url = "{model.endpoint.url}"
model = "toy"
extra_body = {{ top_p = 0.9, chat_template_kwargs = {{ enable_thinking = false, depth = [1, 2] }} }}
'''
    )
    words = ["evolve", str(SEEDS), "--limit", "2", "--rounds", "1", "--store", "run.db", "--out", "out.jsonl"]
    run = await asyncio.create_subprocess_exec(
        SCRIPT, *words, cwd=tmp_path, env=clean_environment(), stderr=asyncio.subprocess.PIPE
    )
    _, said = await run.communicate()
    await model.runner.cleanup()
    assert run.returncode in (0, 1), said.decode()  # what the toy says may fail a sample
    assert len(model.bodies) >= 2
    for body in model.bodies:
        assert body["top_p"] == 0.9
        assert body["chat_template_kwargs"] == {"enable_thinking": False, "depth": [1, 2]}
        assert "extra_body" not in body
    assert b"toy judges its own questions" in said


def test_what_a_model_refuses_can_be_left_out_of_its_requests(tmp_path: Path) -> None:
    """In this process: the table as `evolve` and `check` read it, and what stands in a request."""
    file = tmp_path / "evolgraph.toml"
    table = '[[endpoint]]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    file.write_text(table + 'temperature = "server"\nmax_tokens = "server"\nextra_body = {max_completion_tokens = 9}\n')
    assert endpoint_in(file).sampling() == {"max_completion_tokens": 9}
    file.write_text(table)
    assert endpoint_in(file).sampling() == {"temperature": 1.0, "max_tokens": 4096}
    file.write_text(table + 'temperature = "none"\n')
    with pytest.raises(ConfigError, match=r'endpoint\.temperature.*write a number, or "server" to leave it out'):
        endpoint_in(file)


def endpoint_in(file: Path) -> Endpoint:
    context = click.Context(click.Command("evolve"))
    load_endpoints(context, click.Option(["--config"]), file)
    (endpoint,) = context.meta["endpoints"]
    return endpoint
