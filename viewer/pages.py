"""Which pages there are, and how what they show becomes HTML."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from .asked import Asked
from .errors import errors
from .lineage import lineage
from .overview import overview, pulse
from .routing import policy
from .sample import sample
from .samples import samples
from .wording import duration, moment, short

Build = Callable[[Asked], dict[str, Any]]


class Links:
    """Where pages are, as a server has them."""

    live: ClassVar[bool] = True
    """Whether a server answers, so that there are filters and news."""

    def page(self, run: str, name: str, **query: Any) -> str:
        """The address of a run's page."""
        kept = {key: value for key, value in query.items() if value not in (None, "")}
        return f"/runs/{quote(run, safe='')}/{name}" + (f"?{urlencode(kept)}" if kept else "")

    def sample(self, run: str, sample: str, query: str = "", name: str = "sample") -> str:
        """The address of a sample's page; `query` is carried along."""
        return self.page(run, name, id=sample) + (f"&{query}" if query else "")

    def image(self, digest: str, size: str) -> str:
        """The address of an image."""
        return f"/images/{digest}/{size}"

    def static(self, name: str) -> str:
        """The address of the style sheet or the script."""
        return f"/static/{name}"

    def home(self) -> str:
        """The address of the list of runs."""
        return "/"


PAGES: Final[Mapping[str, tuple[Build, str]]] = {
    "overview": (overview, "overview.html"),
    "samples": (samples, "samples.html"),
    "sample": (sample, "sample.html"),
    "lineage": (lineage, "lineage.html"),
    "errors": (errors, "errors.html"),
    "policy": (policy, "policy.html"),
}
"""Pages by the end of their address: what finds their contents, and their template."""
STATIC: Final = {"app.css": "text/css", "app.js": "text/javascript", "mark.svg": "image/svg+xml"}
"""The style sheet, the script and the icon, with their MIME types."""
PULSE: Final[Build] = pulse


@cache
def environment() -> Environment:
    """Templates that escape everything that is put into them."""
    found = Environment(
        loader=PackageLoader("evolgraph.viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"moment": moment, "duration": duration, "short": short, "hue": hue, "percent": percent}
    return found


def rendered(templates: Environment, template: str, links: Links, contents: Mapping[str, Any], here: str = "") -> str:
    """A page as HTML."""
    return templates.get_template(template).render(links=links, here=here, **contents)


_HUES: Final = {"perception": 0, "reasoning": 1, "interaction": 2}


def hue(direction: str | None) -> str:
    """The class of a direction's colour: the built-in three have their own, others share three more."""
    if direction in _HUES:
        return f"hue{_HUES[direction]}"
    return f"hue{3 + sum((direction or '').encode()) % 3}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage."""
    return "-" if share is None else f"{share:.{digits}%}"
