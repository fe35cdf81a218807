"""The throughput benchmark at a tiny size: its figures are there and add up. Nothing is asserted about time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from evolgraph.benchmarks.throughput import table

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"samples": 20, "rounds": 3, "latency_ms": 10.0, "slots": 8, "pairs": 1}
CALLS = 20 * 3 * 2


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", "throughput", "--json"]
    for name, value in SIZE.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return orjson.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60).stdout)


@pytest.mark.slow
def test_every_call_is_counted_on_both_sides(found: dict[str, Any]):
    assert found["scenario"] == "throughput"
    assert SIZE.items() <= found.items()
    assert found["capacity"] == 800
    assert len(found["runs"]) == 1
    assert found["discarded"] == (found["bare_efficiency"] < 0.9)
    for side in ("", "bare_"):
        assert found[f"{side}calls"] == found[f"{side}mock_calls"] == CALLS
        assert 1 <= found[f"{side}mock_most_in_flight"] <= 16
        for name in ("efficiency", "calls_per_second", "seconds", "cpu_ms_per_call", "peak_rss_mb", "request_kb"):
            assert found[f"{side}{name}"] > 0
    assert found["request_kb"] == pytest.approx(found["bare_request_kb"], rel=0.05)


@pytest.mark.slow
def test_every_pair_is_accepted_in_every_round(found: dict[str, Any]):
    assert (found["exhausted"], found["failed"]) == (20, 0)
    assert (found["accepted"], found["rejected"]) == (150, 0)  # 2 or 3 questions a sample
    assert found["store_bytes_per_sample_round"] > 0


@pytest.mark.slow
def test_the_table_sets_both_sides_beside_each_other(found: dict[str, Any]):
    rows = table(found).splitlines()

    assert rows[1].split() == ["evolgraph", "bare", "loop"]
    assert rows[2].split() == ["calls", "120", "120"]
