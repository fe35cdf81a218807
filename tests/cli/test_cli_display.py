"""The line that tells of a run while it goes on."""

from evolgraph.cli.display import progress_line
from evolgraph.endpoints.stats import Stats
from evolgraph.graph.forecast import Forecast
from evolgraph.graph.outcome import Outcome, Progress

ROUND = [{"direction": "reasoning", "round": 1, "accepted": True, "code": "", "stage": "judge", "score_after": 4}]
SETTLED = Outcome("a", "exhausted", "", 1, None, None, ())


def line(progress: Progress, seconds: float) -> str:
    return progress_line(progress, Stats(received=8), [], seconds, Forecast(1, 2))


def test_the_number_of_samples_is_a_guess_until_all_are_read() -> None:
    assert line(Progress(seen=5), 1.0).startswith("0/5+ samples")
    assert line(Progress(seen=5, expected=400, quarantined=10), 1.0).startswith("0/~390 samples")
    assert line(Progress(seen=6, expected=400, read_all=True), 1.0).startswith("0/6 samples")


def test_the_time_left_is_told_once_it_is_known() -> None:
    progress = Progress(seen=100, expected=1000)
    assert "left" not in line(progress, 1.0)
    for _ in range(4):
        progress.close_round(ROUND)
        progress.settle(SETTLED)
    assert line(progress, 60.0) == (
        "4/~1000 samples | 4 rounds | 100% accepted | 0.1 calls/s | 0 tokens | 4:09:00 left"
    )
