"""Seeds that are captions only get their first questions before they are evolved."""

import asyncio
import html
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from evolgraph.agents.curation import Curation
from evolgraph.agents.judge import Judge
from evolgraph.agents.registry import directions
from evolgraph.endpoints.chat import Answer, Ask, T, Usage
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import Settings, Summary, evolve
from evolgraph.graph.machine import build_graph
from evolgraph.graph.policies.cycle import Cycle
from evolgraph.graph.state import State, initial, reopened
from evolgraph.samples.sample import Sample
from evolgraph.store.check import examine

from ..cli.conftest import run_in
from ..conftest import SEEDS, make_sample
from ..left import Left
from .conftest import PROMPTER, Rules

COFFEE = next(row for row in json.loads(SEEDS.read_text(encoding="utf-8")) if row["id"] == "coffee")
SAID = [{"from": "gpt", "value": "A red cup stands on a red saucer."}]
ROWS: list[dict[str, Any]] = [
    COFFEE | {"image": "coffee.jpg", "conversations_v0": []},
    {"id": "spoken", "image": "coffee.jpg", "conversations": SAID},
    {"id": "empty", "image": "coffee.jpg", "conversations": []},
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """The embedded model, for everything here."""
    words = (sys.executable, "-m", "evolgraph.endpoints.builtin", "--port", "0", "--exit-with-stdin")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        yield Endpoint(url=json.loads(child.stdout.readline())["url"], model="builtin")
        child.stdin.close()


async def evolved(folder: Path, endpoint: Endpoint, **changes: Any) -> Summary:
    settings = Settings(rounds=2, seed=1, policy="cycle", concurrency=1, **changes)
    async with evolve(folder / "seeds.json", store=folder / "run.db", endpoints=[endpoint], settings=settings) as run:
        async for _ in run:
            pass
        return await run.summary()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Path:
    """A run that a budget stopped twice, after its first call and in its second sample, and that then went on."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(SEEDS.parent / "images" / "coffee.jpg", folder)
    (folder / "seeds.json").write_text(json.dumps(ROWS))
    starts = [asyncio.run(evolved(folder, endpoint, budget_calls=calls)) for calls in (1, 5, None)]
    (folder / "starts.json").write_text(json.dumps([(one.calls, one.replayed, one.pending) for one in starts]))
    last = starts[-1]
    assert (last.samples, last.quarantined, last.failed, last.pending) == (2, 1, 0, 0)
    return folder


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as db, db:
        return db.execute(sql).fetchall()


async def test_captions_become_questions_that_evolve(home: Path) -> None:
    store = home / "run.db"
    asked = rows(store, "SELECT sample, round, agent, step FROM calls WHERE agent = 'curation'")
    assert sorted(asked) == [("coffee", 0, "curation", 0), ("spoken", 0, "curation", 0)]
    seeds = rows(store, "SELECT DISTINCT sample, round, direction FROM generations WHERE outcome = 'seed'")
    assert sorted(seeds) == [("coffee", 0, None), ("spoken", 0, None)]
    assert rows(store, "SELECT count(*) FROM generations WHERE outcome = 'accepted'")[0][0] > 0
    assert [rounds for (rounds,) in rows(store, "SELECT rounds FROM settled")] == [2, 2]
    assert list(examine(store)) == []


async def test_a_run_that_goes_on_asks_nothing_twice(home: Path, endpoint: Endpoint) -> None:
    starts = json.loads((home / "starts.json").read_text())
    assert [pending for _, _, pending in starts] == [2, 1, 0]
    calls = rows(home / "run.db", "SELECT count(*), sum(attempts), sum(maybe_billed) FROM calls")
    assert calls == [(sum(paid for paid, _, _ in starts), sum(paid for paid, _, _ in starts), 0)]
    again = await evolved(home, endpoint)
    assert (again.calls, again.replayed, again.samples, again.pending) == (0, 0, 2, 0)


async def test_a_curation_that_was_paid_and_not_settled_is_replayed(
    home: Path, tmp_path: Path, endpoint: Endpoint
) -> None:
    for name in ("seeds.json", "coffee.jpg"):
        shutil.copy(home / name, tmp_path)
    first = await evolved(tmp_path, endpoint, budget_calls=1)
    for table in ("checkpoints", "generations", "spans", "decisions"):  # what a kill after the ledger's commit leaves
        rows(tmp_path / "run.db", f"DELETE FROM {table}")
    second = await evolved(tmp_path, endpoint)
    assert (first.calls, second.replayed) == (1, 1)
    assert list(examine(tmp_path / "run.db")) == []
    kept = Left(home / "run.db", second)
    same = "SELECT sample, round, qa, content FROM generations ORDER BY 1, 2, 3"
    assert Left(tmp_path / "run.db", second).query(same) == kept.query(same)


def test_an_export_begins_with_the_curated_questions(home: Path) -> None:
    evolgraph = run_in(home)
    assert evolgraph("export", "run.db", "--format", "mmevol", "-o", "out.json").code == 0
    exported = {row["id"]: row for row in json.loads((home / "out.json").read_text())}
    assert set(exported) == {"coffee", "spoken"}
    for name, row in exported.items():
        sql = f"SELECT content FROM generations WHERE outcome = 'seed' AND sample = '{name}' ORDER BY qa"
        written = [json.loads(content)["question"] for (content,) in rows(home / "run.db", sql)]
        assert [qa["question"] for qa in row["conversations_v0"]] == written
    assert exported["spoken"]["caption"][1]["value"] == SAID[0]["value"]
    assert evolgraph("seeds", "check", "out.json", "--json").json["captions_only"] == 0


def test_the_viewers_page_shows_what_was_asked_and_answered(home: Path) -> None:
    assert run_in(home)("view", "run.db", "--export", "pages").code == 0
    ((reply,),) = rows(home / "run.db", "SELECT text FROM calls WHERE round = 0 AND sample = 'spoken'")
    page = next(text for path in (home / "pages").glob("sample-*.html") if "spoken" in (text := path.read_text()))
    told = page[page.index('id="curation"') : page.index('id="round-1"')]
    assert f"{len(json.loads(reply)['questions'])} question" in told
    assert SAID[0]["value"] in told
    assert html.escape(json.loads(reply)["questions"][0]["answer"]) in told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE generations SET content = json_set(content, '$.answer', 'No.') WHERE outcome = 'seed'", "first quest"),
        ("DELETE FROM generations WHERE outcome = 'seed'", "first questions"),
        ("UPDATE samples SET sample = json_set(sample, '$.caption', 'A cow.')", "not the one that was admitted"),
        ("UPDATE calls SET agent = 'judge' WHERE round = 0", "a call of judge belongs to round 0"),
    ],
)
def test_damage_to_the_first_questions_is_found(home: Path, tmp_path: Path, sql: str, told: str) -> None:
    store = Path(shutil.copy(home / "run.db", tmp_path))
    rows(store, sql)
    assert any(told in str(problem) for problem in examine(store))


class Curator(Rules):
    """Writes first questions as well: the replies in their order, then the last one again; a text is a failure."""

    def __init__(self, *replies: list[dict[str, Any]] | str) -> None:
        super().__init__()
        self.replies = [*replies]

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        if ask.key.agent != "curation":
            return await super().ask(ask)
        self.asks.append(ask)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, str):
            return Answer(None, reply, "as the script says", 1, 0, Usage())
        value = ask.reply.model_validate({"questions": reply})
        error = ask.check(value) if ask.check else None
        return Answer(None if error else value, "check" if error else "ok", error or "", 1, 0, Usage(100, 0, 10))


def question(text: str = "What is on the table?", answer: str = "Two cups.", **changes: Any) -> dict[str, Any]:
    return {"objects": ["cup", " "], "skills": ["counting", "magic"], "question": text, "answer": answer} | changes


async def play(model: Rules, sample: Sample | None = None, state: State | None = None) -> list[State]:
    agents = {name: agent(model, PROMPTER) for name, agent in directions().items()}
    curation, settings = Curation(model, PROMPTER), Settings(rounds=1)
    graph: Any = build_graph(agents, Judge(model, PROMPTER), Cycle(), settings, curation=curation)
    begin = state or initial(sample or make_sample(questions=0), 0)
    limit = {"recursion_limit": 2 * 1 + 5}
    return [state async for state in graph.astream(begin, limit, stream_mode="values")]


async def test_the_first_questions_are_seeds_like_others() -> None:
    states = await play(Curator([question(), question(" Which plate is red? ", "The left one. ")]))
    heads = next(state["heads"] for state in states if state["heads"])
    assert [(head["qa"]["id"], head["qa"]["question"], head["complexity"], head["round"]) for head in heads] == [
        ("q1", "What is on the table?", None, 0),
        ("q2", "Which plate is red?", None, 0),
    ]
    seed = heads[0]["qa"]
    assert (seed["objects"], seed["skills"], seed["form"], seed["steps"]) == (["cup"], ["Calculating"], "open", [])
    assert (states[-1]["status"], len(states[-1]["history"])) == ("exhausted", 1)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("truncated", "truncated: no first questions: as the script says"),
        ([question(), question(answer="Cups.")], "check: no first questions: two of the questions are the same"),
        ([question(answer=" ")], "check: no first questions: question 1 or its answer is empty"),
        ([question("What is red according to the caption?")], "question 1 says 'according to the caption'"),
    ],
)
async def test_a_sample_whose_curation_fails_has_failed_and_can_be_taken_up_again(reply: Any, told: str) -> None:
    model = Curator(reply, [question()])
    failed = (await play(model))[-1]
    assert failed["status"] == "failed"
    assert told in failed["reason"]
    assert [span["status"] for span in failed["spans"]] == ["error"]
    final = (await play(model, state=reopened(failed, 1)))[-1]
    assert (final["status"], [ask.key.take for ask in model.asks if ask.key.agent == "curation"]) == (
        "exhausted",
        [0, 1],
    )


async def test_samples_with_questions_pay_no_step_and_those_without_a_caption_still_fail() -> None:
    states = await play(model := Curator("never"), make_sample())
    assert len(states) == 4  # as it came, route, agent, judge
    assert "curation" not in {ask.key.agent for ask in model.asks}
    assert (await play(model, make_sample(questions=0, caption=" ")))[-1]["reason"].startswith("no-questions: ")
