"""Further fields of requests: from the config file to the wire."""

import asyncio
from pathlib import Path

from ..conftest import SEEDS
from ..toy import Model
from .conftest import SCRIPT, clean_environment


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
