"""Whole runs at a server with faults (FAULTS F1-F19, F22, F37): what is settled, why, and what it cost in requests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import SENTINEL, SETTINGS, Clean, Ran, Seeds, run_with, sized

EVERY_KIND = (
    *("429", "429=0.1", "429=junk", "500", "503", "hang", "stall", "reset-early", "reset-late", "close", "html"),
    *("flood", "empty", "null", "truncated", "mislabelled", "refusal", "filtered", "bad-schema", "no-usage"),
)


def check_sum(ran: Ran, seeds: Seeds) -> None:
    """Every sample is settled once, no body beyond the first full answer, and the key is in no file."""
    summary = ran.summary
    settled = summary.reached + summary.exhausted + summary.stalled + summary.failed
    assert (settled, summary.pending) == (len(seeds.samples), 0)
    assert set(ran.outcomes) == {sample.id for sample in seeds.samples}
    assert all(row["answered"] <= 1 for row in ran.stats["bodies"])
    assert ran.query("PRAGMA integrity_check") == [("ok",)]
    assert ran.found(SENTINEL) == []


@dataclass(frozen=True)
class Passing:
    """Faults that a run does not show: its results are those of a clean run."""

    faults: tuple[str, ...]
    limit: int | None = 2
    billed: bool = False
    """Whether each fault is a call that may have been billed."""


PASSING = {
    "F1 429": Passing(("429=0.2:0.3",), 1),
    "F1 429 without a header": Passing(("429:0.3",), 1),
    "F3 odd headers": Passing(
        ("429=-1:0.1", "429=inf:0.1", "429=junk:0.1", "429=Wed, 21 Oct 2015 07:28:00 GMT:0.1"), 1
    ),
    "F4 500 now and then": Passing(("500:0.3",), billed=True),
    "F5 503": Passing(("503=0.1:0.3",), 1),
    "F10 reset early": Passing(("reset-early:0.5",), billed=True),
    "F11 reset late": Passing(("reset-late:0.5",), billed=True),
    "F12 close": Passing(("close:0.5",), None),
    "F13 a proxy's page": Passing(("html:0.5",), billed=True),
    "F22 no usage": Passing(("no-usage:0.3",), None),
}
QUICK_PASSING = ("F11 reset late", "F12 close")


@pytest.mark.parametrize(("name", "seeds"), sized(PASSING, QUICK_PASSING), indirect=["seeds"])
async def test_a_passing_fault_leaves_the_results_of_a_clean_run(
    name: str, seeds: Seeds, clean: Clean, tmp_path: Path
) -> None:
    case = PASSING[name]
    ran = await run_with(case.faults, seeds, tmp_path, fault_limit=case.limit)
    check_sum(ran, seeds)
    assert ran.stats["faults"]
    assert ran.results == await clean.results(seeds)
    assert set(ran.kinds) == {"ok"}
    assert sum(ran.kinds.values()) == ran.stats["distinct_bodies"] == ran.stats["answered_bodies"]
    if case.billed:
        assert ran.query("SELECT sum(maybe_billed) FROM calls") == [(sum(ran.stats["faults"].values()),)]
    if name.startswith("F1 ") and len(seeds.samples) > 10:
        assert ran.stats["requests"] <= 1.5 * ran.stats["distinct_bodies"]


async def test_unknown_usage_is_unknown_and_not_nothing(few: Seeds, tmp_path: Path) -> None:
    """F22."""
    summary = (await run_with(["no-usage:0.5"], few, tmp_path)).summary
    assert (summary.prompt_tokens, summary.completion_tokens) == (None, None)


@dataclass(frozen=True)
class Lasting:
    """A fault that every request meets: no sample gets through it."""

    fault: str
    kind: str
    requests: int
    """The most requests with one body."""
    calls: int
    """Calls for each round: two with a repair turn."""
    says: str
    changes: tuple[tuple[str, Any], ...] = ()


SHORT = (("timeout_s", 0.5),)
LASTING = {
    "F4 500": Lasting("500:1", "server", 3, 1, "HTTP 500"),
    "F6 400": Lasting("400:1", "bad-request", 1, 1, "HTTP 400"),
    "F8 hang": Lasting("hang:1", "timeout", 1, 1, "0.5 s", SHORT),
    "F9 stall": Lasting("stall:1", "timeout", 1, 1, "0.5 s", SHORT),
    "F9 stall, no byte for a while": Lasting("stall:1", "timeout", 1, 1, "0.5 s", (("read_timeout_s", 0.5),)),
    "F13 html": Lasting("html:1", "garbled", 3, 1, "not JSON"),
    "F14 no choice": Lasting("empty:1", "empty", 1, 1, "no content"),
    "F14 null": Lasting("null:1", "empty", 1, 1, "no content"),
    "F15 truncated": Lasting("truncated:1", "truncated", 1, 1, "token limit"),
    "F15 truncated while thinking": Lasting("truncated-thinking:1", "truncated-thinking", 1, 1, "raise max_tokens"),
    "F16 mislabelled": Lasting("mislabelled:1", "not-json", 1, 2, "EOF"),
    "F17 refusal": Lasting("refusal:1", "refusal", 1, 1, "declined"),
    "F17 filtered": Lasting("filtered:1", "filtered", 1, 1, "filter"),
    "F18 bad schema": Lasting("bad-schema:1", "schema", 1, 2, ""),
    "F19 flood": Lasting("flood:1", "too-large", 1, 1, "4194304", (("max_in_flight", 8),)),
}


QUICK_LASTING = ("F6 400", "F8 hang", "F14 null", "F15 truncated while thinking", "F16 mislabelled", "F18 bad schema")


@pytest.mark.parametrize(("name", "seeds"), sized(LASTING, QUICK_LASTING), indirect=["seeds"])
async def test_a_lasting_fault_fails_every_sample_with_its_reason(name: str, seeds: Seeds, tmp_path: Path) -> None:
    case = LASTING[name]
    ran = await run_with([case.fault], seeds, tmp_path, **dict(case.changes))
    check_sum(ran, seeds)
    assert (ran.summary.failed, ran.summary.accepted) == (len(seeds.samples), 0)
    for sample in seeds.samples:
        outcome = ran.outcomes[sample.id]
        assert outcome.reason.startswith(f"{case.kind}: ") and case.says in outcome.reason
        assert outcome.qas == sample.qas
    rounds = sum(outcome.rounds for outcome in ran.outcomes.values())
    assert ran.kinds == {case.kind: rounds * case.calls}
    assert max(ran.asked) <= case.requests


@pytest.mark.faults
@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        ("500:1", 3),
        ("400:1", 0),
        ("reset-late:1", 3),
        ("hang:1", 1),
        ("html:1", 3),
        ("truncated:1", 0),
    ],
)
async def test_the_ledger_says_which_calls_may_have_been_billed_in_vain(
    few: Seeds, tmp_path: Path, fault: str, billed: int
) -> None:
    """F10, F11: also the last attempt of a call, when its answer was lost on the way."""
    ran = await run_with([fault], few, tmp_path, timeout_s=1)
    assert set(ran.query("SELECT maybe_billed FROM calls")) == {(billed,)}


@pytest.mark.faults
async def test_calls_that_a_stop_cut_off_are_on_record(many: Seeds, tmp_path: Path) -> None:
    """What the server answered, or was answering, is on record as received or as maybe billed."""
    ran = await run_with(["401:0.02", "hang=0.3:0.9"], many, tmp_path, max_in_flight=16)
    assert ran.error
    billed = ran.query("SELECT total(http_status IS 200) + total(maybe_billed) FROM calls")[0][0]
    assert billed >= ran.stats["requests"] - ran.stats["faults"]["401"]


FATAL = {"401": "auth", "404": "not-found"}


@pytest.mark.parametrize(("status", "seeds"), sized(FATAL, ["401"]), indirect=["seeds"])
async def test_a_fatal_answer_stops_the_run_and_the_key_is_named_nowhere(
    status: str, seeds: Seeds, clean: Clean, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F6, F7, F37: in the middle of a run, with debug logs on, from a server that quotes the key back."""
    caplog.set_level("DEBUG")
    ran = await run_with([f"{status}:0.4"], seeds, tmp_path, max_in_flight=2)
    assert ran.error
    assert ran.error.kind == FATAL[status]
    assert ran.summary.seconds <= 5
    told = f"{ran.error!r} {ran.error} {ran.error.__cause__!r} {ran.outcomes} {ran.summary} {caplog.text}"
    assert SENTINEL not in told
    assert "key_env" in str(ran.error) or status == "404"
    assert ran.found(SENTINEL) == []
    assert ran.query("SELECT outcome FROM sessions") == [("stopped",)]
    paid = ran.kinds.get("ok", 0)
    rest = await run_with([], seeds, tmp_path)
    assert rest.results == await clean.results(seeds)
    assert rest.stats["requests"] == sum(rest.kinds.values()) - paid, "what is on record is not asked again"


