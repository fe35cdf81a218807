from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from evolgraph.graph.policies.cycle import Cycle
from evolgraph.graph.policies.fixed import Fixed
from evolgraph.graph.policies.policy import Context, Decision, PolicyError, checked, draw, uniform_number
from evolgraph.graph.policies.registry import load_policy
from evolgraph.graph.policies.uniform import Uniform
from hypothesis import given
from hypothesis import strategies as st

from ..conftest import make_sample
from .conftest import Rules, play

NAMES = ("perception", "reasoning", "interaction")
FEATURES = {
    "round", "complexity", "objects", "boxes", "has_caption", "skills", "steps", "forms", "last_direction",
    "last_accepted", "questions", "images", "kind", "megapixels",
}  # fmt: skip


def context(number: int = 1, eligible: tuple[str, ...] = NAMES) -> Context:
    return Context("s", number, eligible, {}, "v1")


async def test_uniform_gives_every_eligible_direction_the_same() -> None:
    assert await Uniform().propose(context()) == pytest.approx(dict.fromkeys(NAMES, 1 / 3))
    assert await Uniform().propose(context(eligible=("reasoning",))) == {"reasoning": 1}


async def test_cycle_takes_the_eligible_directions_in_turn() -> None:
    turns = [await Cycle().propose(context(number)) for number in (1, 2, 3, 4)]
    assert [max(turn, key=lambda name: turn[name]) for turn in turns] == [*NAMES, "perception"]
    assert (await Cycle().propose(context(2, ("reasoning", "interaction"))))["interaction"] == 1


async def test_fixed_scales_the_weights_of_what_is_eligible() -> None:
    policy = Fixed({"perception": 2, "reasoning": 1, "interaction": 1})
    assert await policy.propose(context()) == {"perception": 0.5, "reasoning": 0.25, "interaction": 0.25}
    assert await policy.propose(context(eligible=("reasoning", "interaction"))) == {
        "reasoning": 0.5,
        "interaction": 0.5,
    }
    assert await Fixed({"reasoning": 3}).propose(context()) == {"perception": 0, "reasoning": 1, "interaction": 0}
    with pytest.raises(PolicyError, match="no weight for any of perception"):
        await Fixed({"reasoning": 3}).propose(context(eligible=("perception",)))


@pytest.mark.parametrize(
    "weights", [{}, {"reasoning": -1, "perception": 2}, {"reasoning": 0}, {"reasoning": float("nan")}]
)
def test_weights_that_are_no_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(PolicyError, match="weights must be finite, >= 0 and not all zero"):
        Fixed(weights)


def test_a_policys_version_tells_its_weights_apart() -> None:
    assert (
        load_policy("fixed:reasoning=1,perception=2").version == load_policy("fixed:perception=2,reasoning=1").version
    )
    assert load_policy("fixed:reasoning=1").version != load_policy("fixed:reasoning=2,perception=1").version


@pytest.mark.parametrize("spec", ["uniform", "cycle", "fixed:perception=0.5,reasoning=0.25,interaction=0.25"])
def test_a_policy_is_loaded_by_its_name(spec: str) -> None:
    assert load_policy(spec).name == spec.partition(":")[0]


def test_a_policy_is_loaded_from_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "mmevol.toml"
    path.write_text('policy = "fixed"\n[weights]\nperception = 0.5\nreasoning = 0.25\ninteraction = 0.25\n')
    assert load_policy(str(path)).version == load_policy("fixed:perception=.5,reasoning=.25,interaction=.25").version


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("unifrom", "no policy is called 'unifrom' (did you mean uniform?)"),
        ("best", "no policy is called 'best' (known: uniform, fixed, cycle, "),
        ("fixed", "fixed: cannot be built from its name alone (for example fixed:"),
        ("fixed:reasoning=much", "cannot read the numbers 'reasoning=much' (write name=number"),
        ("fixed:reasoning", "cannot read the numbers 'reasoning'"),
        ("uniform:reasoning=1", "uniform: cannot be built from {'reasoning': 1.0} (it takes no settings)"),
        ("ucb:speed=1", "ucb: cannot be built from {'speed': 1.0} (it takes width, floor)"),
        ("absent.toml", "absent.toml: no such policy file"),
    ],
)
def test_a_policy_that_cannot_be_loaded_is_refused_in_one_line(spec: str, complaint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(spec)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('weights = {reasoning = 1}', 'names no policy (add policy = "NAME")'),
        ('policy = "unifrom"', "did you mean uniform?"),
        ('policy = ', "cannot read the policy file"),
        ('policy = "cycle"\nspeed = 2', "cycle: cannot be built from {'speed': 2}"),
        ('policy = "fixed"\nweights = 3', "fixed"),
        ('policy = "fixed"\n[weights]\nreasoning = "much"', "fixed"),
        ('policy = 3', "policy"),
    ],
)  # fmt: skip
def test_a_policy_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(content)
    with pytest.raises(PolicyError) as caught:
        load_policy(str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "vector",
    [{}, {"reasoning": 0.5}, {"reasoning": 1.5, "perception": -0.5}, {"reasoning": 0.5, "poetry": 0.5},
     {"reasoning": float("nan")}, {"reasoning": 1, "perception": 1}],
)  # fmt: skip
def test_what_is_no_probability_vector_is_refused(vector: Mapping[str, float]) -> None:
    with pytest.raises(PolicyError, match="no probability vector over perception, reasoning, interaction"):
        checked(vector, NAMES, "mine")


