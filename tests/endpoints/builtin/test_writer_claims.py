"""Claims are written, read back from their own sentences, and told from false ones."""

import random

import numpy as np
import pytest
from evolgraph.endpoints.builtin.claims.grammar import Claim
from evolgraph.endpoints.builtin.claims.looks import Brighter, Coloured, Larger, Prevailing, Shaped, Share, Times
from evolgraph.endpoints.builtin.claims.numbers import (
    Averaged,
    Calculation,
    Counted,
    Exceeds,
    Extreme,
    Reads,
    Summed,
    Valued,
    evaluate,
)
from evolgraph.endpoints.builtin.claims.parsing import parse
from evolgraph.endpoints.builtin.claims.places import Apart, Beside, Located, Nearer, Ordered, Placed, Within
from evolgraph.endpoints.builtin.scene import Scene

RED, BLUE = (0.1, 0.1, 0.3, 0.3), (0.7, 0.6, 0.9, 0.95)
CHART = "A bar chart titled 'Rain, Harwick' shows rainfall in millimetres: January 82, February 64 and March 30."


@pytest.fixture(scope="module")
def scene() -> Scene:
    pixels = np.full((200, 300, 3), 235, np.uint8)
    pixels[20:60, 30:90] = (200, 20, 20)
    pixels[120:190, 210:270] = (20, 20, 200)
    boxes = [
        {"label": "ball", "bbox": list(RED), "image": 0},
        {"label": "box", "bbox": list(BLUE), "image": 0},
        {"label": "lid", "bbox": [0.72, 0.62, 0.8, 0.7], "image": 0},
    ]
    caption = f"{CHART} Three lamps hang above. A green door is closed."
    return Scene([pixels], {"images": [{"width": 300, "height": 200}], "caption": caption, "boxes": boxes})


TRUE_AND_FALSE: list[tuple[Claim, Claim]] = [
    (Located("ball", RED), Located("ball", (0.4, 0.1, 0.6, 0.3))),
    (Located("box", BLUE), Located("ball", BLUE)),
    (Coloured("ball", "red"), Coloured("ball", "green")),
    (Coloured("door", "green"), Coloured("door", "purple")),
    (Placed("ball", "upper left"), Placed("ball", "lower right")),
    (Placed("box", "right half"), Placed("box", "left half")),
    (Beside("ball", "to the left of", "box"), Beside("ball", "to the right of", "box")),
    (Beside("ball", "above", "box"), Beside("ball", "below", "box")),
    (Ordered("from left to right", ("the ball", "the box")), Ordered("from left to right", ("the box", "the ball"))),
    (Apart("ball", "box", 0.6, "width"), Apart("ball", "box", 0.4, "width")),
    (Nearer("lid", "ball", "box"), Nearer("ball", "lid", "box")),
    (Within("lid", "box"), Within("ball", "box")),
    (Larger("box", "ball"), Larger("ball", "box")),
    (Times("box", "ball", 1.8), Times("box", "ball", 3.5)),
    (Share("ball", 4), Share("ball", 30)),
    (Brighter("upper half", "lower half"), Brighter("lower half", "upper half")),
    (Prevailing("upper half", "white"), Prevailing("upper half", "blue")),
    (Shaped("wider than it is tall"), Shaped("taller than it is wide")),
    (Counted(3, "lamp"), Counted(5, "lamp")),
    (Valued("January", 82, "mm"), Valued("January", 64, "mm")),
    (Summed(("January", "March"), 112, "mm"), Summed(("January", "March"), 113, "mm")),
    (Averaged(("January", "March"), 56, "mm"), Averaged(("January", "March"), 65, "mm")),
    (Exceeds("January", "February", 18, "mm"), Exceeds("February", "January", 18, "mm")),
    (Extreme("March", "lowest value", ("January", "March")), Extreme("January", "lowest value", ("January", "March"))),
    (
        Extreme("the box", "largest box", ("the ball", "the box")),
        Extreme("the lid", "largest box", ("the lid", "the box")),
    ),
    (Calculation("82 - 64", 18), Calculation("82 - 64", 28)),
    (Reads("title", "Rain, Harwick"), Reads("title", "Snow, Harwick")),
]


@pytest.mark.parametrize(("true", "false"), TRUE_AND_FALSE, ids=lambda claim: type(claim).__name__)
def test_a_claim_survives_its_own_sentence_and_is_told_from_a_false_one(
    scene: Scene, true: Claim, false: Claim
) -> None:
    for claim, expected in ((true, True), (false, False)):
        assert claim.check(scene) is expected
        for seed in range(6):
            said = claim.say(random.Random(seed))
            read = [found.check(scene) for found in parse(said[0].upper() + said[1:] + ".")]
            assert read, said
            assert all(read) if expected else False in read, said


def test_claims_are_found_among_other_words(scene: Scene) -> None:
    text = (
        "So the ball at [0.100, 0.100, 0.300, 0.300] is red; the box at [0.700, 0.600, 0.900, 0.950] is blue. "
        "82 + 64 = 146, so the two months are wet. A pleasant picture. Nobody knows the weather."
    )
    verdicts = [claim.check(scene) for claim in parse(text)]
    assert verdicts.count(True) == len(verdicts) == 5


def test_an_invented_box_is_false_and_unknown_things_are_unknown(scene: Scene) -> None:
    assert [claim.check(scene) for claim in parse("The dog is at [0.400, 0.400, 0.500, 0.500].")] == [False]
    assert [claim.check(scene) for claim in parse("The dog is brown.")] == [None]
    assert parse("What a fine day it was for everyone") == []


@pytest.mark.parametrize("text", ["__import__('os')", "2 ** 9", "1 / 0", "len('a')", "1 +", "(" * 300, "9" * 201])
def test_only_plain_arithmetic_is_evaluated(text: str) -> None:
    assert evaluate(text) is None
