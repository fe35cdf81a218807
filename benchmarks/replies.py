"""The mock's replies: made once, so that answering costs no more than finding a request's question ids.

Every evolved question passes the screen and differs from its parent, its siblings and those of the round before. It
says how often it was evolved ("at detail level 2"); the judge's scores follow from that.
"""

import re
from functools import lru_cache
from typing import Any, Final

import orjson
from evolgraph.samples.vocabulary import FORMS

BOX: Final = (0.125, 0.25, 0.5, 0.75)
"""A box that all seeds of the benchmark have, so that it may be cited."""
LEVELS: Final = 7
"""How many rounds' scores can rise before the scale ends."""
PROMPT_TOKENS: Final = 1800
COMPLETION_TOKENS: Final = 420

_ID: Final = re.compile(rb'\\"id\\":\\"([^"\\]+)\\"')
_LEVEL: Final = re.compile(rb"At detail level (\d+),")
_MARK: Final = "@ID@"
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


def completion(body: bytes, number: int) -> bytes:
    """The chat completion that answers the request `body`; `number` makes its id."""
    image = body.find(b";base64,") + 8
    text = body[body.find(b'"', image) :]
    ids = dict.fromkeys(_ID.findall(text))
    level = max(map(int, _LEVEL.findall(text)), default=0)
    if b'"json_schema":{"name":"judge"' in text:
        rows = b",".join(name.join(_verdict(level)) for name in ids)
        return _around(number, b'{\\"verdicts\\":[' + rows + b"]}")
    rows = b",".join(name.join(_evolved(place, level + 1)) for place, name in enumerate(ids))
    return _around(number, b'{\\"evolved\\":[' + rows + b"]}")


def evolved(place: int, level: int) -> dict[str, Any]:
    """What the question at `place` among its sample's (from 0) is evolved to in its `level`-th round, without an id."""
    topic, answer = _TOPICS[(place + 4 * level) % len(_TOPICS)]
    box = ", ".join(f"{edge:.3f}" for edge in BOX)
    steps = [
        ("Grounding_1(region)->bbx_1", f"The region in question lies at [{box}] and is partly covered by a neighbour."),
        ("Referring_1(bbx_1)->tgt_1", "Looking closely, its outline, colour and texture stand apart from the rest."),
        (f"Calculate_1({level}+{place})->res_1", f"Counting both sides gives {level} + {place} = {level + place}."),
    ]
    return {
        "objects": ["region", f"part {place + 1}"],
        "skills": ["Grounding", "Referencing", "Calculating"],
        "form": _FORMS[(place + level) % len(_FORMS)],
        "question": f"At detail level {level}, {topic}, and how does the region at [{box}] help to tell?",
        "steps": [{"manipulation": manipulation, "description": description} for manipulation, description in steps],
        "answer": f"{answer}, as the marked region shows after {level} looks.",
        "proposed_boxes": [],
    }


def verdict(level: int) -> dict[str, Any]:
    """An accepting verdict on a question in its `level`-th round, without an id. Scores stay below 10."""
    after = min(level + 2, 9)
    flags = dict.fromkeys(("grounded", "correct", "answerable", "needs_image", "improved"), True)
    reason = "The evolved question asks for one more finding and its steps lead to the answer."
    return flags | {"score_before": after - 1, "score_after": after, "reason": reason}


@lru_cache(maxsize=256)
def _evolved(place: int, level: int) -> tuple[bytes, bytes]:
    return _halves({"id": _MARK} | evolved(place, level))


@lru_cache(maxsize=64)
def _verdict(level: int) -> tuple[bytes, bytes]:
    return _halves({"id": _MARK} | verdict(level))


def _halves(row: dict[str, Any]) -> tuple[bytes, bytes]:
    """`row` as JSON inside a JSON string, cut where its id stands: ids are found with the same escaping."""
    before, _, after = orjson.dumps(orjson.dumps(row).decode())[1:-1].partition(_MARK.encode())
    return before, after


def _around(number: int, content: bytes) -> bytes:
    return b'{"id":"mock-%d' % number + _HEAD + content + _TAIL


def _envelope() -> tuple[bytes, bytes]:
    message = {"role": "assistant", "content": _MARK}
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": usage}
    head, _, tail = orjson.dumps(body).partition(_MARK.encode())
    return b'",' + head[1:], tail


_HEAD, _TAIL = _envelope()