VECTORS = st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any)


@given(VECTORS, st.floats(0, 1, exclude_max=True))
def test_a_draw_takes_the_direction_whose_interval_holds_the_number(weights: list[int], uniform: float) -> None:
    vector = {str(place): weight / sum(weights) for place, weight in enumerate(weights)}
    drawn = draw(vector, uniform)
    below = sum(vector[name] for name in list(vector)[: int(drawn)])
    assert vector[drawn] > 0
    assert below - 1e-9 <= uniform <= below + vector[drawn] + 1e-9


def test_the_number_of_a_draw_depends_on_run_seed_sample_and_round() -> None:
    keys = [(seed, name, number) for seed in (0, 1) for name in ("a", "b", "a1") for number in (1, 11)]
    numbers = [uniform_number(*key) for key in keys]
    assert len(set(numbers)) == len(keys)
    assert numbers == [uniform_number(*key) for key in keys]
    many = [uniform_number(0, str(sample), 1) for sample in range(2000)]
    assert all(0 <= number < 1 for number in many)
    assert sum(many) / 2000 == pytest.approx(0.5, abs=0.03)


async def test_every_decision_is_logged_with_all_that_it_was_drawn_from() -> None:
    weights = {"perception": 2.0, "reasoning": 1.0, "interaction": 1.0}
    played = await play(rounds=4, policy=Fixed(weights), seed=5)
    assert [row["round"] for row in played.decisions] == [1, 2, 3, 4]
    for row in played.decisions:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["probabilities"] == {"perception": 0.5, "reasoning": 0.25, "interaction": 0.25}
        assert row["propensity"] == row["probabilities"][row["direction"]]
        assert row["direction"] == draw(row["probabilities"], row["uniform"])
        assert row["uniform"] == uniform_number(5, "table", row["round"])
        assert row["eligible"] == list(NAMES)
        assert (row["policy"], row["policy_version"]) == ("fixed", Fixed(weights).version)
        assert (row["feature_set"], set(row["features"])) == ("v1", FEATURES)
    assert [row["direction"] for row in played.decisions] == [past["direction"] for past in played.final["history"]]


async def test_the_features_tell_how_the_sample_stands() -> None:
    played = await play(Rules(judge=lambda pair, ask: {"correct": pair["id"] == "q0"}), rounds=2)
    first, second = (row["features"] for row in played.decisions)
    assert (first["round"], first["complexity"], first["last_direction"], first["last_accepted"]) == (
        1,
        None,
        None,
        None,
    )
    assert (first["boxes"], first["questions"], first["has_caption"], first["kind"]) == (3, 2, True, "kitchen")
    assert (first["images"], first["megapixels"], first["objects"]) == (1, 0.307, 1)
    assert (second["round"], second["last_direction"], second["last_accepted"]) == (2, "perception", 0.5)
    assert second["complexity"] == (4 + 3) / 2
    assert second["steps"] == 0.5


async def test_directions_are_drawn_again_alike_for_the_same_seed_only() -> None:
    async def routes(seed: int) -> list[list[str]]:
        samples = [make_sample(f"s{number}") for number in range(4)]
        played = [await play(sample=sample, policy=Uniform(), rounds=4, seed=seed) for sample in samples]
        return [[row["direction"] for row in one.decisions] for one in played]

    assert await routes(1) == await routes(1) != await routes(2)


class Recorder(Uniform):
    """A policy that keeps what it is taught."""

    def __init__(self) -> None:
        self.learned: list[tuple[Decision, float]] = []

    def learn(self, decision: Decision, reward: float) -> None:
        self.learned.append((decision, reward))


async def test_a_policy_learns_the_whole_decision_with_its_reward() -> None:
    policy = Recorder()
    played = await play(rounds=2, policy=policy)
    assert [decision.row() for decision, _ in policy.learned] == played.decisions
    assert [reward for _, reward in policy.learned] == pytest.approx([1 / 9, 1 / 9])


class Broken(Uniform):
    """A policy that proposes what cannot be."""

    async def propose(self, context: Context) -> Mapping[str, Any]:
        return {"reasoning": 2.0}


async def test_a_policy_that_proposes_nonsense_stops_with_a_named_error() -> None:
    with pytest.raises(PolicyError, match="no probability vector"):
        await play(policy=Broken())
