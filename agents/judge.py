"""The judge: sees the image and the true parent, and rules on every pair by its id (DESIGN section 3)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from ..endpoints.client import Ask, CallKey, Message, Model, TextPart
from ..prompts.library import data_lines
from ..samples.sample import QA
from .agent import Failure, Prompter, View, question_row
from .evidence import Finding
from .replies import JudgeReply, TextJudgeReply, Verdict, asked
from .screen import Pair

FLAGS = ("grounded", "correct", "answerable", "needs_image", "improved")
Findings = Mapping[str, Sequence[Finding]]
"""What the evidence found, by question id."""
NONE: Final[Findings] = {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts by question id, or the failure; and what they cost in tokens (None: unknown).

    `votes` are those of a panel, by question id.
    """

    verdicts: dict[str, Verdict]
    failure: Failure | None = None
    tokens: int | None = None
    votes: Mapping[str, Any] = field(default_factory=dict)


def accepted(verdict: Verdict, direction: str) -> bool:
    """The acceptance rule: all five hold, and the score rose (reasoning) or did not fall (other directions).

    What a judge of texts cannot tell is not asked of it.
    """
    if any(getattr(verdict, flag) is False for flag in FLAGS):
        return False
    if verdict.score_before is None:
        return True
    gain = verdict.score_after - verdict.score_before
    return gain > 0 if direction == "reasoning" else gain >= 0


def refusal_code(verdict: Verdict) -> str:
    """The first flag that does not hold as a code (`not-grounded`), or `no-gain` when only the score spoke against."""
    return next((f"not-{flag.replace('_', '-')}" for flag in FLAGS if getattr(verdict, flag) is False), "no-gain")


class Judge:
    """One model call judges all pairs of a sample's round."""

    name = "judge"
    reply: ClassVar[type[JudgeReply] | type[TextJudgeReply]] = JudgeReply

    def __init__(
        self, model: Model, prompter: Prompter, *, seed: int | None = 0, role: str = "judge", number: int = 0
    ) -> None:
        """`role` is asked; `number` tells the judges of a panel apart, from 0.

        `seed` draws which question of a pair stands first; None: always the parent.
        """
        self.role = role
        self.step = 2 * number
        """The step of its calls, which tells them from those of the panel's other judges."""
        self._model = model
        self._prompter = prompter
        self._seed = seed
        self._number = number

    def task(self, view: View, pairs: Sequence[Pair], findings: Findings = NONE) -> str:
        """The task text for `pairs`, each with what the evidence found."""
        rows = [self._row(view, pair, findings.get(pair.parent.id, ())) for pair in pairs]
        looked = any(finding.by == "model" for found in findings.values() for finding in found)
        return self._prompter.library.render("judge", pairs=data_lines(rows), looked=looked)

    def _row(self, view: View, pair: Pair, findings: Sequence[Finding]) -> dict[str, Any]:
        """A pair in an order drawn for it: judges like what they read first, or last (arXiv 2306.05685)."""
        proposed = [{"label": box.label, "bbox": box.bbox} for box in pair.candidate.proposed]
        parent = {"parent": question_row(pair.parent)}
        evolved = {"evolved": question_row(pair.candidate.qa) | {"proposed_boxes": proposed}}
        first, second = (parent, evolved) if self._parent_first(view, pair.parent.id) else (evolved, parent)
        found = {"evidence": [finding.row() for finding in findings]} if findings else {}
        return {"id": pair.parent.id, "direction": pair.direction} | first | second | found

    def _parent_first(self, view: View, qa: str) -> bool:
        if self._seed is None:
            return True
        named = f"{self._seed} {view.sample.id} {view.round} {qa}" + (f" {self._number}" if self._number else "")
        return hashlib.blake2b(named.encode(), digest_size=1).digest()[0] % 2 == 0

    def messages(self, view: View, pairs: Sequence[Pair], findings: Findings) -> tuple[Message, ...]:
        """What the model is sent about `pairs`."""
        return self._prompter.messages(view.sample, self.task(view, pairs, findings))

    async def judge(self, view: View, pairs: Sequence[Pair], findings: Findings = NONE) -> Judgement:
        """Verdicts for all `pairs`; a failure is a value, not an exception."""
        ids = tuple(pair.parent.id for pair in pairs)

        def check(reply: JudgeReply | TextJudgeReply) -> str | None:
            given = [verdict.id for verdict in reply.verdicts]
            if missing := sorted(set(ids) - set(given)):
                return f"there is no verdict for {', '.join(missing)}"
            if len(given) != len(set(given)):
                return "an id has more than one verdict"
            return None

        answer = await self._model.ask(
            Ask(
                key=CallKey(view.sample.id, view.round, self.name, view.take, self.step),
                role=self.role,
                messages=self.messages(view, pairs, findings),
                reply=asked(self.reply, ids),
                repair=self._prompter.repair,
                check=check,
            )
        )
        if answer.value is None:
            return Judgement({}, Failure(answer.kind, answer.detail), answer.usage.total)
        return Judgement({v.id: v for v in answer.value.verdicts if v.id in ids}, tokens=answer.usage.total)


class TextJudge(Judge):
    """The judge of MMEvol's published code (`prompt_score.py`): it reads questions and answers and sees no image.

    The new question is compared with the seed, whatever it was evolved from, as that code does.
    """

    reply = TextJudgeReply

    def messages(self, view: View, pairs: Sequence[Pair], findings: Findings) -> tuple[Message, ...]:
        """One message of texts alone; `findings` are not for this judge."""
        del findings
        rows = [
            {
                "id": pair.parent.id,
                "seed": view.seeds.get(pair.parent.id) or _texts(pair.parent),
                "evolved": _texts(pair.candidate.qa),
            }
            for pair in pairs
        ]
        task = self._prompter.library.render("judge_text", pairs=data_lines(rows))
        return (Message("user", (TextPart(task),)),)


def _texts(qa: QA) -> dict[str, str]:
    return {"question": qa.question, "answer": qa.answer}
