"""`evolgraph evolve --engine ray`: the same run by several workers."""

import asyncio
import contextlib
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from ..errors import EvolgraphError
from .ending import estimated, exit_code, settings_of, show

if TYPE_CHECKING:
    from rich.console import Console

    from ..cluster.driver import ClusterRun
    from ..cluster.plan import Plan


async def evolve_on_ray(endpoints: Any, options: dict[str, Any]) -> int:
    """Runs the command with its `options`; gives its exit code. Raises EvolgraphError."""
    from ..cluster.driver import ClusterRun
    from ..cluster.summing import reasons, write_quarantine, write_results
    from ..graph.results import check_results
    from .display import console
    from .metrics import listening, metrics_served
    from .stopping import stopping_on_signals

    plan, out = _plan(endpoints, options), console()
    results = options["out"] or Path(f"{plan.seeds.stem}.evolved.jsonl")
    check_results(results, plan.folder)
    bad_rows = results.with_name(f"{results.stem}.quarantine.jsonl")
    with listening(options["metrics_port"]) as listener:
        async with ClusterRun(plan, options["ray_address"]) as run, metrics_served(run.look, listener, out):
            with stopping_on_signals(run, out):
                _say_hello(run, plan, out)
                await _finish(run, plan, out)
                summary = await asyncio.to_thread(run.summary)
                await asyncio.to_thread(write_results, plan.folder, run.run, results)
                quarantined = await asyncio.to_thread(write_quarantine, plan.folder, run.run, bad_rows)
                why = await asyncio.to_thread(reasons, plan.folder, run.run)
    if summary.samples == 0 and not run.stopped:
        raise EvolgraphError("no row could be used", where=str(plan.seeds), remedy=f"see {bad_rows}")
    working = replace(summary, seconds=run.status.seconds)  # the start of Ray would count for every sample
    told = estimated(working, run, plan.endpoints, plan.seeds) if options["estimate"] else {}
    if options["as_json"]:
        click.echo(orjson.dumps({**asdict(summary), **told}).decode())
    else:
        show(summary, why, told, out)
        more = f", bad rows {bad_rows}" if quarantined else ""
        out.print(f"results {results}, stores in {plan.folder}{more}", soft_wrap=True)
    return exit_code(summary, run.stopped, out)


def _plan(endpoints: Any, options: dict[str, Any]) -> "Plan":
    from ..cluster.plan import Plan

    absolute = {name: options[name] and options[name].absolute() for name in ("seeds", "images", "prompts")}
    folder: Path = options["store"] or Path(f"{options['seeds'].stem}.shards")
    if folder.exists() and not folder.is_dir():
        raise EvolgraphError("not a folder", where=str(folder), remedy="name a folder with --store")
    return Plan(
        seeds=absolute["seeds"],
        folder=folder.absolute(),
        workers=options["workers"] or os.cpu_count() or 1,
        settings=settings_of(options | {"prompts": absolute["prompts"]}),
        images=absolute["images"],
        layout=options["layout"],
        hosts=tuple(options["allow_image_hosts"]),
        endpoints=tuple(endpoints),
        resume=options["resume"] == "auto",
    )


def _say_hello(run: "ClusterRun", plan: "Plan", out: "Console") -> None:
    from .display import same_model

    if not plan.endpoints:
        words = "No --endpoint given: the embedded model answers, one for each worker. It is a set of rules, not a"
        out.print(f"{words} language model.", soft_wrap=True)
    elif line := same_model(plan.endpoints):
        out.print(line, soft_wrap=True)
    known = f", as many as the run has had, not {plan.workers}" if run.workers != plan.workers else ""
    out.print(f"{run.workers} workers{known}", soft_wrap=True)


async def _finish(run: "ClusterRun", plan: "Plan", out: "Console") -> None:
    from ..graph.forecast import Forecast
    from .display import progress_line, show_progress

    forecast = Forecast(plan.settings.rounds, run.workers * plan.settings.concurrency)

    def line(seconds: float) -> str:
        status = run.status
        told = progress_line(status.progress, status.stats, status.outages, seconds, forecast)
        restarts = f" | {status.restarts} workers restarted" if status.restarts else ""
        return f"{run.workers} workers | {told}{restarts}"

    display = asyncio.create_task(show_progress(line, out))
    try:
        await run.finish()
    finally:
        display.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await display
