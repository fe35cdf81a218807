"""Whole runs over the example seeds, with the embedded model in its own process."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.endpoints.errors import EndpointError
from evolgraph.errors import EvolgraphError
from evolgraph.graph import Outcome, Settings, evolve
from evolgraph.graph.identity import RunError, claim
from evolgraph.samples.formats.reader import FormatError, read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample
from evolgraph.store.check import examine
from evolgraph.store.store import Store

from ..conftest import SEEDS
from ..left import Left

SETTINGS = Settings(rounds=2, seed=1)
NAMES = [row["id"] for row in json.loads(SEEDS.read_text(encoding="utf-8"))]


@dataclass(frozen=True)
class Ran(Left):
    """One start of a run, and what it left."""

    outcomes: list[Outcome]


async def start(
    store: Path,
    seeds: Path | Iterable[Sample] = SEEDS,
    *,
    images: Path | None = None,
    endpoints: Sequence[Endpoint] = (),
    leave_after: int = 0,
    **changes: Any,
) -> Ran:
    """Runs until everything is settled, or until `leave_after` samples are."""
    outcomes: list[Outcome] = []
    settings = SETTINGS.model_copy(update=changes)
    async with evolve(seeds, store=store, images=images, endpoints=endpoints, settings=settings) as run:
        async for outcome in run:
            outcomes.append(outcome)
            if len(outcomes) == leave_after:
                break
        return Ran(store, await run.summary(), outcomes)


@pytest.fixture(scope="module")
def endpoints() -> Iterator[list[Endpoint]]:
    """The embedded model, started once for all runs that need none of their own."""
    command = [sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        yield [Endpoint(url=json.loads(child.stdout.readline())["url"], model="builtin")]
        child.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return asyncio.run(start(tmp_path_factory.mktemp("undisturbed") / "run.db"))


def test_every_sample_settles_and_the_sum_holds(undisturbed: Ran) -> None:
    summary = undisturbed.summary
    assert sorted(outcome.id for outcome in undisturbed.outcomes) == sorted(NAMES)
    settled = Counter(outcome.status for outcome in undisturbed.outcomes)
    assert settled == Counter(
        {name: n for name in ("reached", "exhausted", "stalled", "failed") if (n := getattr(summary, name))}
    )
    assert summary.reached + summary.exhausted + summary.stalled + summary.failed + summary.pending == summary.samples
    assert (summary.samples, summary.pending, summary.failed, summary.quarantined) == (10, 0, 0, 0)
    assert sum(summary.directions.values()) == sum(outcome.rounds for outcome in undisturbed.outcomes)
    assert summary.accepted > 0
    assert summary.calls == undisturbed.query("SELECT count(*) FROM calls")[0][0] > 0
    assert summary.prompt_tokens
    assert summary.completion_tokens


def test_questions_get_more_complex_and_keep_their_ids(undisturbed: Ran) -> None:
    seeds = {seed.id: seed for seed in read(SEEDS) if isinstance(seed, Sample)}
    for outcome in undisturbed.outcomes:
        assert [qa.id for qa in outcome.qas] == [qa.id for qa in seeds[outcome.id].qas]
        assert outcome.complexity_before
        assert outcome.complexity_after
        assert outcome.complexity_after >= outcome.complexity_before


def test_the_results_are_the_outcomes_in_the_order_of_the_seeds(undisturbed: Ran) -> None:
    rows = [json.loads(line) for line in undisturbed.results.splitlines()]
    assert [row["id"] for row in rows] == NAMES
    outcomes = {outcome.id: outcome for outcome in undisturbed.outcomes}
    for row in rows:
        outcome = outcomes[row["id"]]
        assert (row["status"], row["rounds"]) == (outcome.status, outcome.rounds)
        assert row["complexity_after"] == outcome.complexity_after
        assert [qa["question"] for qa in row["qas"]] == [qa.question for qa in outcome.qas]
        assert [past["round"] for past in row["history"]] == list(range(1, outcome.rounds + 1))
        assert row["image"].startswith("images/")


def test_every_round_has_its_decision_verdicts_and_reward(undisturbed: Ran) -> None:
    rounds = sum(outcome.rounds for outcome in undisturbed.outcomes)
    for table in ("decisions", "rewards"):
        assert undisturbed.query(f"SELECT count(*) FROM {table}") == [(rounds,)]
    unruled = (
        "SELECT count(*) FROM decisions d WHERE NOT EXISTS (SELECT 1 FROM verdicts v"
        " WHERE v.run = d.run AND v.sample = d.sample AND v.round = d.round)"
    )
    assert undisturbed.query(unruled) == [(0,)]
    assert undisturbed.query("SELECT outcome FROM sessions") == [("finished",)]


async def test_a_second_start_makes_no_call_and_changes_nothing(undisturbed: Ran, endpoints: list[Endpoint]) -> None:
    before = undisturbed.results
    again = await start(undisturbed.store, endpoints=endpoints)
    assert again.outcomes == []
    assert (again.summary.calls, again.summary.replayed, again.summary.pending) == (0, 0, 0)
    assert (again.summary.run, again.summary.samples) == (undisturbed.summary.run, 10)
    for name in ("reached", "exhausted", "accepted", "rejected", "directions", "complexity_after"):
        assert getattr(again.summary, name) == getattr(undisturbed.summary, name)
    assert again.results == before


async def test_other_settings_are_refused_with_what_differs(undisturbed: Ran, endpoints: list[Endpoint]) -> None:
    with pytest.raises(RunError) as caught:
        await start(undisturbed.store, endpoints=endpoints, rounds=3, ablate=("feedback",))
    line = str(caught.value)
    assert "rounds was 2, is 3" in line
    assert "ablate was [], is ['feedback']" in line
    assert "target" not in line
    assert str(undisturbed.store) in line
    assert "\n" not in line and "--extend" not in line
    with pytest.raises(RunError, match="add --extend to go on with more"):
        await start(undisturbed.store, endpoints=endpoints, rounds=3)


async def test_a_store_with_a_run_is_refused_when_nothing_shall_be_resumed(
    undisturbed: Ran, endpoints: list[Endpoint]
) -> None:
    with pytest.raises(RunError, match="holds a run already"):
        async with evolve(SEEDS, store=undisturbed.store, endpoints=endpoints, settings=SETTINGS, resume=False):
            pass


async def test_a_changed_seed_is_refused_by_its_name(undisturbed: Ran, endpoints: list[Endpoint]) -> None:
    seeds = [seed for seed in read(SEEDS) if isinstance(seed, Sample)]
    seeds[3] = seeds[3].model_copy(update={"caption": "Something else."})
    with pytest.raises(RunError) as caught:
        await start(undisturbed.store, seeds, images=SEEDS.parent, endpoints=endpoints)
    assert caught.value.where == "rocket"
    assert "not what it was" in str(caught.value)


@pytest.mark.parametrize(
    ("ablate", "complaint"),
    [
        (("screeen",), "no part is called 'screeen' (did you mean screen?)"),
        (("perception", "reasoning", "interaction"), "no direction is left"),
    ],
)
async def test_ablations_that_cannot_be_are_refused(tmp_path: Path, ablate: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(RunError) as caught:
        await start(tmp_path / "run.db", ablate=ablate)
    assert complaint in str(caught.value)


async def test_leaving_early_leaves_a_store_that_goes_on(
    undisturbed: Ran, tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    left = await start(tmp_path / "run.db", leave_after=2, concurrency=2)
    assert len(left.outcomes) == 2
    assert left.query("SELECT outcome FROM sessions") == [("stopped",)]
    rest = await start(tmp_path / "run.db", endpoints=endpoints)
    assert 0 < len(rest.outcomes) <= 8
    assert rest.summary.pending == 0
    assert rest.results == undisturbed.results
    assert rest.query("SELECT outcome FROM sessions ORDER BY id") == [("stopped",), ("finished",)]


async def test_a_limit_can_be_lifted_later(undisturbed: Ran, tmp_path: Path, endpoints: list[Endpoint]) -> None:
    first = await start(tmp_path / "run.db", endpoints=endpoints, limit=1)
    assert [outcome.id for outcome in first.outcomes] == NAMES[:1]
    second = await start(tmp_path / "run.db", endpoints=endpoints, limit=3)
    assert sorted(outcome.id for outcome in second.outcomes) == sorted(NAMES[1:3])
    assert second.results.splitlines() == undisturbed.results.splitlines()[:3]


async def test_samples_can_come_from_anywhere(undisturbed: Ran, tmp_path: Path, endpoints: list[Endpoint]) -> None:
    seeds = (seed for seed in read(SEEDS) if isinstance(seed, Sample) and seed.id in NAMES[:2])
    ran = await start(tmp_path / "run.db", seeds, images=SEEDS.parent, endpoints=endpoints)
    assert {outcome.id for outcome in ran.outcomes} == set(NAMES[:2])
    assert ran.results.splitlines() == undisturbed.results.splitlines()[:2]


UNTIL_KILLED = f"""
import asyncio, sys
from evolgraph.graph import Settings, evolve

