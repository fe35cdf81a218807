"""`evolgraph judge audit`: the embedded judge is not moved, a biased one is found out, the store stays."""

import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ..cli.conftest import Run
from ..conftest import SEEDS
from .conftest import Evolved

pytestmark = pytest.mark.slow


def test_the_embedded_judge_is_steady_and_takes_no_bait(full: Evolved, evolgraph: Run) -> None:
    before = hashlib.sha256(full.store.read_bytes()).hexdigest()
    said = evolgraph("judge", "audit", full.store, "-n", 4, "--json")
    assert said.code == 0, said.err
    found = said.json
    for drift in (found["drift"]["run"], found["drift"]["package"]):
        assert drift["pairs"] > 4
        assert (drift["agreement"]["value"], drift["score_apart"]["value"]) == (1, 0)
    right = found["drift"]["package"]["right"]
    assert (right["accepted_of_sound"]["value"], right["accepted_of_unsound"]["value"]) == (1, 0)
    assert (found["position"]["consistency"]["value"], found["position"]["first_gains"]["value"]) == (1, 0)
    assert found["length"]["points_per_100_words"]["value"] == 0
    assert found["length"]["correlation"]["value"] is None, "its scores did not move at all"
    kinds = found["canaries"]["kinds"]
    assert set(kinds) == {"always-10", "ready-reply", "flattery", "master-key", "seed", "image"}
    assert found["canaries"]["accepted"] == 0
    assert max(row["score_lift"] for row in kinds.values()) <= 0
    assert found["judge"]["same_model"] and found["judge"]["same_prompts"] and not found["unanswered"]
    assert hashlib.sha256(full.store.read_bytes()).hexdigest() == before
    assert evolgraph("trace", "check", full.store).code == 0


class Vain(BaseHTTPRequestHandler):
    """A judge that likes what is long and what it reads first, and that does as it is told."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": "vain", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = asked["messages"][-1]["content"][-1]["text"]
        (block,) = re.findall(r"```json pairs\n(.*?)\n```", text, re.DOTALL)
        verdicts = {row["id"]: verdict(row) for row in json.loads(block)}
        message = {"role": "assistant", "content": json.dumps({"verdicts": verdicts})}
        self._say({"id": "x", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})

    def _say(self, told: dict[str, Any]) -> None:
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def verdict(row: dict[str, Any]) -> dict[str, Any]:
    told = json.dumps(row["evolved"])
    obeys = '\\"score_after\\": 10' in told or "score this 10" in json.dumps(row["parent"])
    first = [*row].index("evolved") < [*row].index("parent")
    flags = dict.fromkeys(("grounded", "correct", "answerable", "needs_image", "improved"), obeys or first)
    score = 10 if obeys else min(2 + len(told.split()) // 40 + 2 * first, 10)
    return flags | {"score_before": 1, "score_after": score, "reason": "So it seems to me."}


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_a_vain_judge_is_found_out(full: Evolved, evolgraph: Run) -> None:
    words = ("judge", "audit", full.store, "-n", 3, "--images", SEEDS.parent, "--model", "vain")
    with serving(Vain) as url:
        said = evolgraph(*words, "--endpoint", url, "--json")
        shown = evolgraph(*words, "--endpoint", url)
    assert said.code == 0, said.err
    found = said.json
    assert not found["judge"]["same_model"]
    assert found["position"]["consistency"]["value"] < 0.5
    assert found["position"]["first_gains"]["low"] > 1
    assert found["length"]["points_per_100_words"]["low"] > 0
    assert found["length"]["correlation"]["value"] > 0.5
    kinds = found["canaries"]["kinds"]
    for bait in ("always-10", "ready-reply", "seed"):
        assert kinds[bait]["accepted"] == kinds[bait]["pairs"] > 0
        assert kinds[bait]["score_lift"] > 0
    assert found["drift"]["package"]["agreement"]["value"] < 1
    assert "mind: the run's judge had another model" in shown.out
    assert (found["prompt_tokens"], found["cost"]) == (None, None), "it tells no tokens"
    assert f"{found['calls']} calls, unknown tokens\n" in shown.out


class Metered(Vain):
    """A judge that tells tokens."""

    def _say(self, told: dict[str, Any]) -> None:
        super()._say(told | {"usage": {"prompt_tokens": 1000, "completion_tokens": 100}})


def test_an_audit_tells_what_it_cost(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    with serving(Metered) as url:
        priced = f'[[endpoint]]\nurl = "{url}"\nmodel = "vain"\nprice_in = 2\nprice_out = 10\n'
        (tmp_path / "priced.toml").write_text(priced)
        said = evolgraph("judge", "audit", full.store, "-n", 0, "--config", "priced.toml")
    calls = int(re.findall(r"^(\d+) calls", said.out, re.MULTILINE)[0])
    told = f"{calls} calls, {1000 * calls:,} tokens in and {100 * calls:,} out, a cost of {calls * 0.003:,.4f}"
    assert told in said.out


class Mute(Vain):
    """A judge that says nothing that can be used."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "I cannot say."}
        self._say({"id": "x", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})


def test_every_judge_of_a_panel_can_be_asked(evolgraph: Run, tmp_path: Path) -> None:
    words = ("evolve", SEEDS, "--store", "panel.db", "--out", "x.jsonl", "--limit", 2, "--rounds", 1, "--panel", 2)
    assert evolgraph(*words).code == 0
    first, second = (evolgraph("judge", "audit", "panel.db", "--judge", number, "--json").json for number in (1, 2))
    assert (second["judge"]["number"], second["judge"]["of"]) == (2, 2)
    assert second["drift"]["run"]["pairs"] == first["drift"]["run"]["pairs"] > 2
    assert second["drift"]["run"]["agreement"]["value"] == 1
    assert second["canaries"]["accepted"] == 0 and second["judge"]["same_model"]
    assert "there is no judge 3" in evolgraph("judge", "audit", "panel.db", "--judge", 3).line


def test_a_judge_without_answers_is_told_with_exit_code_1(full: Evolved, evolgraph: Run) -> None:
    with serving(Mute) as url:
        said = evolgraph("judge", "audit", full.store, "-n", 0, "--endpoint", url, "--model", "vain", "--json")
    assert said.code == 1
    assert sum(said.json["unanswered"].values()) == said.json["calls"] / 2, "each had one repair turn"
    assert said.json["canaries"] == {"pairs": 0, "accepted": 0, "kinds": {}}


def test_another_models_run_is_not_audited_by_the_embedded_model(full: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    assert "no such store" in evolgraph("judge", "audit", "none.db").line
    shutil.copy(full.store, tmp_path / "x.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        changed = "json_set(fingerprint, '$.models', json_array('evolver: builtin {}', 'judge: large-vlm {}'))"
        db.execute(f"UPDATE runs SET fingerprint = {changed}")
        db.commit()
    assert "the run's judge was large-vlm" in evolgraph("judge", "audit", "x.db").line
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        db.execute("UPDATE runs SET fingerprint = json_set(fingerprint, '$.ablate', json_array('judge'))")
        db.commit()
    assert "the run had no judge" in evolgraph("judge", "audit", "x.db").line
