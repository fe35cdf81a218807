"""`evolgraph evolve`: seeds in, evolved questions out."""

import asyncio
import contextlib
import gc
import importlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from click.core import ParameterSource

from ..endpoints.endpoint import Endpoint
from ..errors import EvolgraphError
from ..graph.settings import PRESETS
from .configuration import endpoints_of, load
from .ending import estimated, exit_code, settings_of, show

if TYPE_CHECKING:
    from rich.console import Console

    from ..graph.run import Evolution

_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("seeds", type=_PATH)
@click.option("--images", type=_FOLDER, help="Folder that image paths are relative to.  [default: the seed file's]")
@click.option("--format", "layout", metavar="NAME", help="mmevol, llava, sharegpt or openai.  [default: by content]")
@click.option("--allow-image-host", "allow_image_hosts", multiple=True, metavar="HOST", help="Fetch its images.")
@click.option("--store", type=_PATH, help="SQLite file of the run.  [default: SEEDS.db in this folder]")
@click.option("--out", type=_PATH, help="Results, one settled sample a line.  [default: SEEDS.evolved.jsonl]")
@click.option("--endpoint", "endpoint_urls", multiple=True, metavar="URL", help="OpenAI-compatible server; repeatable.")
@click.option("--model", "models", multiple=True, help="Model that the endpoint serves; one for all, or one each.")
@click.option("--key-env", metavar="NAME", help="Environment variable that holds the endpoints' key.")
@click.option(
    "--config", type=_PATH, callback=load, is_eager=True, help="Defaults for these options, and [[endpoint]]."
)
@click.option(
    "--preset", type=click.Choice([*PRESETS]), default="grounded", show_default=True,
    help="paper: what MMEvol's published code does; sets options that are not given.",
)  # fmt: skip
@click.option(
    "--policy", default="uniform", show_default=True, help="Routing policy: a name, fixed:NAME=W,..., or a file."
)
@click.option("--ablate", multiple=True, metavar="PART", help="Leave out a direction, screen, judge, ...; repeatable.")
@click.option(
    "--judge", type=click.Choice(["image", "text"]), default="image", show_default=True, help="What the judge sees."
)
@click.option(
    "--blind", is_flag=False, flag_value=1, default=0, type=click.IntRange(0, 8), metavar="[K]",
    help="Turn down what is answered without the image in one of K tries.",
)  # fmt: skip
@click.option(
    "--evidence", type=click.Choice(["off", "code", "full"]), default="code", show_default=True,
    help="full: a model looks at what the steps cite.",
)  # fmt: skip
@click.option("--panel", default=1, show_default=True, type=click.IntRange(1, 9), help="Judges; most of them decide.")
@click.option("--survivors", is_flag=True, help="What was turned down leaves its sample, if anything was accepted.")
@click.option(
    "--token-price", default=0.0, show_default=True, type=click.FloatRange(0), metavar="X",
    help="What 1,000 tokens take from a round's reward, for policies that learn or are tuned.",
)  # fmt: skip
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Most rounds a sample gets.")
@click.option("--target", default=8.0, show_default=True, type=click.FloatRange(1, 10), help="Complexity to reach.")
@click.option("--patience", default=3, show_default=True, type=click.IntRange(0), help="Fruitless rounds; 0: no limit.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N samples.")
@click.option("--concurrency", default=128, show_default=True, type=click.IntRange(1), help="Samples in flight.")
@click.option("--budget-calls", type=click.IntRange(1), help="Stop after so many requests.")
@click.option("--budget-tokens", type=click.IntRange(1), help="Stop after so many tokens, in and out.")
@click.option("--budget-seconds", type=click.FloatRange(0, min_open=True), help="Stop after so many seconds.")
@click.option("--seed", default=0, show_default=True, help="Seeds routing and sampling.")
@click.option("--prompts", type=_PATH, help="Folder of prompt texts that replace single ones.")
@click.option("--resume", type=click.Choice(["auto", "never"]), default="auto", show_default=True)
@click.option("--extend", is_flag=True, help="Go on with more rounds, a higher target or higher max_tokens.")
@click.option("--retry-failed", is_flag=False, flag_value="", metavar="[KIND]", help="Take failed samples up again.")
@click.option("--checkpoints", type=click.Choice(["latest", "all"]), default="latest", show_default=True)
@click.option(
    "--estimate", type=click.IntRange(1), metavar="N", help="Evolve N samples, then tell what all would take."
)
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="N", help="Serve Prometheus metrics; 0: any port."
)
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="ray: by several workers, with --store as their folder; needs evolgraph[ray].",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 9999), help="Workers on Ray.  [default: the CPUs there are]")
@click.option("--ray-address", metavar="ADDR", help="A Ray cluster that runs already.  [default: Ray on this machine]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_context
def evolve(ctx: click.Context, /, **options: Any) -> None:
    """Evolve SEEDS until every sample is complex enough or its rounds are used up.

    SEEDS are in the layout of MMEvol, LLaVA, ShareGPT or OpenAI, as JSON, JSON lines, Parquet or Arrow.

    Without --endpoint the embedded model answers: rules, not a language model, so that everything can be tried
    without a GPU. Run the same command again to go on after a stop.
    """
    endpoints = endpoints_of(ctx, options["endpoint_urls"], options["models"], options["key_env"])
    preset = PRESETS[options["preset"]].items()
    options |= {name: value for name, value in preset if ctx.get_parameter_source(name) is ParameterSource.DEFAULT}
    if options["engine"] != "ray" and (options["workers"] or options["ray_address"]):
        raise EvolgraphError("--workers and --ray-address belong to Ray", remedy="add --engine ray, or leave them out")
    if options["engine"] == "ray":
        from .clustered import evolve_on_ray

        ctx.exit(run_loop(evolve_on_ray(endpoints, options)))
    ctx.exit(run_loop(_evolve(endpoints, options)))


def run_loop(work: Any) -> int:
    """Runs `work` on uvloop where there is one."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            return runner.run(work)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _evolve(endpoints: tuple[Endpoint, ...], options: dict[str, Any]) -> int:
    async with contextlib.AsyncExitStack() as stack:
        return await _evolved(endpoints or await _embedded(stack), options, embedded=not endpoints)


async def _embedded(stack: contextlib.AsyncExitStack) -> tuple[Endpoint, ...]:
    """The embedded model, which starts while what a run needs is imported: either takes a second."""
    from ..endpoints.builtin.child import running

    importing = asyncio.to_thread(importlib.import_module, "..graph.run", __package__)
    url, _ = await asyncio.gather(stack.enter_async_context(running()), importing)
    return (Endpoint(url=url, model="builtin"),)


async def _evolved(endpoints: tuple[Endpoint, ...], options: dict[str, Any], *, embedded: bool) -> int:
    from ..graph.looking import look_at
    from ..graph.results import check_results, losses, refusals, write_quarantine, write_results
    from ..graph.run import evolve as start
    from .display import console, same_model
    from .metrics import listening, metrics_served
    from .stopping import stopping_on_signals

    out, seeds = console(), options["seeds"]
    store = options["store"] or Path(f"{seeds.stem}.db")
    results = options["out"] or Path(f"{seeds.stem}.evolved.jsonl")
    check_results(results, store)
    bad_rows = results.with_name(f"{results.stem}.quarantine.jsonl")
    run = start(
        seeds, store=store, images=options["images"], endpoints=endpoints, settings=settings_of(options),
        resume=options["resume"] == "auto", layout=options["layout"],
        allow_image_hosts=options["allow_image_hosts"],
    )  # fmt: skip
    with listening(options["metrics_port"]) as listener, stopping_on_signals(run, out):
        async with run, metrics_served(lambda: look_at(run), listener, out):
            if embedded:
                words = "No --endpoint given: the embedded model answers. It is a set of rules, not a language model."
                out.print(words, soft_wrap=True)
            elif line := same_model(endpoints):
                out.print(line, soft_wrap=True)
            await _settle(run, out)
            summary = await run.summary()
            await asyncio.to_thread(write_results, store, run.run.id, results)
            quarantined = await asyncio.to_thread(write_quarantine, store, run.run.id, bad_rows)
            reasons = {
                "rejected": await asyncio.to_thread(refusals, store, run.run.id),
                "lost": await asyncio.to_thread(losses, store, run.run.id),
            }
    if summary.samples == 0 and not run.stopped:
        raise EvolgraphError("no row could be used", where=str(seeds), remedy=f"see {bad_rows}")
    told = estimated(summary, run, run.endpoints, seeds) if options["estimate"] else {}
    if options["as_json"]:
        click.echo(orjson.dumps({**asdict(summary), **told}).decode())
    else:
        show(summary, reasons, told, out)
        more = f", bad rows {bad_rows}" if quarantined else ""
        out.print(f"results {results}, store {store}{more}", soft_wrap=True)
    if summary.pending and not run.stopped:
        out.print(_left(summary.pending, options["limit"]), soft_wrap=True)
    return exit_code(summary, run.stopped, out)


async def _settle(run: "Evolution", out: "Console") -> None:
    """Takes the run's outcomes to their end while its progress is shown."""
    from .display import lines_of, show_progress

    gc.freeze()  # what was imported stays: keep the collector from walking it
    display = asyncio.create_task(show_progress(lines_of(run), out))
    try:
        async for _ in run:
            pass
    finally:
        display.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await display


def _left(pending: int, limit: int | None) -> str:
    """Why samples are pending at the end of a run that nobody stopped: an earlier start began them."""
    why = f"beyond --limit {limit}: start without it to go on with them" if limit else "not among the seeds any more"
    return f"{pending} pending sample{'s' if pending > 1 else ''} of an earlier start: {why}"
