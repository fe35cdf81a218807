"""The mock's replies: made once, so that answering costs no more than finding a request's question ids.

Every evolved question passes the screen and differs from its parent, its siblings and those of the round before. It
says how often it was evolved ("at detail level 2"); the judge's scores follow from that.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from typing import Any, Final

import orjson
from evolgraph.samples.vocabulary import FORMS

BOX: Final = (0.125, 0.25, 0.5, 0.75)
"""A box that all seeds of the benchmark begin with. Of other seeds too, the first box is cited."""
LEVELS: Final = 7
"""How many rounds' scores can rise before the scale ends."""
PROMPT_TOKENS: Final = 1800
COMPLETION_TOKENS: Final = 420

_ID: Final = re.compile(rb'\\"id\\":\\"([^"\\]+)\\"')
_BOX: Final = re.compile(rb'\\"bbox\\":\[([\d.]+),([\d.]+),([\d.]+),([\d.]+)\]')
_LEVEL: Final = re.compile(rb"At detail level (\d+),")
_MARK: Final = "@ID@"
_ALL: Final = repeat(True)
_FORMS: Final = tuple(form for form in FORMS if form != "multi_choice")
_TOPICS: Final = (
    ("which of the painted tiles along the lower edge carries a chipped corner", "The third tile from the left"),
    ("how many narrow stripes cross the largest banner behind the railing", "Seven stripes cross the banner"),
    ("what material was probably used for the handle beside the round window", "It looks like brushed metal"),
    ("where does the shadow of the tallest pole end on the gravel path", "Just before the wooden bench"),
    ("who among the seated figures is turned away from the speaker's stand", "Only the person in green"),
    ("why might the crates near the doorway have been stacked in pairs", "So that a trolley can lift two"),
    ("does the reflection in the puddle show more lamps than stand above it", "No, both show four lamps"),
    ("compare the two roofs and name the one whose slope is steeper", "The roof on the right is steeper"),
    ("when the bus leaves, which signboard becomes visible behind its rear wheel", "The bakery's yellow board"),
    ("read the smallest label on the instrument panel and give its unit", "It says pressure in kilopascal"),
    ("estimate how far the kite floats over the dunes in lengths of its tail", "About five tail lengths"),
    ("name every animal that touches the fence and say what it is doing", "A goat leans and a hen sleeps"),
)


def completion(
    body: bytes,
    number: int,
    improved: Iterator[bool] = _ALL,
    prompt_tokens: int = PROMPT_TOKENS,
    cached_tokens: int = 0,
) -> bytes:
    """The chat completion that answers the request `body`; `number` makes its id.

    `improved` tells of one judged pair after the other whether it is; the tokens are those of its usage.
    """
    text = _text(body)
    names = dict.fromkeys(_ID.findall(text))
    level = max(map(int, _LEVEL.findall(text)), default=0)
    found = _BOX.search(text)
    box = tuple(map(float, found.groups())) if found else BOX
    if b'"json_schema":{"name":"judge"' in text:
        rows = b",".join(name.join(_verdict(level, next(improved))) for name in names)
        content = b'{\\"verdicts\\":[' + rows + b"]}"
    else:
        rows = b",".join(name.join(_evolved(place, level + 1, box)) for place, name in enumerate(names))
        content = b'{\\"evolved\\":[' + rows + b"]}"
    return b'{"id":"mock-%d' % number + _HEAD + content + _TAIL % (
        prompt_tokens, COMPLETION_TOKENS, prompt_tokens + COMPLETION_TOKENS, cached_tokens
    )  # fmt: skip


def asked_about(body: bytes) -> set[bytes]:
    """The ids of the questions that stand in a request."""
    return set(_ID.findall(_text(body)))


def _text(body: bytes) -> bytes:
    """What follows the image in a request."""
    image = body.find(b";base64,") + 8
    return body[body.find(b'"', image) :]


def evolved(place: int, level: int, box: Iterable[float] = BOX) -> dict[str, Any]:
    """What the question at `place` among its sample's (from 0) is evolved to in its `level`-th round, without an id.

    It cites `box`.
    """
    topic, answer = _TOPICS[(place + 4 * level) % len(_TOPICS)]
    edges = ", ".join(f"{edge:.4f}" for edge in box)
    steps = [
        (
            "Grounding_1(region)->bbx_1",
            f"The region in question lies at [{edges}] and is partly covered by a neighbour.",
        ),
        ("Referring_1(bbx_1)->tgt_1", "Looking closely, its outline, colour and texture stand apart from the rest."),
        (f"Calculate_1({level}+{place})->res_1", f"Counting both sides gives {level} + {place} = {level + place}."),
    ]
    return {
        "objects": ["region", f"part {place + 1}"],
        "skills": ["Grounding", "Referencing", "Calculating"],
        "form": _FORMS[(place + level) % len(_FORMS)],
        "question": f"At detail level {level}, {topic}, and how does the region at [{edges}] help to tell?",
        "steps": [{"manipulation": manipulation, "description": description} for manipulation, description in steps],
        "answer": f"{answer}, as the marked region shows after {level} looks.",
        "proposed_boxes": [],
    }


def verdict(level: int, improved: bool) -> dict[str, Any]:
    """A verdict on a question in its `level`-th round, without an id, accepting if `improved`. Scores stay below 10."""
    after = min(level + 2, 9)
    flags = dict.fromkeys(("grounded", "correct", "answerable", "needs_image"), True) | {"improved": improved}
    reason = "The evolved question asks for one more finding and its steps lead to the answer."
    return flags | {"score_before": after - 1, "score_after": after, "reason": reason}


@lru_cache(maxsize=256)
def _evolved(place: int, level: int, box: tuple[float, ...]) -> tuple[bytes, bytes]:
    return _halves({"id": _MARK} | evolved(place, level, box))


@lru_cache(maxsize=64)
def _verdict(level: int, improved: bool) -> tuple[bytes, bytes]:
    return _halves({"id": _MARK} | verdict(level, improved))


def _halves(row: dict[str, Any]) -> tuple[bytes, bytes]:
    """`row` as JSON inside a JSON string, cut where its id stands: ids are found with the same escaping."""
    before, _, after = orjson.dumps(orjson.dumps(row).decode())[1:-1].partition(_MARK.encode())
    return before, after


def _envelope() -> tuple[bytes, bytes]:
    """A completion before and behind its content; four numbers of tokens are to be filled in behind."""
    message = {"role": "assistant", "content": _MARK}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"object": "chat.completion", "created": 0, "model": "mock", "choices": [choice]}
    head, _, tail = orjson.dumps(body).partition(_MARK.encode())
    usage = b',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d'
    return b'",' + head[1:], tail[:-1] + usage + b',"prompt_tokens_details":{"cached_tokens":%d}}}'


_HEAD, _TAIL = _envelope()
