"""`evolgraph trace otel`: a run's traces for the tools that collect them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from ..errors import EvolgraphError
from ..store import traces
from ..store.connections import reading
from ..store.runs import newest_run
from .stores import StorePath

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_PAGE = 200


@click.command()
@click.argument("store", type=StorePath())
@click.option("--otlp", metavar="URL", help="Send them to this OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them as OTLP/JSON lines.")
@click.option("--names", type=click.Choice(["genai", "openinference"]), default="genai", show_default=True)
@click.option("--content", is_flag=True, help="Include what was sent and received; images by path and hash.")
@click.option("--run", help="A run's id.  [default: the newest]")
@click.option("--sample", "samples", multiple=True, metavar="ID", help="Only this sample; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def otel(
    store: Path,
    *,
    otlp: str | None,
    out: Path | None,
    names: str,
    content: bool,
    run: str | None,
    samples: tuple[str, ...],
    as_json: bool,
) -> None:
    """Give the traces of STORE to OpenTelemetry: one trace a sample, with the attribute names for generative AI."""
    if (otlp is None) == (out is None):
        raise click.UsageError("give either --otlp URL or --out FILE")
    try:
        from ..store.otel.sending import send, write
    except ImportError as error:
        remedy = "install it with: pip install 'evolgraph[otel]'"
        raise EvolgraphError(f"OpenTelemetry is missing ({error.name})", remedy=remedy, kind="setup") from error
    found = _traces(store, run, samples, names, content)
    count, spans = write(found, out) if out else send(found, str(otlp))
    if as_json:
        click.echo(orjson.dumps({"traces": count, "spans": spans, "to": otlp or str(out)}).decode())
    else:
        click.echo(f"{count} traces with {spans} spans {'sent to' if otlp else 'written to'} {otlp or out}", err=True)


def _traces(
    store: Path, run: str | None, samples: tuple[str, ...], names: str, content: bool
) -> Iterator[list["ReadableSpan"]]:
    from ..store.otel.names import VOCABULARIES
    from ..store.otel.spans import spans_of

    for chosen, trace in _found(store, run, samples):
        yield spans_of(chosen, trace, VOCABULARIES[names], content=content, now_ns=time.time_ns())


def _found(store: Path, run: str | None, samples: tuple[str, ...]) -> Iterator[tuple[str, traces.Trace]]:
    with reading(store) as db:
        newest = newest_run(db)
        chosen = run or (newest.id if newest else None)
        if chosen is None or chosen not in {one.id for one in traces.runs(db)}:
            told = f"no run is called {run!r}" if run else "the store holds no run"
            raise EvolgraphError(told, where=str(store), remedy="see evolgraph trace runs", kind="trace")
        for sample in samples or _ids(store, chosen):
            trace = traces.trace(db, chosen, sample)
            if trace is None:
                raise EvolgraphError(
                    f"no sample is called {sample!r}", where=str(store), remedy="see evolgraph trace list", kind="trace"
                )
            yield chosen, trace


def _ids(store: Path, run: str) -> Iterator[str]:
    """The run's samples in the order of the seeds, read in pages, so that no long read holds a running one up."""
    last = (-1, 0)
    rows = (
        "SELECT position, rowid, id FROM samples WHERE run = ? AND (position, rowid) > (?, ?)"
        " ORDER BY position, rowid LIMIT ?"
    )
    with reading(store) as db:
        while page := db.execute(rows, (run, *last, _PAGE)).fetchall():
            yield from (sample for _, _, sample in page)
            last = page[-1][:2]
