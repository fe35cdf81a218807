"""Word changes and cited places, whatever the texts."""

import pytest
from evolgraph.viewer.wording import Places, duration, model_words, short, word_changes
from hypothesis import given, settings
from hypothesis import strategies as st

texts = st.lists(st.sampled_from(["the", "cup", "is", "red", ".", " ", "\n", "plate", "["]), max_size=30).map(" ".join)


@settings(max_examples=50)
@given(texts, texts)
def test_both_texts_can_be_read_from_the_changes(old: str, new: str) -> None:
    changes = word_changes(old, new)
    assert "".join(text for sign, text in changes if sign != "+") == old
    assert "".join(text for sign, text in changes if sign != "-") == new


def test_only_what_differs_is_marked() -> None:
    assert word_changes("What colour is the cup?", "What colour is the left cup?") == [
        ("=", "What colour is the "),
        ("+", "left "),
        ("=", "cup?"),
    ]


def test_texts_with_little_in_common_take_each_others_place() -> None:
    old, new = "Is it red?", "How many plates stand to the left of the tallest blue cup?"
    assert word_changes(old, new) == [("-", old), ("+", new)]


def test_a_box_and_a_new_place_are_told_apart() -> None:
    places = Places([{"label": "cup", "bbox": (0.1, 0.2, 0.3, 0.6), "image": 0, "origin": "given"}])
    text = "The cup at [0.1, 0.2, 0.304, 0.6] and [0.5,0.5,.75,0.9], not [1, 2, 3, 4] or [0.5, 0.5, 0.4, 0.6]."
    pieces = places.marked(text)
    assert "".join(piece for piece, _ in pieces) == text
    assert [key for _, key in pieces if key] == ["b0", "c1"]
    assert [key for _, key in places.marked("Again [0.5, 0.5, 0.75, 0.9]") if key] == ["c1"]
    assert len(places.boxes) == 2


@pytest.mark.parametrize(("number", "told"), [(None, "-"), (950, "950"), (12_340, "12.3k"), (4_500_000, "4.5M")])
def test_counts_are_short(number: float | None, told: str) -> None:
    assert short(number) == told


@pytest.mark.parametrize(("ms", "told"), [(2.34, "2.3 ms"), (250, "250 ms"), (61_000, "1.0 min"), (7_200_000, "2.0 h")])
def test_times_are_short(ms: float, told: str) -> None:
    assert duration(ms) == told


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "evolver: builtin {'temperature': 0.7, 'max_tokens': 4096}",
            "evolver: builtin, temperature 0.7, max_tokens 4096",
        ),
        ("judge: builtin {}", "judge: builtin"),
        ("judge: odd {name", "judge: odd {name"),
        ("judge", "judge"),
    ],
)
def test_a_model_is_told_in_words(told: str, expected: str) -> None:
    assert model_words(told) == expected
