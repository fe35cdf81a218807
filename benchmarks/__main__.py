"""`python -m benchmarks`: the measurements by name."""

import click
import orjson

from .throughput import Workload, table, throughput

_NEW = Workload()


@click.group()
def benchmarks() -> None:
    """Measure evolgraph on this machine."""


@benchmarks.command("throughput")
@click.option("--samples", default=_NEW.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_NEW.rounds, show_default=True, type=click.IntRange(1, 7))
@click.option("--latency-ms", default=_NEW.latency_ms, show_default=True, type=click.FloatRange(1))
@click.option("--slots", default=_NEW.slots, show_default=True, type=click.IntRange(1))
@click.option("--pairs", default=_NEW.pairs, show_default=True, type=click.IntRange(1), help="Runs of each, in turns.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _throughput(as_json: bool, **options: float) -> None:
    """Calls a second and CPU a call beside a bare aiohttp loop, on a mock endpoint of fixed capacity."""
    found = throughput(Workload(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else table(found))


benchmarks(prog_name="python -m benchmarks")
