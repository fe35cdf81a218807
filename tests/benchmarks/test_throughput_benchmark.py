"""The throughput benchmark at a tiny size: its figures are there and add up. Nothing is asserted about time."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"samples": 20, "rounds": 3, "latency_ms": 10.0, "slots": 8}
CALLS = 20 * 3 * 2


def run(*options: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "throughput", *options]
    for name, value in SIZE.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60).stdout


@pytest.mark.slow
def test_one_json_object_whose_counts_add_up():
    found = orjson.loads(run("--json", "--pairs", "2"))

    assert found["scenario"] == "throughput"
    assert SIZE.items() <= found.items()
    assert found["capacity"] == 800
    assert len(found["runs"]) == 2
    for side in ("", "bare_"):
        assert found[f"{side}calls"] == found[f"{side}mock_calls"] == CALLS
        assert 1 <= found[f"{side}mock_most_in_flight"] <= 16
        for name in ("efficiency", "calls_per_second", "seconds", "cpu_ms_per_call", "peak_rss_mb", "request_kb"):
            assert found[f"{side}{name}"] > 0
    assert found["request_kb"] == pytest.approx(found["bare_request_kb"], rel=0.05)
    assert (found["exhausted"], found["failed"]) == (20, 0)
    assert (found["accepted"], found["rejected"]) == (150, 0)  # 2 or 3 questions a sample, every one in every round
    assert found["store_bytes_per_sample_round"] > 0


@pytest.mark.slow
def test_a_table_without_json():
    shown = run()

    assert "calls/s" in shown
    assert "bare loop" in shown
