"""Policies by name: the built-in ones, those of installed packages, and those written in a TOML file."""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any, Final

from .coverage import Coverage
from .cycle import Cycle
from .epsilon_greedy import EpsilonGreedy
from .fixed import Fixed
from .linear_thompson import LinearThompson
from .model import ModelChoice
from .policy import Policy, PolicyError
from .softmax import Softmax
from .thompson import Thompson
from .ucb import Ucb
from .uniform import Uniform

BUILTIN: Final[Mapping[str, Callable[..., Policy]]] = {
    "uniform": Uniform,
    "fixed": Fixed,
    "cycle": Cycle,
    "coverage": Coverage,
    "epsilon-greedy": EpsilonGreedy,
    "ucb": Ucb,
    "thompson": Thompson,
    "linear-thompson": LinearThompson,
    "softmax": Softmax,
    "model": ModelChoice,
}


TUNED_ON: Final = "tuned_on"
"""In a policy file the run whose log the policy was made from: that log tells too much good of it."""


def factories() -> dict[str, Callable[..., Policy]]:
    """Every known policy's factory by name. Raises PolicyError for a broken plugin."""
    found: dict[str, Callable[..., Policy]] = dict(BUILTIN)
    for point in entry_points(group="evolgraph.policies"):
        try:
            found[point.name] = point.load()
        except Exception as error:
            raise PolicyError(f"cannot load the policy: {error}", where=point.value) from error
    return found


def load_policy(spec: str) -> Policy:
    """The policy that `spec` names.

    `spec` is a name (`uniform`), a name with numbers, which are weights (`fixed:perception=0.5,reasoning=0.25,
    interaction=0.25`) or settings where the policy has no weights (`ucb:width=0.1`), or a TOML file with
    `policy = NAME` and that policy's settings. Raises PolicyError when it is none of these.
    """
    if spec.endswith(".toml"):
        name, settings = _from_file(Path(spec))
        settings.pop(TUNED_ON, None)
    else:
        name, _, numbers = spec.partition(":")
        settings = _numbers(numbers) if numbers else {}
    if not isinstance(name, str):
        raise PolicyError(f"policy is {name!r}, not a name", where=spec, remedy='write policy = "NAME"')
    if not spec.endswith(".toml") and settings and "weights" in signature(_factory(name)).parameters:
        settings = {"weights": settings}
    return made(name, settings)


def tuned_on(spec: str) -> str | None:
    """The run from whose log the policy file `spec` was made, if it is one and says so. Raises PolicyError."""
    return _from_file(Path(spec))[1].get(TUNED_ON) if spec.endswith(".toml") else None


def _factory(name: str) -> Callable[..., Policy]:
    known = factories()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise PolicyError(f"no policy is called {name!r}", remedy=hint)
    return known[name]


def made(name: str, settings: Mapping[str, Any]) -> Policy:
    """The policy `name` with `settings`. Raises PolicyError when there is none, or it cannot be built from them."""
    factory = _factory(name)
    try:
        return factory(**settings)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        told = f"cannot be built from {dict(settings) or 'its name alone'}"
        raise PolicyError(told, where=name, remedy=_settings_of(name, factory)) from error


def _settings_of(name: str, factory: Callable[..., Policy]) -> str:
    """What a policy is built from, for whoever gave it something else."""
    if name == "fixed":
        return "for example fixed:perception=2,reasoning=1,interaction=1"
    try:
        takes = ", ".join(signature(factory).parameters)
    except ValueError:  # one written in C may have none to tell
        return ""
    if name == "softmax":
        return f"it comes in the file that `policy tune` writes, with {takes}"
    return f"it takes {takes}" if takes else "it takes no settings"


def _numbers(text: str) -> dict[str, float]:
    try:
        return {name.strip(): float(weight) for name, _, weight in (part.partition("=") for part in text.split(","))}
    except ValueError as error:
        raise PolicyError(f"cannot read the numbers {text!r}", remedy="write name=number,name=number") from error


def _from_file(path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        return settings.pop("policy"), settings
    except FileNotFoundError as error:
        raise PolicyError("no such policy file", where=str(path)) from error
    except KeyError as error:
        raise PolicyError("names no policy", where=str(path), remedy='add policy = "NAME"') from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"cannot read the policy file: {error}", where=str(path)) from error
