"""`evolgraph trace check`: a store that a run or a kill left is sound; damage to it is named."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from evolgraph.cli.main import cli
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Settings, evolve
from evolgraph.samples.formats.reader import read
from evolgraph.samples.sample import Sample
from evolgraph.store.check import examine
from evolgraph.store.connections import open_for_writing, reading
from evolgraph.store.errors import StoreError
from evolgraph.store.packing import packed, unpacked

from ..cli.conftest import run_in
from ..conftest import SEEDS

SETTINGS = Settings(rounds=2, seed=1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The embedded model, started once for all runs."""
    command = [sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        yield json.loads(child.stdout.readline())["url"]
        child.stdin.close()


async def run(store: Path, url: str, seeds: Path | list[Sample] = SEEDS, **changes: Any) -> None:
    endpoint, settings = Endpoint(url=url, model="builtin"), SETTINGS.model_copy(update=changes)
    async with evolve(seeds, store=store, images=SEEDS.parent, endpoints=[endpoint], settings=settings) as going:
        async for _ in going:
            pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    store = tmp_path_factory.mktemp("finished") / "run.db"
    asyncio.run(run(store, url, limit=7))
    return store


UNTIL_KILLED = f"""
import asyncio, sys
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Settings, evolve

async def main():
    endpoint = Endpoint(url=sys.argv[2], model="builtin")
    settings = Settings(rounds=2, seed=1, concurrency=3)
    async with evolve({str(SEEDS)!r}, store=sys.argv[1], endpoints=[endpoint], settings=settings) as run:
        settled = 0
        async for outcome in run:
            print(outcome.id, flush=True)
            settled += 1
            if settled == 5:
                await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    store = tmp_path_factory.mktemp("killed") / "run.db"
    with subprocess.Popen([sys.executable, "-c", UNTIL_KILLED, store, url], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for _ in range(5):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    return store


def check(store: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["trace", "check", str(store), *options])


def copied(store: Path, to: Path) -> Path:
    """A copy of a store, with what its log holds."""
    copy = to / "copy.db"
    for suffix in ("", "-wal"):
        if (source := store.with_name(store.name + suffix)).exists():
            shutil.copy(source, copy.with_name(copy.name + suffix))
    return copy


def query(store: Path, sql: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def test_a_finished_store_is_sound(finished: Path) -> None:
    said = check(finished)
    assert said.exit_code == 0
    assert said.output.startswith("sound: 7 samples, 7 settled, 14 rounds, ")
    found = json.loads(check(finished, "--json").output)
    assert found["sound"] is True
    assert found["problems"] == []
    assert found["calls"] == query(finished, "SELECT count(*) FROM calls")[0][0]


@pytest.mark.slow
def test_a_killed_store_is_sound_and_so_is_what_becomes_of_it(killed: Path, url: str, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    assert list(examine(killed, counts)) == []
    assert 3 <= counts["settled"] <= 10
    store = copied(killed, tmp_path)
    asyncio.run(run(store, url))
    assert list(examine(store, counts := Counter())) == []
    assert (counts["samples"], counts["settled"]) == (10, 10)


async def test_an_extended_store_is_sound(url: str, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    await run(store, url, limit=5, target=4.5)
    assert {status for (status,) in query(store, "SELECT status FROM settled")} == {"reached", "exhausted"}
    await run(store, url, limit=5, target=5.5, rounds=3, extend=True)
    assert list(map(str, examine(store))) == []
    assert query(store, "SELECT max(take) FROM settled") == [(1,)]


async def test_a_retried_store_is_sound(url: str, tmp_path: Path) -> None:
    samples = [sample for sample in read(SEEDS) if isinstance(sample, Sample)][:2]
    store, picture = tmp_path / "run.db", samples[0].images[0]
    lost = samples[0].model_copy(update={"images": (picture.model_copy(update={"path": "lost.jpg"}),)})
    for changes in ({}, {"retry_failed": ""}):
        await run(store, url, [lost, samples[1]], **changes)
        assert list(map(str, examine(store, counts := Counter()))) == []
        assert counts["settled"] == 2
    assert query(store, "SELECT max(take) FROM settled") == [(1,)]


async def test_a_retried_sample_has_its_patience_again(url: str, tmp_path: Path) -> None:
    sample = next(sample for sample in read(SEEDS) if isinstance(sample, Sample))
    store, picture = tmp_path / "run.db", sample.images[0]
    lost = sample.model_copy(update={"images": (picture.model_copy(update={"path": "lost.jpg"}),)})
    for changes in ({}, {"retry_failed": ""}):
        await run(store, url, [lost], patience=1, **changes)
    assert list(map(str, examine(store))) == []
    assert query(store, "SELECT status FROM settled ORDER BY take") == [("failed",), ("failed",)]


def test_checking_writes_nothing(finished: Path) -> None:
    before = finished.read_bytes()
    check(finished)
    assert finished.read_bytes() == before


@pytest.mark.parametrize("name", ["nothing.db", "text.db", "other.db"])
def test_what_is_no_store_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.db").write_text("no database")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (x)")
    assert run_in(tmp_path)("trace", "check", name).line.startswith(f"{name}: ")


ONE = "WHERE sample = 'horse'"
FIRST = f"{ONE} AND round = 1"
LAST = f"{ONE} AND round = 2"
DAMAGE = {
    "lost sample": ("DELETE FROM samples WHERE id = 'horse'", "settled: horse: 1 rows of a sample"),
    "lost seed question": (f"DELETE FROM generations {ONE} AND round = 0 AND qa = 'q1'", "seeds: horse: the seed is"),
    "other seed": (
        f"UPDATE generations SET content = json_set(content, '$.answer', 'No.') {ONE} AND round = 0 AND qa = 'q1'",
        "seeds: horse: the seed is not the one that was admitted",
    ),
    "other caption": (
        "UPDATE samples SET sample = json_set(sample, '$.caption', 'A cow.') WHERE id = 'horse'",
        "seeds: horse: the seed is not the one that was admitted",
    ),
    "lost decision": (f"DELETE FROM decisions {FIRST}", "decisions: horse: round 1: it was closed, but never decided"),
    "no distribution": (
        f"UPDATE decisions SET probabilities = json_set(probabilities, '$.reasoning', 0.9) {FIRST}",
        "decisions: horse: round 1: the probabilities are not a distribution",
    ),
    "other propensity": (f"UPDATE decisions SET propensity = 0.5 {FIRST}", "decisions: horse: round 1: the propensity"),
    "not eligible": (
        f"""UPDATE decisions SET eligible = '["reasoning"]' {FIRST}""",
        "decisions: horse: round 1: the probabilities are not those of the eligible directions",
    ),
    "unknown direction": (f"UPDATE decisions SET direction = 'up' {FIRST}", "verdicts: horse: round 1: q1 went"),
    "decision after the end": (
        "INSERT INTO decisions SELECT run, sample, 3, direction, propensity, probabilities, eligible, features,"
        f" feature_set, uniform, policy, policy_version, decided_ns FROM decisions {LAST}",
        "settled: horse: round 3 was decided, but it is settled after 2",
    ),
    "lost verdict": (f"DELETE FROM verdicts {FIRST} AND qa = 'q2'", "verdicts: horse: round 1: ruled on q1, q3, asked"),
    "turned verdict": (
        f"UPDATE verdicts SET accepted = 1 - accepted {LAST} AND qa = 'q1'",
        "generations: horse: round 2: q1 is accepted, but its verdict says rejected",
    ),
    "other score": (
        f"UPDATE verdicts SET score_after = 9 {LAST} AND qa = 'q1'",
        "complexity: horse: round 2: q1 has complexity",
    ),
    "lost generation": (
        f"DELETE FROM generations {LAST} AND qa = 'q1'",
        "generations: horse: round 2: q1 was ruled on, but what was written is missing",
    ),
    "generation without verdict": (
        f"DELETE FROM verdicts {LAST} AND qa = 'q1'",
        "generations: horse: round 2: q1 was written, but never ruled on",
    ),
    "other question": (
        f"UPDATE generations SET content = json_set(content, '$.question', 'Why?') {LAST} AND outcome = 'accepted'",
        "checkpoint: horse: the questions in its state are not those that follow from its rounds",
    ),
    "other parent": (
        f"UPDATE generations SET parent_round = 0 {LAST} AND qa = 'q1'",
        "heads: horse: round 2: q1 comes from round 0",
    ),
    "lost reward": (f"DELETE FROM rewards {LAST}", "rewards: horse: round 2: it has verdicts or new questions, but no"),
    "other reward": (f"UPDATE rewards SET reward = 0.9 {LAST}", "rewards: horse: round 2: the reward is 0.9"),
    "lost round": (
        f"DELETE FROM rewards {LAST}; DELETE FROM verdicts {LAST}; DELETE FROM generations {LAST}",
        "rewards: horse: it is settled after 2 rounds, but round 2 is not closed",
    ),
    "lost span": (f"DELETE FROM spans {FIRST} AND kind = 'judge'", "spans: horse: round 1: no span of judge"),
    "lost route": (f"DELETE FROM spans {FIRST} AND kind = 'route'", "spans: horse: round 1: no span of route"),
    "lost call": (f"DELETE FROM calls {FIRST} AND agent = 'judge'", "calls: horse: round 1: it used"),
    "call of another round": (f"UPDATE calls SET round = 7 {FIRST}", "belongs to round 7, which was never decided"),
    "call of nobody": ("UPDATE calls SET sample = 'cow' WHERE sample = 'horse'", "calls: cow: 4 rows of a sample"),
    "lost text": ("DELETE FROM parts", "texts that a call of round 1 sent are lost"),
    "other text": ("UPDATE parts SET text = text || '!' WHERE rowid = 3", "is not what was stored"),
    "other heads": (
        "UPDATE settled SET heads = json_set(heads, '$[0].complexity', 10) WHERE sample = 'horse'",
        "heads: horse: the settled questions are not those",
    ),
    "other complexity": (
        "UPDATE settled SET complexity_after = 9.5 WHERE sample = 'horse'",
        "complexity: horse: the complexity after is 9.5",
    ),
    "reached too early": (
        "UPDATE settled SET status = 'reached' WHERE sample = 'horse'",
        "status: horse: it is reached",
    ),
    "stalled for nothing": (
        "UPDATE settled SET status = 'stalled' WHERE sample = 'horse'",
        "status: horse: it is stalled after 2 rounds",
    ),
    "exhausted too early": (
        "UPDATE settled SET rounds = 1 WHERE sample = 'horse'",
        "status: horse: it is exhausted after 1 rounds of 2, at most 2",
    ),
    "settled again": (
        "INSERT INTO settled SELECT run, sample, 1, status, rounds, reason, complexity_before, complexity_after, heads,"
        " settled_ns FROM settled WHERE sample = 'horse'",
        "settled: horse: it is settled in take 1, which was never asked for",
    ),
    "lost end": (
        "DELETE FROM settled WHERE sample = 'horse'",
        "checkpoint: horse: its state ended as exhausted, but it is not settled",
    ),
    "nothing to go on from": (
        "DELETE FROM settled WHERE sample = 'horse'; DELETE FROM checkpoints WHERE thread LIKE '%/horse'",
        "checkpoint: horse: it is not settled, and there is no state to go on from",
    ),
    "state of another round": (
        "UPDATE checkpoints SET checkpoint = packed(json_remove(unpacked(checkpoint), '$.channel_values.history[1]'))"
        " WHERE thread LIKE '%/horse'",
        "checkpoint: horse: its state has closed 1 rounds, the rows 2",
    ),
    "state of another question": (
        "UPDATE checkpoints SET checkpoint ="
        " packed(json_set(unpacked(checkpoint), '$.channel_values.heads[0].qa.answer', 'No.'))"
        " WHERE thread LIKE '%/horse'",
        "checkpoint: horse: the questions in its state are not those",
    ),
    "half a state": (
        "UPDATE checkpoints SET checkpoint = substr(checkpoint, 1, 500) WHERE thread LIKE '%/horse'",
        "unreadable: horse: the saved state cannot be read",
    ),
    "state of a stranger": (
        "UPDATE checkpoints SET thread = replace(thread, 'horse', 'cow') WHERE thread LIKE '%/horse'",
        "samples: cow: it has a state, but is not among the run's samples",
    ),
    "no JSON": (f"UPDATE generations SET content = '{{' {LAST}", "unreadable: horse: no JSON in generations"),
    "other JSON": ("UPDATE settled SET heads = '7' WHERE sample = 'horse'", "heads: horse: the settled questions"),
    "no text": (
        "UPDATE samples SET sample = CAST(x'7bff7d' AS TEXT) WHERE id = 'horse'",
        "unreadable: horse: the saved state cannot be read",
    ),
    "lost run": ("DELETE FROM runs", "settled: -: rows of the run"),
    "lost fingerprint": ("UPDATE runs SET fingerprint = ''", "unreadable: -: the fingerprint of the run"),
    "lost table": ("DROP TABLE rewards", "unreadable: -: OperationalError: no such table: rewards"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(name: str, finished: Path, tmp_path: Path) -> None:
    sql, told = DAMAGE[name]
    store = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(store)) as db:
        for function in (packed, unpacked):
            db.create_function(function.__name__, 1, function)
        db.executescript(sql)
    found = [str(problem) for problem in examine(store)]
    assert any(told in line for line in found), found
    assert all(line.count(": ") >= 2 and len(line.splitlines()) == 1 for line in found)


def test_problems_are_printed_a_line_each_or_as_json(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.executescript(f"DELETE FROM rewards {LAST}; DELETE FROM spans {FIRST}")
    said, found = check(store), json.loads(check(store, "--json").output)
    assert said.exit_code == check(store, "--json").exit_code == 1
    lines = [f"{one['kind']}: {one['sample'] or '-'}: {one['what']}" for one in found["problems"]]
    assert said.output.splitlines() == lines
    assert len(lines) > 2
    assert found["sound"] is False


def test_other_samples_are_not_blamed(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.executescript(f"UPDATE generations SET content = 'x' {LAST}; DELETE FROM rewards {LAST}")
    counts: Counter[str] = Counter()
    assert {problem.sample for problem in examine(store, counts)} == {"horse"}
    assert counts["settled"] == 6


def flipped(store: Path, place: int) -> None:
    with store.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 0xFF]))


def outcome_of(store: Path) -> str:
    """What a check says: "sound", "problems", or "refused" for what is no longer a store."""
    try:
        return "problems" if list(map(str, examine(store))) else "sound"
    except StoreError as error:
        assert error.kind in ("not-a-store", "newer", "open")
        return "refused"


def flips(store: Path, tmp_path: Path, seed: int, count: int) -> Counter[str]:
    """What a check says of copies with one byte flipped, drawn among those not zero, as free space is."""
    rng, codes = random.Random(seed), Counter[str]()
    used = [place for place, byte in enumerate(store.read_bytes()) if byte]
    for _ in range(count):
        copy = copied(store, tmp_path)
        flipped(copy, rng.choice(used))
        codes[outcome_of(copy)] += 1
    return codes


def test_a_flipped_byte_gives_no_traceback(finished: Path, tmp_path: Path) -> None:
    codes = flips(finished, tmp_path, 1, 40)
    assert codes["problems"] > 10, codes


@pytest.mark.faults
def test_many_flipped_bytes_give_no_traceback(finished: Path, tmp_path: Path) -> None:
    assert sum(flips(finished, tmp_path, 2, 2000).values()) == 2000


SCHEMA = (b"reward REAL,", b"reward \xb1EAL,")


def test_a_damaged_schema_is_named(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    store.write_bytes(store.read_bytes().replace(*SCHEMA))
    (problem,) = examine(store)
    assert problem.kind == "integrity"


def test_readers_name_a_damaged_schema(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    store.write_bytes(store.read_bytes().replace(*SCHEMA))
    with pytest.raises(StoreError) as caught, reading(store):
        pass
    assert caught.value.kind == "corrupt"


@pytest.mark.parametrize("page", range(8))
def test_a_lost_page_is_named(finished: Path, tmp_path: Path, page: int) -> None:
    store = copied(finished, tmp_path)
    pages = store.stat().st_size // 8192
    with store.open("r+b") as file:
        file.seek((2 + page * (pages - 2) // 8) * 8192)
        file.write(bytes(8192))
    assert outcome_of(store) == "problems"


def test_a_file_cut_short_is_named(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    os.truncate(store, store.stat().st_size // 2)
    assert outcome_of(store) == "problems"


@pytest.mark.parametrize("part", [0.6, 0.75, 0.9])  # the first third is the making of the tables
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_a_damaged_log_goes_back_to_a_commit(killed: Path, tmp_path: Path, part: float, how: str) -> None:
    """SQLite leaves out what comes after the damage, as after a kill: what is left agrees, and the run goes on."""
    store = copied(killed, tmp_path)
    log = store.with_name(store.name + "-wal")
    place = int(log.stat().st_size * part)
    if how == "cut":
        os.truncate(log, place)
    else:
        flipped(log, place)
    assert outcome_of(store) == "sound"
    assert query(store, "SELECT count(*) FROM samples") <= query(killed, "SELECT count(*) FROM samples")


UNPACKED = """
    ALTER TABLE checkpoints RENAME TO packed;
    CREATE TABLE checkpoints (
        thread TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL, parent TEXT, checkpoint TEXT NOT NULL,
        metadata TEXT NOT NULL, PRIMARY KEY (thread, namespace, id)
    ) STRICT;
    INSERT INTO checkpoints SELECT thread, namespace, id, parent, unpacked(checkpoint), metadata FROM packed;
    DROP TABLE packed;
    UPDATE settled SET heads = (
        SELECT json_group_array(json_set(value, '$.qa', json((
            SELECT content FROM generations g WHERE g.run = settled.run AND g.sample = settled.sample
            AND g.round = json_extract(value, '$.round') AND g.qa = json_extract(value, '$.qa')
        )))) FROM json_each(heads)
    );
    DELETE FROM _sqlite_migrations WHERE name = 'm0012_packed_states';
"""


def test_a_store_with_unpacked_states_is_brought_up_to_date(finished: Path, tmp_path: Path) -> None:
    store = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.create_function("unpacked", 1, unpacked)
        db.executescript(UNPACKED)
        (heads,) = db.execute("SELECT heads FROM settled WHERE sample = 'horse'").fetchone()
        assert '"question"' in heads
    with pytest.raises(StoreError, match="older tables"):
        list(examine(store))
    open_for_writing(store).close()
    assert list(map(str, examine(store))) == []
    with reading(finished) as was, reading(store) as is_:
        for sql in ("SELECT sample, take, heads FROM settled", "SELECT thread, checkpoint FROM checkpoints"):
            assert is_.execute(sql).fetchall() == was.execute(sql).fetchall()
