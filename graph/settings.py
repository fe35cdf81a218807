"""What a run can be told. Part of it makes the run's fingerprint: a store goes on only with the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SWITCHES: Final = ("screen", "evidence", "judge", "elimination", "feedback", "duplicates", "order")
"""Parts of the loop that can be left out, besides the directions themselves.

screen: no code checks before the judge; evidence: the steps' manipulations are not carried out; judge: every screened
pair is accepted unscored; elimination: a judged pair is kept whatever the verdict; feedback: rejected candidates are
not shown to the next round; duplicates: what an earlier round of the sample asked may be asked again; order: before the
judge the parent always stands first.
"""


PAPER: Final[Mapping[str, Any]] = {
    "policy": "fixed:perception=0.5,reasoning=0.25,interaction=0.25",
    "ablate": ("screen", "evidence", "feedback"),
    "judge": "text",
    "survivors": True,
    "target": 10.0,
    "patience": 0,
}
"""What MMEvol's published code does (arXiv 2409.05840, `multi_round.py`, `prompt_score.py`): it draws the direction
with these weights, checks nothing by code, asks a judge that sees no image and compares with the seed, takes what that
calls improved, goes on with the survivors alone, and with the newest questions when none survived.

Mended where it could not run or lost data: replies follow a schema, pairs are matched by id, calls are retried.
"""
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {"grounded": {}, "paper": PAPER}
"""Settings by the name of the preset that they make; `grounded` is the defaults."""


class Settings(BaseModel):
    """The settings of a run, with the defaults of the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: int = Field(default=3, ge=1, le=100)
    """The most rounds a sample gets."""
    target: float = Field(default=8.0, ge=1.0, le=10.0)
    """The mean complexity of a sample's questions at which it is done, on the judge's scale of 1 to 10."""
    patience: int = Field(default=3, ge=0)
    """Rounds in a row with nothing accepted after which a sample is `stalled`; 0: never."""
    policy: str = "uniform"
    seed: int = 0
    """Seeds the routing and the models' sampling."""
    ablate: tuple[str, ...] = ()
    """Directions or switches (SWITCHES) that are left out."""
    judge: Literal["image", "text"] = "image"
    """What the judge sees: the image, the solution and the true parent, or only the seed's and the new text."""
    evidence: Literal["off", "code", "full"] = "code"
    """How the steps' manipulations are carried out: not at all, by code, or also by a model that looks and reads."""
    panel: int = Field(default=1, ge=1, le=9)
    """How many judges rule on every pair; the majority decides."""
    blind: int = Field(default=0, ge=0, le=8)
    """How often an accepted question is answered without its image; one that can be is turned down. 0: never."""
    survivors: bool = False
    """Whether a question that was turned down leaves the sample when another of its round was accepted."""
    token_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """What 1,000 tokens take from a round's reward, which lies between 0 and 1 and is mostly below 0.3."""
    prompts: Path | None = None
    """A folder whose Markdown files replace the prompt texts of the same name."""
    concurrency: int = Field(default=128, ge=1)
    """Samples in flight."""
    budget_calls: int | None = Field(default=None, ge=1)
    """Requests this start may send; spending any budget stops the run, which can be resumed."""
    budget_tokens: int | None = Field(default=None, ge=1)
    budget_seconds: float | None = Field(default=None, gt=0)
    extend: bool = False
    """Goes on with a store whose run had fewer rounds or a lower target."""
    retry_failed: str | None = None
    """Takes failed samples up again: those whose reason is of this kind, or all of them for an empty string."""
    checkpoints: Literal["latest", "all"] = "latest"
    """Whether the store keeps a sample's newest state or all of them."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many samples."""

    def fingerprint(self) -> dict[str, Any]:
        """The part of the settings that decides what a run computes."""
        return {
            "rounds": self.rounds,
            "target": self.target,
            "patience": self.patience,
            "seed": self.seed,
            "ablate": sorted(self.ablate),
            "judge": self.judge,
            "survivors": self.survivors,
            "blind": self.blind,
            "token_price": self.token_price,
            "evidence": self.evidence,
            "panel": self.panel,
        }
