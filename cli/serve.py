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
def serve(port: int, latency_ms: float, capacity: int) -> None:
    """Serve the embedded model `builtin` on this machine, as an OpenAI-compatible server.

    It is a rule-based writer and judge, not a language model: it answers evolgraph's own requests and nothing else.
    Standard output gets one JSON line with its URL; Ctrl-C stops it.
    """
    from ..endpoints.builtin.__main__ import run
    from ..endpoints.builtin.server import Options

    def tell(url: str) -> None:
        click.echo(f"Serving `builtin` at {url}: a rule-based writer and judge, not a language model.", err=True)

    sys.exit(run(Options(port=port, latency_ms=latency_ms, capacity=capacity), ready=tell))
