"""The processes of a measurement: the mock, and what is measured against it."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

ROOT: Final = Path(__file__).resolve().parent.parent
_ANSWER_S: Final = 30.0


@contextmanager
def _serving(words: list[str]) -> Iterator[dict[str, Any]]:
    """A server that tells its URL on its first line and exits when its standard input closes; gives that line."""
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            yield orjson.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(_ANSWER_S)


@contextmanager
def mock(slots: int, latency_ms: float) -> Iterator[str]:
    """A mock endpoint for the block; gives its base URL."""
    with _serving(command("benchmarks.mock", slots=slots, latency_ms=latency_ms)) as told:
        yield told["url"]


@contextmanager
def embedded(*options: str) -> Iterator[str]:
    """The embedded model for the block, which remembers its replies; gives its base URL."""
    with _serving([sys.executable, "-m", "benchmarks.remembering", "--exit-with-stdin", *options]) as told:
        yield told["url"]


def server_stats(url: str) -> dict[str, Any]:
    """The counters of the server at `url`; an embedded model's with the bodies that it saw."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats?full=1", timeout=_ANSWER_S) as response:
        return orjson.loads(response.read())


def measured(module: str, *flags: str, **options: Any) -> dict[str, Any]:
    """Runs `module` to its end; gives the JSON object it prints. Raises CalledProcessError."""
    done = subprocess.run([*command(module, **options), *flags], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return orjson.loads(done.stdout)


def command(module: str, **options: Any) -> list[str]:
    """The words that run `module` with `options`."""
    given = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
    return [sys.executable, "-m", module, *(word for option in given for word in option)]
