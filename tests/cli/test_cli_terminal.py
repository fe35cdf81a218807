"""What is printed for people: names as they are, tables that a terminal has room for."""

import asyncio
import os
from pathlib import Path

import pytest
from evolgraph.cli import display

from ..conftest import SEEDS
from .conftest import Run, script_in


def test_names_and_tables_are_readable(evolgraph: Run, url: str) -> None:
    words = ["--limit", "2", "--store", "a[v2]:100:.db", "--out", "b[red].jsonl"]
    said = evolgraph("evolve", SEEDS, *words, "--endpoint", url, "--model", "builtin")
    assert "results b[red].jsonl, store a[v2]:100:.db" in said.err
    for columns in (80, 90, 100, 110, 120, 160):
        lines = evolgraph("trace", "list", "a[v2]:100:.db", COLUMNS=str(columns)).out.splitlines()
        assert [line.split()[0] for line in lines[2:]] == ["astronaut", "cat"], "a sample takes one line"
        assert "not-improved" in lines[3]
    piped = evolgraph("trace", "list", "a[v2]:100:.db", COLUMNS="").out.splitlines()
    assert "exhausted  " in piped[2] and "perception" in " ".join(piped[2:])


async def test_what_a_server_says_cannot_stop_the_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(display, "LINE_EVERY_S", 0.0)
    told = display.show_progress(lambda _: "waiting: HTTP 429 [/INST] :100:", display.console())
    shown = asyncio.create_task(told)
    await asyncio.sleep(0.05)
    shown.cancel()
    with pytest.raises(asyncio.CancelledError):
        await shown
    assert "waiting: HTTP 429 [/INST] :100:\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_that_is_not_utf8_and_a_name_that_is_not_either(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    run = script_in(tmp_path)
    told = run("evolve", SEEDS, "--limit", "1", "--rounds", "1", "--store", f"{name}.db")
    assert (told.code, "Traceback" in told.err) == (0, False)
    for encoding in ("ascii", "utf-8"):
        for words in (["list"], ["show", "astronaut"]):
            shown = run("trace", words[0], f"{name}.db", *words[1:], PYTHONIOENCODING=encoding)
            assert (shown.code, shown.err) == (0, "")
        refused = run("trace", "list", f"{name}", PYTHONIOENCODING=encoding)
        assert (refused.code, len(refused.err.splitlines())) == (2, 1)
