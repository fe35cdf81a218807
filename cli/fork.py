"""`evolgraph trace fork`: what if a sample had gone another way."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from .configuration import endpoint_options, endpoints_of

if TYPE_CHECKING:
    from ..graph.forking import Forked

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("store", type=_PATH)
@click.argument("sample")
@click.option("--round", "number", required=True, type=click.IntRange(1), help="The first round that is run anew.")
@click.option("--direction", help="Where to go in that round.  [default: the policy chooses]")
@click.option("--policy", help="Routing policy of the rounds that follow.  [default: the run's]")
@click.option("--prompts", type=_PATH, help="Folder of prompt texts that replace single ones.")
@click.option("--run", help="The run to fork.  [default: the newest that is no fork]")
@click.option("--images", type=_PATH, help="Folder that image paths are relative to.  [default: the run's]")
@endpoint_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def fork(ctx: click.Context, /, **options: Any) -> None:
    """Run SAMPLE of STORE on from before a round, as a run of its own in the same store.

    For a run that was made with --checkpoints all. Its rounds stay as they are; the fork holds a copy of those before
    its own. Without --endpoint the embedded model answers.
    """
    from ..graph.forking import Turn
    from ..graph.forking import fork as run_on
    from .view import run_images

    endpoints = endpoints_of(ctx, options["endpoint_urls"], options["models"], options["key_env"])
    turn = Turn(options["sample"], options["number"], options["direction"], options["policy"], options["prompts"])
    images = options["images"] or run_images(options["store"])
    made = asyncio.run(run_on(options["store"], turn, run=options["run"], images=images, endpoints=endpoints))
    if options["as_json"]:
        outcome = asdict(made.outcome) | {"qas": [qa.model_dump(mode="json") for qa in made.outcome.qas]}
        click.echo(orjson.dumps({"run": made.run, "parent": made.parent, "outcome": outcome}).decode())
    else:
        click.echo(_told(made))
    ctx.exit(1 if made.outcome.status == "failed" else 0)


def _told(made: "Forked") -> str:
    end = made.outcome
    scores = f", complexity {end.complexity_before:.2f} -> {end.complexity_after:.2f}" if end.complexity_after else ""
    rounds = f"{end.rounds} round{'s' if end.rounds != 1 else ''}"
    return f"run {made.run}, a fork of {made.parent}: {end.id} {end.status} after {rounds}{scores}"
