"""A model chooses: it is told how the sample stands, and its choice is logged like any other policy's."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, create_model

from ...endpoints.chat import Ask, CallKey, Message, Model, TextPart
from ...prompts.library import Library, data_lines
from ...store.agreement import ROUTE
from .policy import Context, Decision, Policy, checked_floor, floored


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    reason: str = Field(max_length=2000)


@lru_cache(maxsize=64)
def _choice(eligible: tuple[str, ...]) -> type[_Choice]:
    """What the model is asked to reply when it may choose among `eligible`."""
    fields: dict[str, Any] = {"direction": (Literal[eligible], ...)}
    return create_model("Choice", __base__=_Choice, **fields)


@runtime_checkable
class AskingPolicy(Policy, Protocol):
    """A policy that asks models. Until it is bound it must propose without asking."""

    def bind(self, model: Model, library: Library, directions: Mapping[str, str]) -> None:
        """Tells it whom to ask, the prompt texts, and the known directions with a line on each."""
        ...


def task(context: Context, library: Library, directions: Mapping[str, str]) -> str:
    """What the model is asked: the eligible directions with a line on each, and the sample's features."""
    rows = [{"direction": name, "what it does": directions.get(name, "")} for name in context.eligible]
    sample = {name: value for name, value in context.features.items() if value is not None}
    return library.render("route", directions=data_lines(rows), sample=data_lines(sample))


class ModelChoice:
    """All but the floors for the direction that the model of `role` names.

    A reply that cannot be used leaves the choice to chance: equal shares, which the log then shows.
    """

    name = "model"

    def __init__(self, floor: float = 0.1, role: str = "evolver") -> None:
        self.floor = checked_floor(floor, self.name)
        self.role = role
        self.version = f"1:floor={floor:g},role={role}"
        self._bound: tuple[Model, Library, Mapping[str, str]] | None = None

    def bind(self, model: Model, library: Library, directions: Mapping[str, str]) -> None:
        """Tells it whom to ask, the prompt texts, and the known directions with a line on each."""
        self._bound = (model, library, directions)

    async def propose(self, context: Context) -> Mapping[str, float]:
        """One call, which the ledger remembers; then floors and choice as a probability vector."""
        choice = await self._asked(context) if len(context.eligible) > 1 else None
        if choice is None:
            return dict.fromkeys(context.eligible, 1 / len(context.eligible))
        return floored({name: float(name == choice) for name in context.eligible}, self.floor)

    async def _asked(self, context: Context) -> str | None:
        if self._bound is None:
            return None
        model, library, directions = self._bound
        text = task(context, library, directions)
        answer = await model.ask(
            Ask(
                key=CallKey(context.sample, context.round, ROUTE),
                role=self.role,
                messages=(Message("user", (TextPart(text),)),),
                reply=_choice(context.eligible),
                repair=lambda error: library.render("repair", error=error),
            )
        )
        return answer.value.direction if answer.value else None  # type: ignore[attr-defined]  made by _choice

    def learn(self, decision: Decision, reward: float) -> None:
        """Learns nothing."""
