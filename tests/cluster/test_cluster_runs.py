"""Runs by several workers on Ray: the same results as in one process, whatever is killed meanwhile."""

import os
import signal
import socket
import sqlite3
import time
import urllib.request
from collections import Counter

import pytest
from evolgraph.store.check import examine
from evolgraph.store.connections import reading
from evolgraph.store.folder import OWNERS, as_one

from .conftest import LIMIT, Place, until

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


def settled(place: Place, store: str = "shards") -> list[tuple[str, int]]:
    """The settled samples with the number of the store that they are in."""
    found: list[tuple[str, int]] = []
    for number, shard in enumerate(place.shards(store)):
        with reading(shard) as db:
            found += [(sample, number) for (sample,) in db.execute("SELECT sample FROM settled")]
    return found


def check_sound(place: Place, store: str = "shards") -> None:
    """Every store is sound, and so is the one that they make together; no sample is in two of them."""
    for path in (*place.shards(store), as_one(place.folder / store)):
        assert list(map(str, examine(path))) == []
    counts = Counter(sample for sample, _ in settled(place, store))
    assert {*counts.values()} <= {1}


def check_owners(place: Place, store: str = "shards") -> None:
    """Each sample settled where it is on record that it belongs."""
    db = sqlite3.connect(place.folder / store / OWNERS)
    owners = dict(db.execute("SELECT sample, worker FROM owners"))
    db.close()
    assert [owners[sample] for sample, _ in settled(place, store)] == [number for _, number in settled(place, store)]


def test_any_number_of_workers_gives_the_same_results(place: Place) -> None:
    alone = place.run(store="one.db")
    for workers in ("2", "4"):
        found = place.run("--engine", "ray", "--workers", workers, store=f"by{workers}")
        same = ("samples", "reached", "exhausted", "stalled", "failed", "pending", "accepted", "rejected", "directions")
        assert {name: found[name] for name in same} == {name: alone[name] for name in same}
        assert found["calls"] == alone["calls"]
        assert place.results(f"by{workers}") == place.results("one.db")
        assert len(place.shards(f"by{workers}")) == int(workers)
        check_sound(place, f"by{workers}")
        check_owners(place, f"by{workers}")
    assert place.stats()["max_in_flight"] <= LIMIT


def test_a_worker_killed_three_times_loses_nothing(place: Place) -> None:
    place.run(store="one.db")
    before = place.stats()
    process = place.start("--engine", "ray", "--workers", "2")
    try:
        for times in range(3):
            seen = place.stats()["requests"]
            until(lambda seen=seen: place.stats()["requests"] > seen + 12)
            place.kill_worker(times % 2)
            time.sleep(0.5)
        found = place.end(process)
    finally:
        process.kill()
    assert found["pending"] == found["failed"] == 0
    assert place.results() == place.results("one.db")
    check_sound(place)
    check_owners(place)
    held = 0
    for shard in place.shards():
        with reading(shard) as db:
            held += db.execute("SELECT count(*) FROM calls WHERE kind <> 'cut-off'").fetchone()[0]
    assert found["calls"] == held, "also those that a worker was killed over before it told of them"
    # The first run has asked all of it once: what is over that was asked again.
    repeats = place.stats()["requests"] - 2 * before["requests"]
    assert 0 <= repeats <= 3 * LIMIT
    assert place.stats()["max_in_flight"] <= LIMIT


def test_a_driver_that_was_killed_is_started_again(place: Place) -> None:
    place.run(store="one.db")
    before = place.stats()["requests"]
    process = place.start("--engine", "ray", "--workers", "2")
    until(lambda: place.stats()["requests"] > before + 40)
    process.kill()
    process.communicate()
    found = place.run("--engine", "ray", "--workers", "2")
    assert found["pending"] == found["failed"] == 0
    assert place.results() == place.results("one.db")
    assert place.stats()["requests"] - 2 * before <= LIMIT
    check_sound(place)
    again = place.run("--engine", "ray", "--workers", "2")
    assert (again["calls"], again["pending"]) == (0, 0)


def test_interrupted_and_out_of_budget(place: Place) -> None:
    process = place.start("--engine", "ray", "--workers", "2")
    until(lambda: place.stats()["requests"] > 30)
    os.kill(process.pid, signal.SIGINT)
    stopped = place.end(process, 130)
    assert stopped["pending"] > 0
    before = place.stats()["requests"]
    poor = place.run("--engine", "ray", "--workers", "2", "--budget-calls", "50", code=3)
    assert poor["pending"] > 0
    assert 40 <= place.stats()["requests"] - before <= 50
    # A folder that has had two workers goes on with two.
    done = place.run("--engine", "ray", "--workers", "1", "--policy", "uniform")
    assert done["pending"] == 0
    assert len(place.shards()) == 2
    check_sound(place)


def test_a_noted_cluster_that_is_gone_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:  # taken and not listened at, so that nobody answers there
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{bound.getsockname()[1]}")
        process = place.start("--engine", "ray", "--ray-address", "auto")
        complaints = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "no Ray cluster answers: Connection refused (see ray status)" in complaints
    assert not (place.folder / "shards").exists()


def test_the_metrics_are_sums_and_the_estimate_is_of_all_seeds(place: Place) -> None:
    process = place.start("--engine", "ray", "--workers", "2", "--estimate", "30", "--metrics-port", "0")
    assert process.stderr
    said = iter(process.stderr.readline, "")
    address = next(line for line in said if "/metrics" in line).split(" at ")[1].strip()
    sent = "evolgraph_requests_sent_total"
    seen = until(lambda: {name: value for name, value in scraped(address).items() if value and sent in name})
    assert len(seen) == 1, "one endpoint, which two workers ask"
    limit = next(value for name, value in scraped(address).items() if name.startswith("evolgraph_requests_limit"))
    assert 0 < limit <= LIMIT
    assert scraped(address)["evolgraph_workers"] == 2
    found = place.end(process)
    assert (found["samples"], found["pending"]) == (30, 0)
    assert found["estimate"]["samples"] == 60
    assert found["estimate"]["calls"] == 2 * found["calls"]
    assert found["estimate"]["hours"] < 2 * found["seconds"] / 3600, "without the start of Ray"


def scraped(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address, timeout=10) as response:
        rows = [line.rpartition(" ") for line in response.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}
