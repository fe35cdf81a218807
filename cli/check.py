"""`evolgraph check`: what servers really do, before anything is paid."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from .configuration import endpoint_options, endpoints_of

if TYPE_CHECKING:
    from rich.console import Console

    from ..endpoints.abilities import Abilities
    from ..endpoints.endpoint import Endpoint

_SCHEMA: Final = {
    "ignored": "once replies show it, the schema goes into the prompt (tried: it is kept to); each is validated",
    "refused": "cannot be worked around: use a server that takes response_format json_schema",
    "unknown": "the reply was cut off before it showed: raise max_tokens, or switch thinking off in extra_body",
}
_UNTOLD: Final = "cannot be worked around: the model does not keep to a schema in its prompt either"
_QUEUE: Final = "requests in flight follow the replies a second (SGLang: --enable-metrics; llama.cpp: --metrics)"

_LONGER: Final = {
    "vLLM": "--max-model-len 16384",
    "SGLang": "--context-length 16384",
    "llama.cpp": "-c: 16384 for each slot of -np",
    "Ollama": "OLLAMA_CONTEXT_LENGTH=16384 ollama serve",
}
"""How engines are given a longer context."""


@click.command()
@endpoint_options
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
@click.pass_context
def check(ctx: click.Context, /, **options: Any) -> None:
    """Ask servers what they can do: images, schemas, token counts, caches, queues.

    Without --endpoint the embedded model is asked. Exit code 0 when an evolution would work with all of them, 2 when
    it would not.
    """
    endpoints = endpoints_of(ctx, options["endpoint_urls"], options["models"], options["key_env"])
    if endpoints:
        from ..graph.checks import check_roles

        check_roles(endpoints)
    found, wrong = asyncio.run(_examined(endpoints))
    usable = not wrong and all(one.usable for one in found)
    if options["as_json"]:
        rows = [asdict(one) | {"usable": one.usable} for one in found]
        click.echo(orjson.dumps({"usable": usable, "endpoints": rows, "errors": wrong}).decode())
    else:
        _show(found, wrong, endpoints)
    ctx.exit(0 if usable else 2)


async def _examined(endpoints: Sequence["Endpoint"]) -> tuple[list["Abilities"], list[str]]:
    from ..endpoints.abilities import AbilityError, examine
    from ..endpoints.builtin.child import running
    from ..endpoints.endpoint import Endpoint
    from ..endpoints.errors import EndpointError

    if not endpoints:
        async with running() as url:
            return [await examine(Endpoint(url=url, model="builtin"))], []
    found, wrong = [], []
    for endpoint in dict.fromkeys(endpoints):
        try:
            found.append(await examine(endpoint))
        except EndpointError as error:
            wrong.append(str(error))
        except AbilityError as error:
            wrong.append(f"{endpoint.url}: answers no chat of {endpoint.model}: {error}")
    return found, wrong


def _show(found: Sequence["Abilities"], wrong: Sequence[str], endpoints: Sequence["Endpoint"]) -> None:
    from .display import same_model
    from .terminal import terminal

    out = terminal()
    for one in found:
        _show_one(one, out)
    for line in wrong:
        click.echo(f"evolgraph: {line}", err=True)
    if found and (line := same_model(endpoints)):
        out.print(line, soft_wrap=True)


def _show_one(one: "Abilities", out: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    engine = f"{one.server} {one.version}" if one.version else one.server
    table = Table(title=f"{one.url}  {one.model}  ({engine})", title_justify="left", title_style="bold")
    for column in ("ability", "found", "what evolgraph does about it"):
        table.add_column(column)
    for name, good, found, remedy in _rows(one):
        table.add_row(name, Text(found, style="green" if good else "yellow"), "" if good else remedy)
    out.print(table)
    out.print("good to go" if one.usable else "not usable: see above", style="bold green" if one.usable else "bold red")


def _rows(one: "Abilities") -> list[tuple[str, bool, str, str]]:
    schema = _UNTOLD if one.schema_in_prompt is False else _SCHEMA.get(one.schema, "")
    seen = {True: "yes", False: "no", None: "taken, but no tokens are told"}[one.images]
    return [
        ("images", one.images is not False, seen, "cannot be worked around: use a model that sees"),
        ("JSON by a schema", one.schema == "enforced", one.schema, schema),
        ("token counts", one.usage, _yes(one.usage), "tokens and cost are told as unknown"),
        ("cached tokens told", one.cached_tokens, _yes(one.cached_tokens), "vLLM: --enable-prompt-tokens-details"),
        ("image tokens told", one.image_tokens, _yes(one.image_tokens), "left out of the summary"),
        ("images by uuid", one.image_uuid, _yes(one.image_uuid), "every request carries its image"),
        ("queue at /metrics", bool(one.queue), one.queue or "no", _QUEUE),
        ("context", one.fits and (bool(one.context) or one.server != "Ollama"), _context(one), _context_remedy(one)),
        ("thinking", True, "yes, kept apart from replies" if one.thinks else "none seen", ""),
        ("first reply", True, f"{one.latency_ms:,.0f} ms", ""),
    ]


def _context(one: "Abilities") -> str:
    return f"{one.context:,} tokens" if one.context else "not told"


def _context_remedy(one: "Abilities") -> str:
    """What to do where replies may not fit, or where that cannot be told and goes unnoticed."""
    from ..endpoints.abilities import USUAL_PROMPT

    longer = f"start it with a longer one ({_LONGER.get(one.server, 'see its documentation')})"
    if one.context is None:
        return f"4,096 tokens by default, and longer prompts are cut without a word: {longer}"
    if one.room <= 0:
        return f"shorter than a usual prompt of {USUAL_PROMPT:,} tokens: {longer}"
    asked = f"a usual prompt of {USUAL_PROMPT:,} tokens leaves less than max_tokens = {one.max_tokens:,}"
    return f"{asked}: set max_tokens = {one.room:.0f}, or {longer}"


def _yes(found: bool) -> str:
    return "yes" if found else "no"
