"""Runs whose policy learns or asks a model: what they remember, and what they pay."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evolgraph.endpoints.endpoint import Endpoint
from evolgraph.graph import evolve
from evolgraph.graph.learning import learn_again
from evolgraph.graph.policies.policy import LearningPolicy
from evolgraph.graph.policies.registry import load_policy
from evolgraph.store.check import examine
from evolgraph.store.store import Store

from .. import toy as toys
from ..toy import SETTINGS, query, seeds, toy


async def run(folder: Path, endpoint: Endpoint, **changes: Any) -> Any:
    """One start; gives the policy as it ended."""
    settings = SETTINGS.model_copy(update=changes)
    samples = seeds(folder)
    async with evolve(samples, store=folder / "run.db", images=folder, endpoints=[endpoint], settings=settings) as one:
        async for _ in one:
            pass
        return one.policy


async def fold(store: Path, spec: str) -> LearningPolicy:
    policy: Any = load_policy(spec)
    run_id = query(store, "SELECT id FROM runs")[0][0]
    async with Store.open(store) as opened:
        await learn_again(policy, opened, run_id)
    return policy


@pytest.mark.parametrize("spec", ["thompson", "coverage", "linear-thompson"])
async def test_a_learning_run_that_was_stopped_knows_what_it_had_learnt_and_pays_nothing_twice(
    tmp_path: Path, spec: str
) -> None:
    async with toy() as model:
        await run(tmp_path, model.endpoint, policy=spec, budget_calls=15)
        assert query(tmp_path / "run.db", "SELECT count(*) FROM settled")[0][0] < 6
        before = await fold(tmp_path / "run.db", spec)
        learnt: list[Any] = []
        first = [*model.asked]
        policy = await run(tmp_path, model.endpoint, policy=spec)
        learnt.append(policy.state())
        answered = Counter(model.asked)
    after = await fold(tmp_path / "run.db", spec)
    assert before.state() != after.state()
    assert flat(policy.state()) == pytest.approx(flat(after.state()))
    assert len(first) >= 10
    assert max(answered.values()) == 1
    assert query(tmp_path / "run.db", "SELECT count(*) FROM settled") == [(6,)]
    assert list(map(str, examine(tmp_path / "run.db"))) == []


def flat(value: Any) -> list[float]:
    """All numbers in a policy's state; names of features in the order of their meeting are left out."""
    if isinstance(value, dict):
        return [number for _, part in sorted(value.items()) for number in flat(part)]
    if isinstance(value, list):
        return sorted(number for part in value for number in flat(part))
    return [value] if isinstance(value, int | float) else []


async def test_a_missing_reward_teaches_nothing(tmp_path: Path) -> None:
    async with toy() as model:
        await run(tmp_path, model.endpoint, policy="thompson")
    known = query(tmp_path / "run.db", "SELECT count(*) FROM rewards WHERE reward IS NOT NULL")[0][0]
    policy: Any = await fold(tmp_path / "run.db", "thompson")
    assert sum(tally[0] for tally in policy.state().values()) == known > 0


async def test_a_sample_that_is_taken_up_again_keeps_its_decisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learning policy would choose anew by now; the log would then tell of rounds that never were."""
    decisions = "SELECT sample, round, direction, decided_ns FROM decisions ORDER BY 1, 2"
    async with toy() as model:
        with monkeypatch.context() as broken:
            broken.setattr(toys, "reply", lambda body: toys.completion("No JSON today.", body["seed"]))
            await run(tmp_path, model.endpoint, policy="ucb:floor=0.1", patience=2)
        decided = query(tmp_path / "run.db", decisions)
        assert query(tmp_path / "run.db", "SELECT count(*) FROM settled WHERE status = 'failed'") == [(6,)]
        await run(tmp_path, model.endpoint, policy="ucb:floor=0.1", patience=2, retry_failed="")
    assert len(decided) == 12
    assert set(decided) <= set(query(tmp_path / "run.db", decisions))
    ruled = query(tmp_path / "run.db", "SELECT sample, round, direction FROM verdicts WHERE take = 1 AND round < 3")
    assert {row[:3] for row in decided} == set(ruled)
    assert list(map(str, examine(tmp_path / "run.db"))) == []


async def test_a_model_chooses_and_is_asked_once_for_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = toys.reply

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        if body["response_format"]["json_schema"]["name"] != "route":
            return plain(body)
        asked.append(body["messages"][0]["content"])
        if len(asked) <= 2:  # the first ask and its repair
            return toys.completion('{"reason": "why not", "direction": "poetry"}', 1)
        return toys.completion('{"reason": "it pays", "direction": "reasoning"}', 1)

    monkeypatch.setattr(toys, "reply", reply)
    async with toy() as model:
        await run(tmp_path, model.endpoint, policy="model:floor=0.1", concurrency=1)
    rows = query(tmp_path / "run.db", "SELECT probabilities, propensity FROM decisions ORDER BY decided_ns")
    assert rows[0][1] == pytest.approx(1 / 3)
    assert {round(propensity, 6) for _, propensity in rows[1:]} == {0.8, 0.1}
    assert all(json.loads(probabilities)["reasoning"] > 0.79 for probabilities, _ in rows[1:])
    calls = query(tmp_path / "run.db", "SELECT count(*) FROM calls WHERE agent = 'route'")[0][0]
    assert calls == len(asked) == len(rows) + 1
    assert list(map(str, examine(tmp_path / "run.db"))) == []
