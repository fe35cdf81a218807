"""The `evolgraph` command: as a process of its own, or, since that takes seconds to import everything, in this one."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from evolgraph.cli.main import main

SCRIPT = Path(sys.executable).with_name("evolgraph")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of a refusal: exit code 2, nothing on standard output, no traceback."""
        assert (self.code, self.out) == (2, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("evolgraph: ")
        return line.removeprefix("evolgraph: ")

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Run = Callable[..., Said]


def clean_environment(**changes: str) -> dict[str, str]:
    """This environment without settings of evolgraph's or of a terminal's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVOLGRAPH_", "COLUMNS"))}
    return {**kept, "COLUMNS": "120", "NO_COLOR": "1", **changes}


def script_in(folder: Path) -> Run:
    """A function that runs the console script with the given words in `folder`, as a process."""

    def run(*words: str | Path, **environment: str) -> Said:
        command = [str(SCRIPT), *map(str, words)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=clean_environment(**environment), timeout=120,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def run_in(folder: Path) -> Run:
    """A function that runs what the console script calls with the given words in `folder`, in this process."""

    def run(*words: str | Path, **environment: str) -> Said:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        handler = signal.getsignal(signal.SIGTERM)
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "argv", ["evolgraph", *map(str, words)]),
            mock.patch.dict(os.environ, clean_environment(**environment), clear=True),
        ):
            try:
                with pytest.raises(SystemExit) as left:
                    main()
            finally:
                signal.signal(signal.SIGTERM, handler)
        code = left.value.code or 0
        assert isinstance(code, int)
        return Said(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]

    return run


@pytest.fixture
def evolgraph(tmp_path: Path) -> Run:
    return run_in(tmp_path)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The URL of `evolgraph serve`, which ends well when it is interrupted."""
    command = [SCRIPT, "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout
        hello = json.loads(server.stdout.readline())
        yield hello["url"]
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert out == ""
    assert "not a language model" in err
    assert "Traceback" not in err
    assert server.returncode == 0
