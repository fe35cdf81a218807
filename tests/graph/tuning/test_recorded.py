"""The log of a real store: whole samples in the order of the seeds, however many pages they are read in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evolgraph.graph.tuning.log import LogError
from evolgraph.graph.tuning.recorded import recorded, some_images
from evolgraph.store.store import Store

FEATURES = {
    "round": 1, "complexity": None, "objects": 1.0, "boxes": 2, "has_caption": True, "skills": 1.0, "steps": 0.0,
    "forms": ["open"], "last_direction": None, "last_accepted": None, "questions": 1, "images": 1, "kind": "chart",
    "megapixels": 0.5,
}  # fmt: skip
ODDS = {"perception": 0.5, "reasoning": 0.5}
Rows = dict[str, list[dict[str, Any]]]


def rows_of(sample: str, position: int, rounds: int, changes: dict[str, Any] | None = None) -> Rows:
    """A settled sample whose round n has the reward n / 10; `changes` are to its decisions."""
    key = {"run": "r", "sample": sample}
    images = [{"path": f"{sample}.png", "sha256": f"{position:064}", "width": 4, "height": 3}]
    decision = {
        "direction": "reasoning", "propensity": 0.5, "probabilities": ODDS, "eligible": [*ODDS], "feature_set": "v1",
        "uniform": 0.6, "policy": "uniform", "policy_version": "1", "decided_ns": 1,
    }  # fmt: skip
    found: Rows = {
        "samples": [{"run": "r", "id": sample, "position": position, "digest": "", "images": images, "sample": {}}],
        "settled": [key | {"status": "exhausted", "rounds": rounds, "heads": [], "settled_ns": 1}],
        "decisions": [],
        "rewards": [],
        "verdicts": [],
    }
    for number in range(1, rounds + 1):
        place, seen = key | {"round": number}, FEATURES | {"round": number}
        found["decisions"].append(place | decision | {"features": seen} | (changes or {}))
        found["rewards"].append(place | {"reward": number / 10, "tokens": 7, "rewarded_ns": 1})
        ruled = {"direction": "reasoning", "stage": "judge", "score_before": 3, "score_after": 5}
        found["verdicts"] += [place | ruled | {"qa": f"q{one}", "accepted": one == 1} for one in (1, 2)]
    return found


async def write(path: Path, *samples: Rows) -> Path:
    async with Store.open(path) as store:
        await store.writer.insert({"runs": [{"id": "r", "created_ns": 1, "fingerprint": {}, "seed": 0}]})
        for rows in samples:
            await store.writer.insert(rows)
    return path


async def test_samples_of_all_pages_come_in_the_order_of_the_seeds(tmp_path: Path) -> None:
    places = (4001, 0, 1999, 2000, 9000)
    store = await write(tmp_path / "run.db", *(rows_of(f"s{place}", place, 1 + place % 2) for place in places))
    told: list[tuple[int, int]] = []
    record = recorded(store, lambda _, done, total: told.append((done, total)))
    assert [record.contexts(at)[0].sample for at in range(5)] == ["s0", "s1999", "s2000", "s4001", "s9000"]
    assert record.log.signals["reward"].tolist() == [[0.1, 0], [0.1, 0.2], [0.1, 0], [0.1, 0.2], [0.1, 0]]
    assert record.log.actions.tolist() == [[1, -1], [1, 1], [1, -1], [1, 1], [1, -1]]
    assert record.log.signals["gain"][1].tolist() == [1, 1]
    assert record.log.signals["offered"][1].tolist() == [2, 2]
    context = record.contexts(1)[1]
    assert (context.round, context.eligible, context.features) == (2, (*ODDS,), FEATURES | {"round": 2})
    assert told[4] == (9001, 9001)


async def test_a_sample_without_a_reward_is_left_out_and_of_two_takes_the_last_counts(tmp_path: Path) -> None:
    bare, twice = rows_of("bare", 0, 2), rows_of("twice", 1, 1)
    bare["rewards"][1]["reward"] = None
    again = {"run": "r", "sample": "twice", "round": 1, "take": 1, "reward": 0.7, "tokens": 9, "rewarded_ns": 2}
    twice["rewards"].append(again)
    twice["retries"] = [{"run": "r", "sample": "twice", "take": 1, "since_ns": 1}]
    twice["settled"].append(twice["settled"][0] | {"take": 1})
    record = recorded(await write(tmp_path / "run.db", bare, twice))
    assert (record.left_out, record.log.samples) == (1, 1)
    assert record.log.signals["reward"].tolist() == [[0.7]]
    assert record.log.signals["offered"].tolist() == [[0]], "the verdicts are those of the take before"


async def test_what_was_eligible_is_known_though_it_had_no_chance(tmp_path: Path) -> None:
    never = {"probabilities": {"perception": 0.0, "reasoning": 1.0}, "propensity": 1.0}
    alone = {"eligible": ["reasoning"], "probabilities": {"reasoning": 1.0}, "propensity": 1.0}
    samples = rows_of("a", 0, 1, never), rows_of("b", 1, 1, alone), rows_of("c", 2, 1)
    log = recorded(await write(tmp_path / "run.db", *samples)).log
    assert log.directions == ("perception", "reasoning")
    assert log.eligible[:, 0].tolist() == [[True, True], [False, True], [True, True]]
    assert log.logged[:, 0].tolist() == [[0, 1], [0, 1], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"features": {}}, r"run\.db, sample a, round 1: has features that are not of set v1: KeyError"),
        ({"feature_set": "v9"}, "has feature set v9, known is v1"),
    ],
)
async def test_features_that_are_not_known_are_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    store = await write(tmp_path / "run.db", rows_of("a", 0, 1, changes))
    with pytest.raises(LogError, match=complaint):
        recorded(store)


def test_some_images_are_whole_and_just_enough() -> None:
    clusters = np.repeat(np.arange(40), 5)
    rows = some_images(clusters, 52, seed=1)
    assert rows.sum() == 55
    assert set(np.bincount(clusters[rows], minlength=40)) == {0, 5}
    assert not (rows == some_images(clusters, 52, seed=2)).all()
    assert some_images(clusters, 200, seed=1).all()
