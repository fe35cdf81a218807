"""What models are asked to reply, as pydantic models; their JSON schemas go to the server."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..samples.sample import BBox


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Text = Annotated[str, Field(min_length=1, max_length=4000)]
Label = Annotated[str, Field(max_length=200)]


class ReplyStep(_Reply):
    """One solving step as a model writes it."""

    manipulation: Annotated[str, Field(max_length=400)] | None
    description: Text


class ProposedBox(_Reply):
    """A region without a given box that the model claims to see."""

    label: Label
    bbox: BBox


class EvolvedQA(_Reply):
    """An evolved question as a model writes it; labels are normalised later, by the screen."""

    id: Annotated[str, Field(max_length=200)]
    objects: Annotated[list[Label], Field(max_length=40)]
    skills: Annotated[list[Label], Field(max_length=12)]
    form: Label
    question: Text
    steps: Annotated[list[ReplyStep], Field(max_length=24)]
    answer: Text
    proposed_boxes: Annotated[list[ProposedBox], Field(max_length=12)] = []


class EvolveReply(_Reply):
    """The reply of perception, reasoning and interaction: one evolved question for each given one."""

    evolved: Annotated[list[EvolvedQA], Field(max_length=64)]


Score = Annotated[int, Field(ge=1, le=10)]


class PairVerdict(_Reply):
    """The judge's verdict on one pair of parent and evolved question."""

    id: Annotated[str, Field(max_length=200)]
    grounded: bool
    correct: bool
    answerable: bool
    needs_image: bool
    improved: bool
    score_before: Score
    score_after: Score
    reason: Annotated[str, Field(max_length=1000)]


class JudgeReply(_Reply):
    """The judge's reply: one verdict for each given pair."""

    verdicts: Annotated[list[PairVerdict], Field(max_length=64)]