async def main():
    async with evolve({str(SEEDS)!r}, store=sys.argv[1], settings=Settings(rounds=2, seed=1, concurrency=2)) as run:
        settled = 0
        async for outcome in run:
            print(outcome.id, flush=True)
            settled += 1
            if settled == 3:
                await asyncio.Event().wait()

asyncio.run(main())
"""
"""With two workers and a queue of four, some samples cannot settle while nobody takes the outcomes."""


def descendants(pid: int) -> set[int]:
    """The living processes below `pid`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it ended while we looked
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: set[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_alive, pids))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_a_killed_run_leaves_no_process_and_goes_on_where_it_was(undisturbed: Ran, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    with subprocess.Popen([sys.executable, "-c", UNTIL_KILLED, store], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        settled = [child.stdout.readline().strip() for _ in range(3)]
        below = descendants(child.pid)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert len(below) == 1, "the embedded model is one process"
    assert all_gone(below)
    rest = asyncio.run(start(store))
    assert not set(settled) & {outcome.id for outcome in rest.outcomes}
    assert 0 < len(rest.outcomes) <= 7
    assert rest.summary.pending == 0
    assert rest.results == undisturbed.results
    # Of what was received before the kill nothing is paid again: every call is in the ledger exactly once.
    assert rest.query("SELECT count(*) FROM calls") == undisturbed.query("SELECT count(*) FROM calls")
    assert rest.query("PRAGMA integrity_check") == [("ok",)]


async def test_an_image_that_is_gone_fails_its_sample_alone(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    samples = [sample for sample in read(SEEDS) if isinstance(sample, Sample)][:2]
    gone = samples[0].model_copy(update={"images": (samples[0].images[0].model_copy(update={"path": "gone.jpg"}),)})
    ran = await start(tmp_path / "run.db", [gone, samples[1]], images=SEEDS.parent, endpoints=endpoints)
    outcomes = {outcome.id: outcome for outcome in ran.outcomes}
    assert outcomes[gone.id].status == "failed"
    assert outcomes[gone.id].reason.startswith("image: ")
    assert outcomes[samples[1].id].status == "exhausted"


async def test_a_folder_of_images_that_is_not_there_is_refused(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    with pytest.raises(FormatError, match="gone: no such folder of images"):
        await start(tmp_path / "run.db", images=tmp_path / "gone", endpoints=endpoints)


async def test_two_samples_of_one_id_are_refused_by_name(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    samples = [sample for sample in read(SEEDS) if isinstance(sample, Sample)][:1]
    with pytest.raises(RunError, match=f"{samples[0].id}: two samples have this id"):
        await start(tmp_path / "run.db", samples * 2, images=SEEDS.parent, endpoints=endpoints)


async def test_more_rounds_go_on_from_where_the_run_had_ended(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    first = await start(tmp_path / "run.db", endpoints=endpoints, rounds=1)
    with pytest.raises(RunError, match="rounds was 1, is 2"):
        await start(tmp_path / "run.db", endpoints=endpoints, rounds=2)
    more = await start(tmp_path / "run.db", endpoints=endpoints, rounds=2, extend=True)
    assert (first.summary.calls, more.summary.calls) == (20, 20)
    assert more.query("SELECT DISTINCT rounds FROM v_settled") == [(2,)]
    assert more.query("SELECT count(*) FROM v_settled") == [(10,)]
    with pytest.raises(RunError, match=r"rounds was 2, is 1.*go on with what it was extended to, or name another"):
        await start(tmp_path / "run.db", endpoints=endpoints, rounds=1, extend=True)


async def test_replies_may_become_longer_in_an_extended_run_and_not_shorter(
    tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    def limited(tokens: int | None) -> list[Endpoint]:
        return [replace(endpoint, max_tokens=tokens) for endpoint in endpoints]

    store = tmp_path / "run.db"
    await start(store, endpoints=limited(4096), rounds=1)
    with pytest.raises(RunError, match=r"'max_tokens': 4096.*'max_tokens': 16384.*add --extend"):
        await start(store, endpoints=limited(16384), rounds=1)
    more = await start(store, endpoints=limited(16384), rounds=2, extend=True)
    assert (more.summary.calls, more.summary.pending) == (20, 0)
    with pytest.raises(RunError, match="max_tokens"):
        await start(store, endpoints=limited(4096), rounds=2, extend=True)
    assert (await start(store, endpoints=limited(None), rounds=2, extend=True)).summary.calls == 0
    other = [replace(endpoint, temperature=0.1) for endpoint in limited(None)]
    with pytest.raises(RunError, match="temperature"):
        await start(store, endpoints=other, rounds=2, extend=True)


async def test_replies_stand_when_others_may_become_longer(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    store = tmp_path / "run.db"
    limited = [replace(endpoint, max_tokens=4096) for endpoint in endpoints]
    first = await start(store, endpoints=limited, budget_calls=23)
    assert first.summary.pending > 0
    longer = [replace(endpoint, max_tokens=16384) for endpoint in endpoints]
    more = await start(store, endpoints=longer, extend=True)
    assert first.summary.calls + more.summary.calls == 40
    assert list(examine(store)) == []


async def test_a_start_with_unlike_endpoints_leaves_the_run_as_it_was(
    tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    (one,) = endpoints
    alike = [one, replace(one, url=one.url.replace("127.0.0.1", "localhost"))]
    await start(tmp_path / "run.db", endpoints=alike, rounds=1)
    with pytest.raises(EndpointError, match="need the same model"):
        await start(tmp_path / "run.db", endpoints=[replace(one, max_tokens=8192), alike[1]], rounds=1, extend=True)
    assert (await start(tmp_path / "run.db", endpoints=alike, rounds=1)).summary.calls == 0


@pytest.mark.parametrize(
    ("before", "now", "may"),
    [
        ("{'temperature': 1.0, 'max_tokens': 9000}", "{'temperature': 1.0, 'max_tokens': 10000}", True),
        ("{'max_tokens': 9000, 'top_k': 1}", "{'top_k': 1}", True),
        ("{'top_k': 1}", "{'max_tokens': 9000, 'top_k': 1}", False),
        (
            "{'max_tokens': 9, 'reasoning': {'max_tokens': 20}}",
            "{'max_tokens': 9, 'reasoning': {'max_tokens': 5}}",
            False,
        ),
        ("{'reasoning': {'max_tokens': 2000}}", "{'reasoning': {}}", False),
        ("{'top_p': inf}", "{'top_p': 1.0}", False),
    ],
)
async def test_only_the_token_limit_of_replies_may_be_raised(tmp_path: Path, before: str, now: str, may: bool) -> None:
    known = {"rounds": 1, "target": 8.0, "models": [f"evolver: m {before}", "judge: {j} {'temperature': 1.0}"]}
    asked = known | {"models": [f"evolver: m {now}", "judge: {j} {'temperature': 1.0}"]}
    async with Store.open(tmp_path / "run.db") as store:
        await claim(store, known, 0)
        with nullcontext() if may else pytest.raises(RunError):
            await claim(store, asked, 0, extend=True)


async def test_failed_samples_are_taken_up_again_and_others_left_alone(
    tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    folder = tmp_path / "seeds"
    shutil.copytree(SEEDS.parent, folder)
    samples = [sample for sample in read(folder / "seeds.json") if isinstance(sample, Sample)][:3]
    picture = folder / samples[0].images[0].path
    whole = picture.read_bytes()
    picture.write_bytes(whole[:1000])
    store = tmp_path / "run.db"
    broken = await start(store, samples, images=folder, endpoints=endpoints)
    assert (broken.summary.failed, broken.summary.exhausted) == (1, 2)
    picture.write_bytes(whole)
    other = await start(store, samples, images=folder, endpoints=endpoints, retry_failed="timeout")
    assert (other.summary.failed, other.summary.calls) == (1, 0)
    again = await start(store, samples, images=folder, endpoints=endpoints, retry_failed="image")
    assert (again.summary.failed, again.summary.exhausted, again.summary.calls) == (0, 3, 4)
    assert (broken.summary.lost, other.summary.lost, again.summary.lost) == (3, 3, 0), "made good"
    assert again.query("SELECT take, status FROM settled WHERE sample = 'astronaut' ORDER BY take") == [
        (0, "failed"),
        (1, "exhausted"),
    ]


async def test_bad_rows_stay_on_record_until_all_seeds_are_read_again(
    tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    folder = tmp_path / "seeds"
    shutil.copytree(SEEDS.parent, folder)
    rows = json.loads((folder / "seeds.json").read_text())
    rows[8]["image"] = "gone.jpg"
    (folder / "seeds.json").write_text(json.dumps(rows))
    first = await start(tmp_path / "run.db", folder / "seeds.json", endpoints=endpoints, rounds=1)
    assert (first.summary.samples, first.summary.quarantined) == (9, 1)
    told = first.query("SELECT * FROM quarantine")
    part = await start(tmp_path / "run.db", folder / "seeds.json", endpoints=endpoints, rounds=1, limit=3)
    assert (part.summary.samples, part.summary.quarantined) == (9, 1)
    assert part.query("SELECT * FROM quarantine") == told
    (folder / "seeds.json").write_text(json.dumps(rows[:8]))
    last = await start(tmp_path / "run.db", folder / "seeds.json", endpoints=endpoints, rounds=1, limit=50)
    assert (last.summary.quarantined, last.query("SELECT * FROM quarantine")) == (0, [])


async def test_a_row_that_is_mended_later_takes_its_place_in_the_results(
    undisturbed: Ran, tmp_path: Path, endpoints: list[Endpoint]
) -> None:
    folder = tmp_path / "seeds"
    shutil.copytree(SEEDS.parent, folder)
    (folder / "images" / "cat.jpg").rename(folder / "cat.jpg")
    first = await start(tmp_path / "run.db", folder / "seeds.json", endpoints=endpoints)
    assert (first.summary.samples, first.summary.quarantined) == (9, 1)
    (folder / "cat.jpg").rename(folder / "images" / "cat.jpg")
    second = await start(tmp_path / "run.db", folder / "seeds.json", endpoints=endpoints)
    assert (second.summary.samples, second.summary.quarantined) == (10, 0)
    assert second.query("SELECT count(*) FROM quarantine") == [(0,)]
    assert second.results == undisturbed.results


async def test_the_summary_is_of_the_whole_run(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    whole = await start(tmp_path / "run.db", endpoints=endpoints, rounds=1)
    part = await start(tmp_path / "run.db", endpoints=endpoints, rounds=1, limit=3)
    assert (part.summary.samples, part.summary.exhausted) == (10, whole.summary.exhausted)
    assert part.summary.accepted == whole.summary.accepted


async def test_what_is_wrong_is_found_before_the_store_is_claimed(tmp_path: Path, endpoints: list[Endpoint]) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "judge.md").write_text("{{ nope }}")
    judges = [Endpoint(url=endpoints[0].url, model="builtin", roles=("evolver",))]
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("did you mean perception", {"policy": "fixed:percepton=1,reasoning=1"}),
        ("no weight for any", {"policy": "fixed:reasoning=1", "ablate": ("reasoning",)}),
        ("'nope' is undefined", {"prompts": prompts}),
        ("no endpoint serves the role judge", {"endpoints": judges}),
    ]
    for told, changes in wrong:
        with pytest.raises(EvolgraphError, match=told):
            await start(tmp_path / "run.db", **{"endpoints": endpoints, **changes})
    assert (await start(tmp_path / "run.db", endpoints=endpoints, rounds=1)).summary.pending == 0


async def test_of_the_samples_that_wait_the_one_with_most_questions_goes_first(
    tmp_path: Path, endpoints: list[Endpoint]
):
    (sample, *_) = (row for row in read(SEEDS, ImageRoot(SEEDS.parent)) if isinstance(row, Sample))
    (qa, *_) = sample.qas
    asked = [1, 1, 3, 2, 3, 1, 2]
    seeds = [
        sample.model_copy(
            update={"id": f"s{place}", "qas": tuple(qa.model_copy(update={"id": f"q{n}"}) for n in range(count))}
        )
        for place, count in enumerate(asked)
    ]

    ran = await start(tmp_path / "a.db", seeds, images=SEEDS.parent, endpoints=endpoints, concurrency=1, rounds=1)

    assert [outcome.id for outcome in ran.outcomes] == ["s2", "s4", "s3", "s6", "s0", "s1", "s5"]
