"""What models are asked to reply, as pydantic models; their JSON schemas go to the server."""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import SkipJsonSchema

from ..samples.sample import BBox


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Text = Annotated[str, Field(max_length=4000)]
"""An empty one spoils its question, which the screen refuses, and not the whole reply."""
Label = Annotated[str, Field(max_length=200)]
RowId = SkipJsonSchema[Annotated[str, Field(max_length=200)]]
"""The id of the question that a row is about. In a reply it is the row's key."""


class _Rows(_Reply):
    """A reply with one row for each of `ids`, given by `asked`.

    Its schema has the rows in an object, with the ids as keys: a server that enforces schemas can then neither leave a
    row out nor give one twice. A list of rows that name their ids is read as well.
    """

    ids: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema with every list of rows as an object of rows."""
        made = handler(core_schema)
        own = handler.resolve_ref_schema(made)
        for name, rows in own["properties"].items():
            own["properties"][name] = {"type": "object", "properties": dict.fromkeys(cls.ids, rows["items"])}
        return made

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _rows(part) if name in cls.model_fields else part for name, part in value.items()}


def _rows(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return [row | {"id": key} if isinstance(row, dict) else row for key, row in part.items()]


R = TypeVar("R", bound=_Rows)


@lru_cache(maxsize=1024)
def asked(reply: type[R], ids: tuple[str, ...]) -> type[R]:
    """`reply` as it is asked for about the questions `ids`."""
    named = {"ids": ids, "__module__": __name__, "__doc__": reply.__doc__}
    return cast(type[R], type(reply.__name__, (reply,), named))


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

    id: RowId
    objects: Annotated[list[Label], Field(max_length=40)]
    skills: Annotated[list[Label], Field(max_length=12)]
    form: Label
    question: Text
    steps: Annotated[list[ReplyStep], Field(max_length=24)]
    answer: Text
    proposed_boxes: Annotated[list[ProposedBox], Field(max_length=12)] = []


class EvolveReply(_Rows):
    """The reply of perception, reasoning and interaction: one evolved question for each given one."""

    evolved: Annotated[list[EvolvedQA], Field(max_length=64)]


class CuratedQA(_Reply):
    """A first question as a model writes it; it has no steps yet, and is open."""

    objects: Annotated[list[Label], Field(max_length=40)]
    skills: Annotated[list[Label], Field(max_length=12)]
    question: Text
    answer: Text


class CurationReply(_Reply):
    """The reply of seed curation. A list, not rows by their ids: how many questions an image bears is for the model."""

    questions: Annotated[list[CuratedQA], Field(min_length=1, max_length=5)]


Score = Annotated[int, Field(ge=1, le=10)]


class PairVerdict(_Reply):
    """The judge's verdict on one pair of parent and evolved question."""

    id: RowId
    grounded: bool
    correct: bool
    answerable: bool
    needs_image: bool
    improved: bool
    score_before: Score
    score_after: Score
    reason: Annotated[str, Field(max_length=1000)]


class JudgeReply(_Rows):
    """The judge's reply: one verdict for each given pair."""

    verdicts: Annotated[list[PairVerdict], Field(max_length=64)]


class TextVerdict(_Reply):
    """The verdict of a judge that saw only texts: nothing is known of what an image would show."""

    id: RowId
    improved: bool
    score: Score
    reason: Annotated[str, Field(max_length=1000)]
    grounded: ClassVar[None] = None
    correct: ClassVar[None] = None
    answerable: ClassVar[None] = None
    needs_image: ClassVar[None] = None
    score_before: ClassVar[None] = None

    @property
    def score_after(self) -> int:
        """The only score it gives."""
        return self.score


Verdict = PairVerdict | TextVerdict


class TextJudgeReply(_Rows):
    """The text judge's reply: one verdict for each given pair."""

    verdicts: Annotated[list[TextVerdict], Field(max_length=64)]


class GroundingReply(_Reply):
    """Where a target is: one box, or none when it is not there."""

    boxes: Annotated[list[BBox], Field(max_length=8)]
    image: Annotated[int, Field(ge=0)] = 0


class ReferringReply(_Reply):
    """What is to be seen on a part of the image."""

    description: Annotated[str, Field(max_length=1000)]


class ReadingReply(_Reply):
    """The text on an image or a part of it."""

    text: Annotated[str, Field(max_length=1000)]


class BlindAnswer(_Reply):
    """An answer that was given without the image."""

    id: RowId
    known: bool
    answer: Text


class BlindReply(_Rows):
    """The blind check's reply: one answer for each question."""

    answers: Annotated[list[BlindAnswer], Field(max_length=64)]
