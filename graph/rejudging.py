"""Judge calls that are made again: those that a store recorded, and new ones about anchors."""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from ..agents.judge import Judge, accepted
from ..agents.replies import JudgeReply, TextJudgeReply, Verdict, asked
from ..endpoints.client import Ask, CallKey, ImagePart, Message, Model, Part, TextPart
from ..endpoints.replies import parse
from ..prompts.library import data_lines
from ..samples.sample import Image
from ..store.traces import Call, trace
from .anchors import Anchor

_PAIRS: Final = re.compile(r"(?<=^```json pairs\n).*?(?=\n```$)", re.MULTILINE | re.DOTALL)
_SIDES: Final = ("parent", "seed", "evolved")
_CALLS: Final = """
    SELECT sample, round FROM calls
    WHERE run = ? AND agent = 'judge' AND step = ? AND take = 0 AND kind = 'ok' ORDER BY sample, round"""
Reply = type[JudgeReply] | type[TextJudgeReply]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a judge made of a pair: whether it is accepted, and the score of the evolved question."""

    accepted: bool
    score: int


@dataclass(frozen=True, slots=True)
class Case:
    """A judge call, and what is known of its pairs by question id; `image` is what intervals are clustered by."""

    key: CallKey
    messages: tuple[Message, ...]
    direction: str
    ids: tuple[str, ...]
    image: str
    known: Mapping[str, Ruling] = field(default_factory=dict)

    def rulings(self, verdicts: Sequence[Verdict]) -> dict[str, Ruling]:
        """What `verdicts` say, by question id."""
        return {
            one.id: Ruling(accepted(one, self.direction), one.score_after) for one in verdicts if one.id in self.ids
        }


def anchored(anchor: Anchor, judge: Judge) -> Case:
    """The call in which `judge` rules on `anchor` alone."""
    qa = anchor.parent.id
    return Case(
        CallKey(anchor.name, 1, judge.name, step=judge.step),
        judge.messages(anchor.view, [anchor.pair], {}),
        anchor.direction,
        (qa,),
        anchor.sample.images[0].sha256,
        {qa: Ruling(anchor.sound, anchor.score_after)},
    )


def recorded(db: sqlite3.Connection, run: str, judge: Judge, number: int, seed: int) -> list[Case]:
    """Up to `number` calls of `judge` in `run` as they were sent, drawn by `seed`, with what was replied to them."""

    def lot(call: tuple[str, int]) -> bytes:
        return hashlib.blake2b(f"{seed} {call}".encode(), digest_size=8).digest()

    found = []
    for sample, number_ in sorted(db.execute(_CALLS, (run, judge.step)).fetchall(), key=lot)[:number]:
        told = trace(db, run, sample)
        assert told, "a call's sample has begun"
        wanted = ("judge", number_, judge.step, 0)
        call = next(one for one in told.calls if (one.agent, one.round, one.step, one.take) == wanted)
        direction = next(one.direction for one in told.lineage.decisions if one.round == number_)
        images = {row["sha256"]: Image.model_validate(row) for row in told.sample["images"]}
        found.append(_case(sample, call, direction, images, judge.reply))
    return found


def _case(sample: str, call: Call, direction: str, images: Mapping[str, Image], reply: Reply) -> Case:
    told = parse(call.text or "", reply, None).value
    verdicts = told.verdicts if told else []
    messages = tuple(
        Message(turn["role"], tuple(_part(part, images) for part in turn["parts"])) for turn in call.messages
    )
    ids = tuple(one.id for one in verdicts)
    case = Case(CallKey(sample, call.round, "judge", step=call.step), messages, direction, ids, next(iter(images)))
    return replace(case, known=case.rulings(verdicts))


def _part(part: Mapping[str, Any], images: Mapping[str, Image]) -> Part:
    return TextPart(part["text"]) if part["type"] == "text" else ImagePart(images[part["sha256"]])


def turned(case: Case) -> Case | None:
    """The call with the questions of every pair in the other order; None where the prompt has no block of pairs."""
    *before, last = case.messages
    *parts, task = last.parts
    found = _PAIRS.search(task.text) if isinstance(task, TextPart) else None
    if not isinstance(task, TextPart) or found is None:
        return None
    rows = data_lines([_turned(row) for row in orjson.loads(found[0])])
    text = task.text[: found.start()] + rows + task.text[found.end() :]
    return replace(case, messages=(*before, replace(last, parts=(*parts, TextPart(text)))))


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    first, second = (name for name in row if name in _SIDES)
    names = {first: second, second: first}
    return {names.get(name, name): row[names.get(name, name)] for name in row}


def evolved_first(case: Case) -> dict[str, bool]:
    """By question id, whether the evolved question stands before its parent; empty without a block of pairs."""
    task = case.messages[-1].parts[-1]
    found = _PAIRS.search(task.text) if isinstance(task, TextPart) else None
    rows = orjson.loads(found[0]) if found else []
    return {str(row["id"]): next(name for name in row if name in _SIDES) == "evolved" for row in rows}


async def rejudged(
    model: Model, case: Case, judge: Judge, repair: Callable[[str], str]
) -> tuple[dict[str, Ruling], str]:
    """What `judge` makes of `case` now, by question id; or nothing, and the kind of the failure."""

    def check(given: JudgeReply | TextJudgeReply) -> str | None:
        missing = sorted({*case.ids} - {verdict.id for verdict in given.verdicts})
        return f"there is no verdict for {', '.join(missing)}" if missing else None

    ask = Ask(case.key, judge.role, case.messages, asked(judge.reply, case.ids), repair, check)
    answer = await model.ask(ask)
    return ({}, answer.kind) if answer.value is None else (case.rulings(answer.value.verdicts), "")
