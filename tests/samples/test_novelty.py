"""Near duplicates across samples: which of them stays does not depend on the order."""

import random

import pytest
from evolgraph.samples.novelty import Place, duplicates
from evolgraph.samples.sample import QA

from ..conftest import make_qa

LONG = "How many red cups stand to the left of the large plate on the wooden table by the window?"
NEAR = LONG.replace("the wooden", "that wooden")
FURTHER = NEAR.replace("by the", "near the")


def asked(sample: str, question: str, answer: str = "Two.", number: int = 0) -> tuple[Place, QA]:
    return Place(sample, f"q{number}", 0), make_qa(number, question=question, answer=answer)


@pytest.mark.parametrize(
    ("question", "answer", "again"),
    [
        (LONG, "Two.", True),
        (LONG.upper(), "There are two of them, as can be counted.", True),
        (NEAR, "two", True),
        (NEAR, "Three.", False),
        (LONG.replace("cups", "forks").replace("plate", "bowl"), "Two.", False),
        ("How many cups are there?", "Two.", False),
    ],
)
def test_what_is_asked_and_answered_nearly_alike_is_a_duplicate(question: str, answer: str, again: bool) -> None:
    found = duplicates([asked("b", question, answer), asked("a", LONG)])
    assert found == ({Place("b", "q0", 0): Place("a", "q0", 0)} if again else {})


def test_a_sample_is_not_compared_with_itself() -> None:
    assert not duplicates([asked("a", LONG, number=0), asked("a", LONG, number=1)])


def test_of_a_chain_the_ends_stay() -> None:
    """The third is a near copy of the second alone, which is not in the set any more."""
    found = duplicates([asked("a", LONG), asked("b", NEAR), asked("c", FURTHER)])
    assert [place.sample for place in found] == ["b"]


def test_the_order_does_not_matter_and_the_smallest_id_stays() -> None:
    rng = random.Random(3)
    words = LONG.rstrip("?").split()
    questions = []
    for number in range(300):
        changed = list(words)
        for place in rng.sample(range(len(words)), number % 3):
            changed[place] = rng.choice(["green", "small", "metal"])
        questions.append(asked(f"s{number % 40:03}", " ".join(changed), number=number))
    expected = duplicates(questions)
    assert len(expected) > 100
    for _ in range(5):
        rng.shuffle(questions)
        assert duplicates(questions) == expected
    assert all(kept < place and kept not in expected for place, kept in expected.items())


def test_none_of_many_is_missed() -> None:
    rng = random.Random(5)
    vocabulary = [f"word{number}" for number in range(400)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randint(3, 40))) for _ in range(1000)]
    found = duplicates([asked("a", text, number=n) for n, text in enumerate(texts)]
                       + [asked("b", f"{text}?", number=n) for n, text in enumerate(texts)])  # fmt: skip
    assert len(found) == len(texts)
