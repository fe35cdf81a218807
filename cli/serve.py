"""`evolgraph serve`: the embedded model as a server."""

import sys

import click


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Milliseconds a request holds its slot.",
)
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Requests handled at a time; more wait.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[=VALUE]:RATE",
    help="Make this share of the requests fail, as in 429=2:0.1 or outage:10-30; repeatable.",
)
@click.option("--fault-seed", type=int, default=0, show_default=True, help="Decides which requests meet a fault.")
@click.option("--fault-limit", type=click.IntRange(min=0), help="The most faults that one and the same request meets.")
@click.option(
    "--without",
    multiple=True,
    metavar="WORD,...",
    help="Serve without schema, usage, cached, uuid, metrics or images; repeatable.",
)
@click.option(
    "--plant",
    "plants",
    multiple=True,
    metavar="KIND:RATE",
    help="Spoil this share of the evolved questions, as in wrong-colour:0.05 or all:0.2; repeatable.",
)
def serve(
    *,
    port: int,
    latency_ms: float,
    capacity: int,
    faults: tuple[str, ...],
    fault_seed: int,
    fault_limit: int | None,
    without: tuple[str, ...],
    plants: tuple[str, ...],
) -> None:
    """Serve the embedded model `builtin` on this machine, as an OpenAI-compatible server.

    It is a rule-based writer and judge, not a language model: it answers evolgraph's own requests and nothing else.
    Standard output gets one JSON line with its URL; Ctrl-C stops it. /stats beside the URL's /v1 tells what was asked.

    Kinds of faults: a status from 400 to 599 (VALUE: Retry-After), hang (VALUE: seconds), stall, reset-early,
    reset-late, close, html, flood, empty, null, truncated, truncated-thinking, mislabelled, refusal, filtered,
    bad-schema, no-usage.

    With --without it stands for a poorer server: schema (response_format is ignored, JSON comes in prose), usage (no
    token counts), cached (no details of them), uuid (images cannot be left out), metrics, images (they are refused).

    Planted defects, told by /planted alone: invented-box, wrong-count, wrong-colour, wrong-sum, not-a-choice, blind,
    copied-parent, leaked-words, wrong-relation; `all` spreads its rate over them.
    """
    from ..endpoints.builtin.__main__ import run
    from ..endpoints.builtin.faults import parse_fault
    from ..endpoints.builtin.lacks import parse_lacks
    from ..endpoints.builtin.plants import parse_plants
    from ..endpoints.builtin.server import Options

    options = Options(
        port=port,
        latency_ms=latency_ms,
        capacity=capacity,
        faults=tuple(map(parse_fault, faults)),
        fault_seed=fault_seed,
        fault_limit=fault_limit,
        without=parse_lacks(without),
        plants=parse_plants(plants),
    )

    def tell(url: str) -> None:
        click.echo(f"Serving `builtin` at {url}: a rule-based writer and judge, not a language model.", err=True)

    sys.exit(run(options, ready=tell))
