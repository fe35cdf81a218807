"""The prompt texts: Markdown files beside this one, single files of which a user's folder may replace."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson
from jinja2 import Environment, StrictUndefined, Template, TemplateError

from ..errors import EvolgraphError

HERE: Final = Path(__file__).parent


class PromptError(EvolgraphError):
    """A prompt file that is missing, cannot be read or does not render."""

    kind = "prompt"


def data_lines(rows: Sequence[Any] | dict[str, Any]) -> str:
    """`rows` as JSON for a fenced data block: an object on one line, or a list with one row a line.

    JSON escapes line breaks inside strings, so no value can close the fence it stands in.
    """
    if isinstance(rows, dict):
        return _one_line(rows)
    return "[" + ",\n".join(map(_one_line, rows)) + "]"


def _one_line(row: Any) -> str:
    text = orjson.dumps(row).decode()
    # JSON leaves these three line breaks of Unicode as they are.
    return text.replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class Library:
    """The prompt texts by name, from `overlay` where it holds the file and from the package otherwise.

    A text is a Jinja2 template; values are inserted as they are and never rendered again. `others` are texts by name
    that are not of this package.

    Raises PromptError when `overlay` is not a folder or holds a Markdown file that no prompt is called, and when one of
    `others` has the name of a text of this package.
    """

    def __init__(self, overlay: Path | None = None, others: Mapping[str, Path] = MappingProxyType({})) -> None:
        self._files = {path.stem: path for path in sorted(HERE.glob("*.md"))}
        if doubled := sorted(set(others) & set(self._files)):
            raise PromptError(f"there is a prompt called {doubled[0]} already", where=str(others[doubled[0]]))
        self._files |= others
        if overlay is not None:
            self._files |= self._overlaid(overlay)
        self._environment = Environment(  # noqa: S701  the texts are Markdown for a model, not HTML
            undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True
        )

    def _overlaid(self, overlay: Path) -> dict[str, Path]:
        if not overlay.is_dir():
            raise PromptError("no such folder of prompts", where=str(overlay))
        found = {path.stem: path for path in sorted(overlay.glob("*.md"))}
        if strange := sorted(set(found) - set(self._files)):
            raise PromptError(
                f"no prompt is called {strange[0]}", where=str(overlay), remedy=f"known: {', '.join(self._files)}"
            )
        return found

    @cached_property
    def _templates(self) -> dict[str, Template]:
        return {name: self._compile(path) for name, path in self._files.items()}

    def _compile(self, path: Path) -> Template:
        try:
            template = self._environment.from_string(path.read_text(encoding="utf-8"))
            # A plain dict instead of Jinja's chain of mappings, which every rendering would walk.
            template.globals = dict(template.globals)
            return template
        except (OSError, UnicodeDecodeError, TemplateError) as error:
            raise PromptError(f"cannot use this prompt: {error}", where=str(path)) from error

    def render(self, name: str, **values: str | bool) -> str:
        """The text `name` with `values` in their places. Raises PromptError when a value is missing."""
        try:
            return self._templates[name].render(values).strip()
        except TemplateError as error:
            raise PromptError(f"cannot render this prompt: {error}", where=str(self._files[name])) from error

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over all texts in use; part of a run's fingerprint."""
        texts = {name: path.read_text(encoding="utf-8") for name, path in self._files.items()}
        return hashlib.sha256(orjson.dumps(texts, option=orjson.OPT_SORT_KEYS)).hexdigest()
