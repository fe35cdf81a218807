"""B17 and B18: nothing is fetched but from hosts that were allowed, and never from this machine or its network."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from evolgraph.samples import images as images_module
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageError, ImageRoot
from evolgraph.samples.remote import fetch, is_public
from evolgraph.samples.sample import Sample

PNG = (Path(__file__).parents[1] / "data" / "desk.png").read_bytes()


class Server(ThreadingHTTPServer):
    asked: list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            serving.asked.append(self.path)
            self.send_response(302 if self.path == "/away" else 404 if self.path == "/gone" else 200)
            self.send_header("Location", "/desk.png")
            self.end_headers()
            self.wfile.write(bytes(50_000) if self.path == "/long" else PNG)

        def log_message(self, format, *args):
            pass

    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.asked = []
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def refusal(url, hosts, **options):
    with pytest.raises(ImageError) as caught:
        fetch(url, hosts, 20_000, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_b18_an_allowed_host_that_is_this_machine_is_refused_unasked(server, name):
    place = f"{name}:{server.server_port}"
    asked = len(server.asked)
    assert "no public address" in refusal(f"http://{place}/desk.png", {place})
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.64.0.1",
     "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::"],
)  # fmt: skip
def test_b18_addresses_of_this_machine_and_its_network(address):
    assert not is_public(address)


def test_public_addresses():
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1111")
    assert is_public("::ffff:8.8.8.8")


@pytest.mark.parametrize(
    "url",
    ["http://other.invalid/a.png", "http://a.invalid:81/a.png", "http://u:p@a.invalid/x", "ftp://a.invalid/x",
     "http://a.invalid.evil.invalid/x", "http://evil.invalid#a.invalid", "http://evil.invalid\\@a.invalid/"],
)  # fmt: skip
def test_b17_other_hosts_are_not_asked(url):
    assert "remote images disabled" in refusal(url, {"a.invalid"})


def test_redirects_errors_and_long_answers(server):
    place = f"127.0.0.1:{server.server_port}"
    everywhere = {"reachable": lambda address: True}
    assert "redirect refused: HTTP 302" in refusal(f"http://{place}/away", {place}, **everywhere)
    assert "HTTP 404" in refusal(f"http://{place}/gone", {place}, **everywhere)
    assert "limit of 0.02 MB" in refusal(f"http://{place}/long", {place}, **everywhere)
    assert "cannot be fetched" in refusal("http://127.0.0.1:1/x", {"127.0.0.1:1"}, **everywhere)


def test_an_image_of_an_allowed_host_is_fetched_once(server, tmp_path, monkeypatch):
    def unchecked(*given):
        return fetch(*given, reachable=lambda address: True)

    monkeypatch.setattr(images_module, "fetch", unchecked)
    place = f"127.0.0.1:{server.server_port}"
    content = [{"type": "image_url", "image_url": {"url": f"http://{place}/desk.png"}}, {"type": "text", "text": "?"}]
    row = {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A desk."}]}
    (tmp_path / "s.jsonl").write_text(json.dumps(row))
    server.asked.clear()
    for _ in range(2):
        root = ImageRoot(tmp_path, kept=tmp_path / "kept", hosts=[place])
        (sample,) = read(tmp_path / "s.jsonl", root)
        assert isinstance(sample, Sample)
        assert root.encode(sample.images[0]).data == PNG
    assert server.asked == ["/desk.png"]
