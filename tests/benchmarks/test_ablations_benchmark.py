"""The ablations scenario at a small size: its rows tell the variants apart, and its table has a line for each."""

import pytest
from evolgraph.benchmarks.ablations import Plan, ablations, shown

pytestmark = pytest.mark.slow


def test_every_variant_has_a_row_of_the_same_seeds() -> None:
    variants = ("all parts", "without elimination", "without screen and evidence")
    found = ablations(Plan(samples=8, rounds=1, plants=("all:0.9",), variants=variants))
    rows = found["rows"]
    assert tuple(rows) == variants
    full, kept = rows["all parts"], rows["without elimination"]
    assert full["pairs"] == kept["pairs"] and full["planted"] == kept["planted"] > 0
    assert full["recall"] > kept["recall"], "what only the judge sees is kept"
    assert full["spoiled_of_accepted"] < kept["spoiled_of_accepted"]
    assert full["accepted"] < kept["accepted"]
    assert full["calls_per_accepted"] > kept["calls_per_accepted"]
    assert [line.split(" | ")[0] for line in shown(found).splitlines()[4:]] == [f"| {name}" for name in variants]
