"""The paper's preset and the blind check, run against the embedded model over HTTP."""

from pathlib import Path

import orjson
from evolgraph.graph import Settings, evolve
from evolgraph.graph.settings import PRESETS
from evolgraph.store.check import examine
from evolgraph.store.connections import reading

from ..conftest import SEEDS


async def run(store: Path, settings: Settings) -> None:
    async with evolve(SEEDS, store=store, settings=settings) as going:
        async for outcome in going:
            assert outcome.status == "exhausted"
            assert outcome.complexity_after is not None
    assert list(examine(store)) == []


async def test_the_papers_judge_sees_only_texts_and_rejected_questions_leave(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    await run(store, Settings(rounds=3, limit=4, **PRESETS["paper"]))
    with reading(store) as db:
        sent = [orjson.loads(row[0]) for row in db.execute("SELECT messages FROM calls WHERE agent = 'judge'")]
        flags = set(db.execute("SELECT grounded, correct, needs_image, score_before FROM verdicts"))
        heads = {
            sample: {head["qa"] for head in orjson.loads(text)}
            for sample, text in db.execute("SELECT sample, heads FROM settled")
        }
        last = db.execute("SELECT sample, qa, accepted FROM verdicts WHERE round = 3").fetchall()
    assert sent and not any(isinstance(part, dict) for turns in sent for _, parts in turns for part in parts)
    assert flags == {(None, None, None, None)}
    for sample, ids in heads.items():
        passed = {qa for name, qa, accepted in last if name == sample and accepted}
        assert ids == (passed or {qa for name, qa, _ in last if name == sample})


async def test_a_blind_answer_turns_an_accepted_pair_down(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    await run(store, Settings(rounds=1, limit=4, blind=2))
    with reading(store) as db:
        calls = dict(db.execute("SELECT agent, count(*) FROM calls WHERE agent LIKE 'blind%' GROUP BY agent"))
        spans = db.execute("SELECT count(*) FROM spans WHERE name = 'blind'").fetchone()[0]
        refused = db.execute("SELECT count(*) FROM verdicts WHERE code = 'blind'").fetchone()[0]
    # The embedded model's sound questions do not give their answers away.
    assert calls == {"blind": 4, "blind-2": 4} and spans == 4 and refused == 0
