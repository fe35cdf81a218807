"""A run whose samples fail tells what to do about them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ..conftest import SEEDS
from .conftest import Run


class Refusing(BaseHTTPRequestHandler):
    """Serves the model `m`, which answers every chat with 400."""

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "m"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(400, {"error": {"message": "no images here"}})

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _send(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_failed_samples_come_with_the_option_that_takes_them_up_again(evolgraph: Run, refusing: str) -> None:
    words = ["evolve", SEEDS, "--limit", "2", "--endpoint", refusing, "--model", "m"]
    hint = "2 samples failed: the same command with --retry-failed takes up what failed again."
    for more, calls in (([], 2), ([], 0), (["--retry-failed"], 2)):
        said = evolgraph(*words, *more)
        assert (said.code, hint in said.err) == (1, True)
        assert ("Every sample was settled already" in said.err) == (not calls)
