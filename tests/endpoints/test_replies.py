"""What models write around, and into, the JSON they were asked for: what is read and what is not."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from evolgraph.agents.replies import JudgeReply
from evolgraph.endpoints.replies import Parsed, parse, without_thinking

from .conftest import GOOD, Verdict

OTHER = '{"id": "q0", "score": 3}'
PRETTY = json.dumps(json.loads(GOOD), indent=2)
SCHEMA = json.dumps(Verdict.model_json_schema())


def read(text: str) -> Parsed[Verdict]:
    return parse(text, Verdict, None)


READ = {
    "bare": GOOD,
    "blanks around it": f"\n\n  {GOOD}\n",
    "a fence": f"```json\n{PRETTY}\n```",
    "a fence without a language": f"```\n{GOOD}\n```",
    "a fence in capitals": f"```JSON\n{GOOD}\n```",
    "a fence on one line": f"```json {GOOD} ```",
    "a fence that is not closed": f"```json\n{GOOD}",
    "prose before a fence": f"Sure! Here it is:\n\n```json\n{PRETTY}\n```\n\nLet me know if {{you}} need more.",
    "two fences, the first no JSON": f"```python\nprint({{}})\n```\n```json\n{GOOD}\n```",
    "a draft and a corrected reply": f"```json\n{OTHER}\n```\nOn reflection:\n```json\n{GOOD}\n```",
    "a draft that does not fit": f'{{"id": "q1"}}\nWith the score:\n{GOOD}',
    "a last object that does not fit": f'{GOOD}\nwhere a score is {{"from": 1, "to": 10}}',
    "the schema repeated first": f"The schema is\n{SCHEMA}\nand so:\n{GOOD}",
    "prose with braces before": f"The set {{a, b}} and {{ c }} matter. {GOOD}",
    "prose with braces after": f"{GOOD}\nHere {{score}} is from 1 to 10 }}",
    "a fence inside a value": f"Here:\n{GOOD.replace('q1', 'a ``` b')}\nDone.",
    "braces inside a value": f"Here: {GOOD.replace('q1', 'a } b {')} Done.",
    "the end of a template": f"{GOOD}<|im_end|>",
    "a box of GLM's": f"<|begin_of_box|>{GOOD}<|end_of_box|>",
    "thinking": f"<think>\nIs {OTHER} right? No.\n</think>\n\n{GOOD}",
    "thinking before a fence": f"<think>hm</think>\n```json\n{GOOD}\n```",
    "thinking opened by the template": f"Is {OTHER} right? No.</think>{GOOD}",
    "thinking twice": f"<think>a</think>\n<think>{OTHER}</think>{GOOD}",
    "thinking, and its tag in a value": f"<think>hm</think>{GOOD.replace('q1', '</think>')}",
    "Kimi's thinking": f"◁think▷hm {OTHER}◁/think▷{GOOD}",
    "Magistral's thinking": f"[THINK]hm {OTHER}[/THINK]{GOOD}",
    "a comma too many": '{"id": "q1", "score": 7, "weight": 0.5,}',
    "a comma too many, in a fence": '```json\n{\n  "id": "q1",\n  "score": 7,\n  "weight": 0.5,\n}\n``` {x}',
    "a line break inside a string": '{"id": "q1\n", "score": 7, "weight": 0.5}',
}


@pytest.mark.parametrize("name", READ)
def test_what_stands_around_the_object_is_tolerated(name: str) -> None:
    parsed = read(READ[name])
    assert (parsed.kind, parsed.detail) == ("ok", "")
    assert parsed.value and (parsed.value.score, parsed.value.weight) == (7, 0.5)


def test_a_long_string_is_mended_in_little_memory() -> None:
    reply = f'{{"id": "{"x" * 400_000}", "score": 7, "weight": 0.5,}}'
    tracemalloc.start()
    try:
        assert read(reply).kind == "ok"
        assert tracemalloc.get_traced_memory()[1] < 20 * len(reply)
    finally:
        tracemalloc.stop()


def test_a_comma_in_a_string_stays() -> None:
    parsed = read('{"id": "a,] b,}", "score": 7,}')
    assert parsed.value == Verdict(id="a,] b,}", score=7)


NOT_READ = {
    "not-json: smart quotes": "{\u201cid\u201d: \u201cq1\u201d, \u201cscore\u201d: 7}",
    "not-json: single quotes": "{'id': 'q1', 'score': 7}",
    "not-json: no quotes": "{id: q1, score: 7}",
    "not-json: cut": GOOD[:-1],
    "not-json: cut in a fence": f"Here:\n```json\n{GOOD[:-3]}",
    "not-json: cut behind a comma": '{"id": "q1", "score": 7,',
    "not-json: an object inside a cut one": f'{{"verdicts": [{GOOD}, ',
    "not-json: an object inside a broken one": f'{{"old": 1 2, "new": {GOOD}}}',
    "not-json: thinking alone": f"<think>{GOOD}",
    "not-json: two replies glued together": '{"id": "q1", {"score": 7}}',
    "not-json: prose with braces": "The {answer} is seven.",
    "schema: a list around it": f"[{GOOD}]",
    "schema: an object inside another": f'{{"verdict": {GOOD}}}',
    "schema: in a fence": '```json\n{"id": "q1", "score": 11}\n```',
    "schema: NaN in a fence": '```json\n{"id": "q1", "score": 7, "weight": NaN}\n```',
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_would_have_to_be_guessed_is_not_read(name: str) -> None:
    parsed = read(NOT_READ[name])
    assert parsed.value is None
    assert parsed.kind == name.partition(":")[0]
    assert parsed.detail


def test_a_list_that_was_cut_is_not_taken_for_a_shorter_one() -> None:
    flags = dict.fromkeys(("grounded", "correct", "answerable", "needs_image", "improved"), True)
    verdict: dict[str, Any] = flags | {"id": "q1", "score_before": 2, "score_after": 5, "reason": "more steps"}
    text = json.dumps({"verdicts": [verdict, verdict | {"id": "q2"}]})
    for end in range(1, len(text)):
        assert parse(f"Here it is: {text[:end]}", JudgeReply, None).kind == "not-json"
    assert parse(f"Here it is: {text}", JudgeReply, None).kind == "ok"


def test_the_error_is_that_of_the_object_and_not_of_the_prose() -> None:
    assert "score" in read(f"Sure! {GOOD.replace('7', '70')}").detail
    assert "EOF" in read(f"Sure! {GOOD[:-1]}").detail


def test_of_several_objects_the_one_that_passes_the_check_is_taken() -> None:
    parsed = parse(f"{GOOD} {OTHER}", Verdict, lambda verdict: None if verdict.id == "q1" else "not asked for")
    assert parsed.value and parsed.value.id == "q1"


@pytest.mark.parametrize(
    ("text", "left"),
    [("<think>a", ""), ("<think>a</think>b", "b"), ("a</think>b", "b"), ("b", "b"), ('{"a": "</think>"}', None)],
)
def test_thinking_is_stripped(text: str, left: str | None) -> None:
    assert without_thinking(text) == (text if left is None else left)


@pytest.mark.parametrize("junk", ['{"', "{}", '{"a": ', '{"a":1,}', "```", "{", '"\\\n', '{"a": "b",, '])
def test_hostile_text_is_given_up_in_time(junk: str) -> None:
    started = time.process_time()
    assert read(junk * (2**20 // len(junk))).value is None
    assert time.process_time() - started < 5
