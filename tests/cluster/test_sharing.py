"""What the workers of one run share: limits, samples, a budget and what a policy has learned."""

import asyncio
import random
from collections import Counter

import pytest
from evolgraph.cluster.deal import Deal, name_of
from evolgraph.cluster.owners import Owners
from evolgraph.cluster.plan import Load, Share
from evolgraph.cluster.purse import Purse, SharedGate, budgets
from evolgraph.cluster.shared_policy import SharedPolicy, merged_state
from evolgraph.cluster.shares import Shares, divided
from evolgraph.endpoints.gate import Stopped
from evolgraph.endpoints.stats import Stats
from evolgraph.graph import Settings
from evolgraph.graph.policies.policy import Decision
from evolgraph.graph.policies.registry import load_policy
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import make_sample

URL = "http://127.0.0.1:1/v1"


@given(st.integers(0, 200), st.lists(st.integers(-1, 100), min_size=1, max_size=9))
def test_a_limit_is_divided_wholly_and_fairly(limit: int, wanted: list[int]) -> None:
    parts = divided(limit, wanted)
    taking = [one for one, number in enumerate(wanted) if number >= 0]
    assert sum(parts) == (limit if taking else 0)
    assert all(parts[one] == 0 for one in range(len(wanted)) if one not in taking)
    for one in taking:
        assert parts[one] >= min(wanted[one], limit // len(taking))


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_shares_together_never_exceed_the_limit(rng: random.Random) -> None:
    """Workers fill the share that they last heard of, reports and answers cross, and requests end when they like."""
    limit, workers = rng.randint(1, 20), rng.randint(1, 5)
    shares = Shares({URL: limit}, workers)
    heard, flying = [0] * workers, [0] * workers
    on_the_way: dict[int, Share] = {}
    for _ in range(80):
        worker = rng.randrange(workers)
        match rng.randrange(4):
            case 0 if worker not in on_the_way:
                load = Load(flying[worker], flying[worker] + rng.choice([0, 1, 30]))
                on_the_way[worker] = shares.told(worker, {URL: load}, 0.0)[URL]
            case 1 if worker in on_the_way:
                heard[worker] = on_the_way.pop(worker).part
            case 2:
                flying[worker] = max(flying[worker], heard[worker])
            case _:
                flying[worker] = rng.randint(0, flying[worker])
        assert sum(flying) <= limit


def test_a_busy_worker_gets_what_an_idle_one_does_not_use() -> None:
    shares = Shares({URL: 12}, 2)
    first, second = (shares.told(worker, {}, 0.0)[URL].part for worker in (0, 1))
    for _ in range(3):
        loads = Load(0, 1), Load(second, 40)
        first, second = (shares.told(worker, {URL: load}, 0.0)[URL].part for worker, load in enumerate(loads))
    assert first + second == 12
    assert second == 11
    shares.leave(1)
    assert shares.told(0, {URL: Load()}, 0.0)[URL] == Share(12, 12)


def deal(count: int, workers: int, owners: dict[str, int] | None = None) -> Deal:
    made = Deal(workers, owners or {})
    for number in range(count):
        made.put(number, make_sample(f"s{number}", questions=number % 3))
    return made


def names(rows: list) -> list[str]:
    return [name_of(row) for _, row in rows]


def test_samples_go_by_their_ids_and_each_to_one_worker() -> None:
    forwards, backwards = deal(60, 3), Deal(3, {})
    for number in reversed(range(60)):
        backwards.put(number, make_sample(f"s{number}", questions=number % 3))
    shares = [{*names(forwards.take(worker, 60, others=False))} for worker in range(3)]
    assert shares == [{*names(backwards.take(worker, 60, others=False))} for worker in range(3)]
    assert sum(map(len, shares)) == len(set().union(*shares)) == 60
    assert min(map(len, shares)) > 10


def test_a_worker_with_nothing_left_takes_from_the_one_with_most() -> None:
    made = deal(40, 2)
    own = names(made.take(0, 40, others=True))
    made.settled(0, own)
    moved = names(made.take(0, 40, others=True))
    rest = names(made.take(1, 40, others=True))
    assert len(moved) == -(-(40 - len(own)) // 2)
    assert Counter([*own, *moved, *rest]) == Counter(f"s{number}" for number in range(40))
    assert made.take(0, 40, others=True) == []


def test_what_is_owned_is_never_moved_and_comes_again_after_a_death() -> None:
    made = deal(10, 2, owners={f"s{number}": 1 for number in range(10)})
    assert made.take(0, 10, others=True) == []
    held = names(made.take(1, 6, others=True))
    made.settled(1, held[:2])
    made.again(1)
    assert names(made.take(1, 20, others=True)) == [*held[2:], *(f"s{number}" for number in range(6, 10))]


def test_owners_are_kept(tmp_path) -> None:
    owners = Owners(tmp_path / "owners.db")
    assert owners.claim("first", 2) == ("first", 2)
    owners.record(0, ["a", "b"])
    owners.record(1, ["b", "c"])
    again = Owners(tmp_path / "owners.db")
    assert again.claim("second", 1) == ("first", 2)
    assert again.all() == {"a": 0, "b": 0, "c": 1}
    assert again.claim("second", 4) == ("first", 4)


async def test_workers_together_spend_no_more_than_the_budget() -> None:
    wanted = Settings(budget_calls=100)
    purse = Purse(wanted, 2)

    async def ask(name: str) -> int:
        await asyncio.sleep(0)
        return purse.grant(name)

    async def never(url: str) -> float:
        raise AssertionError("nothing is down")

    async def spend(gate: SharedGate, stats: Stats) -> None:
        while True:
            await gate.enter(stats)
            stats.sent += 1
            await asyncio.sleep(0)

    counts = [Stats(), Stats()]
    gates = [SharedGate(budgets(wanted), ask, never) for _ in counts]
    pairs = [*zip(gates, counts, strict=True)] * 3
    ended = await asyncio.gather(*(spend(*pair) for pair in pairs), return_exceptions=True)
    assert all(isinstance(error, Stopped) for error in ended)
    assert sum(one.sent for one in counts) == 100
    assert purse.spent == gates[0].reason == "budget of 100 calls is spent"


def decision(direction: str) -> Decision:
    return Decision("s", 1, direction, 0.5, {}, ["a", "b"], {}, "v1", 0.5, "p", "1", 0)


@pytest.mark.parametrize("spec", ["thompson", "ucb", "epsilon-greedy"])
async def test_workers_learn_from_each_other_as_if_they_were_one(spec: str) -> None:
    alone = load_policy(spec)
    workers = [SharedPolicy(spec) for _ in range(3)]
    for number in range(30):
        told = decision("ab"[number % 2]), number / 30 - 0.2
        alone.learn(*told)
        workers[number % 3].learn(*told)
    for _ in range(2):  # hearing the same again changes nothing
        for worker in workers:
            worker.hear(merged_state(spec, [other.state() for other in workers if other is not worker]))
    assert {worker._all.state() == alone.state() for worker in workers} == {True}  # type: ignore[attr-defined]