@pytest.mark.faults
async def test_after_a_fatal_answer_nothing_more_is_asked(many: Seeds, tmp_path: Path) -> None:
    """F6, F7: no request besides those that were in flight."""
    ran = await run_with(["401:1"], many, tmp_path, max_in_flight=2)
    assert ran.stats["requests"] <= 2


async def test_nobody_asks_during_a_long_pause(few: Seeds, tmp_path: Path) -> None:
    """F2: after the answers that were in flight not a request more."""
    ran = await run_with(["429=300:1"], few, tmp_path, leave_after_s=1)
    assert 1 <= ran.stats["requests"] <= len(few.samples)
    assert ran.outcomes == {}


@pytest.mark.faults
async def test_a_long_outage_is_probed_seldom_and_then_forgotten(many: Seeds, clean: Clean, tmp_path: Path) -> None:
    """F5: one probe in 5 s besides what was in flight as it began."""
    ran = await run_with(["outage:0-30"], many, tmp_path, max_in_flight=16)
    check_sum(ran, many)
    assert ran.results == await clean.results(many)
    assert ran.stats["faults"]["outage"] <= 16 + 30 / 5


@pytest.mark.faults
async def test_a_mix_of_all_faults_settles_every_sample_with_the_right_reason(many: Seeds, tmp_path: Path) -> None:
    rate = round(0.2 / len(EVERY_KIND), 4)
    changes = {"timeout_s": 3, "settings": SETTINGS.model_copy(update={"rounds": 3})}
    ran = await run_with([f"{kind}:{rate}" for kind in EVERY_KIND], many, tmp_path, **changes)
    check_sum(ran, many)
    assert len(ran.stats["faults"]) > len(EVERY_KIND) / 2
    last = dict(
        ran.query(
            "SELECT sample, kind FROM (SELECT * FROM calls ORDER BY ended_ns) GROUP BY sample HAVING max(ended_ns)"
        )
    )
    for name, outcome in ran.outcomes.items():
        if outcome.status == "failed":
            assert outcome.reason.partition(":")[0] == last[name] != "ok"
