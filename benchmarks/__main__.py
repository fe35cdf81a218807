"""`python -m benchmarks`: the measurements by name."""

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson

from . import ablations as ablation_scenario
from . import caches as cache_scenario
from . import engines as engine_scenario
from . import estimators as estimating
from . import fuzz as fuzzing
from . import judging as judging_scenario
from . import lanes as lane_scenario
from . import logs as log_scenario
from . import memory as memory_scenario
from . import mix as mixing
from . import online as learning
from . import parts as part_scenario
from . import routing as routes
from . import seeds as seed_scenario
from . import shards as shard_scenario
from . import size as size_scenario
from . import soak as soaking
from . import startup as start_scenario
from . import suite, viewing
from . import tuning as tuning_scenario
from . import workers as worker_scenario
from .kills import Plan, kills, shown
from .resume import resume
from .throughput import Workload, table, throughput

_NEW = Workload()
_PLAN = Plan()
_WORKERS = worker_scenario.Plan()
_SHARDS = shard_scenario.Plan()
_MIX = mixing.Plan()
_LANES = lane_scenario.Plan()
_SEEDS = seed_scenario.Plan()
_SOAK = soaking.Soak()
_TRIAL = judging_scenario.Trial()
_ABLATIONS = ablation_scenario.Plan()
_FUZZ = fuzzing.Fuzz()
_ESTIMATORS = estimating.Plan()
_ROUTING = routes.Plan()
_TUNING = tuning_scenario.Plan()
_ONLINE = learning.Plan()
_LOGS = log_scenario.Plan()
_CACHES = cache_scenario.Scenario(endpoint="", model="")
_ENGINES = engine_scenario.Plan()
_PARTS = part_scenario.Plan()
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(invoke_without_command=True)
@click.option("--full", is_flag=True, help="In the size that the project's figures are of: an hour or more.")
@click.pass_context
def benchmarks(ctx: click.Context, full: bool) -> None:
    """Measure evolgraph on this machine: without a command, all that needs nothing else."""
    if ctx.invoked_subcommand is None:
        click.echo(suite.run(full).read_text())


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


@benchmarks.command("kills")
@click.option("--kills", default=_PLAN.kills, show_default=True, type=click.IntRange(1))
@click.option("--samples", default=_PLAN.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_PLAN.rounds, show_default=True, type=click.IntRange(1))
@click.option("--latency-ms", default=_PLAN.latency_ms, show_default=True, type=click.FloatRange(0))
@click.option("--seed", default=_PLAN.seed, show_default=True, help="Draws the samples and the moments of the kills.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def _kills(ctx: click.Context, as_json: bool, **options: float) -> None:
    """Kill evolutions at random moments until they are done: nothing lost, nothing paid twice. Exit code 1 if not."""
    found = kills(Plan(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else shown(found))
    ctx.exit(0 if found["sound"] else 1)


@benchmarks.command("lanes")
@click.option("--latency-ms", default=_LANES.latency_ms, show_default=True, type=click.FloatRange(1))
@click.option("--warm-up-s", default=_LANES.warm_up_s, show_default=True, type=click.FloatRange(0))
@click.option("--measured-s", default=_LANES.measured_s, show_default=True, type=click.FloatRange(1))
@click.option("--samples", default=_LANES.samples, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _lanes(as_json: bool, **options: float) -> None:
    """How busy four servers of unlike capacity are kept, and what the death of one does."""
    found = lane_scenario.lanes(lane_scenario.Plan(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else lane_scenario.shown(found))


@benchmarks.command("workers")
@click.option("--samples", default=_WORKERS.samples, show_default=True, type=click.IntRange(1))
@click.option("--turns", default=_WORKERS.turns, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _workers(as_json: bool, **options: int) -> None:
    """Calls a second and CPU a call of one run on Ray by one worker and by two."""
    found = worker_scenario.workers(worker_scenario.Plan(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else worker_scenario.shown(found))


@benchmarks.command("shards")
@click.option("--samples", default=_SHARDS.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_SHARDS.rounds, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=_SHARDS.workers, show_default=True, type=click.IntRange(1))
@click.option("--kills", default=_SHARDS.kills, show_default=True, type=click.IntRange(0))
@click.option("--endpoints", default=_SHARDS.endpoints, show_default=True, type=click.IntRange(1))
@click.option("--store", type=click.Path(path_type=Path), help="Folder to keep the stores in.")
@_AS_JSON
@click.pass_context
def _shards(ctx: click.Context, as_json: bool, store: Path | None, **options: int) -> None:
    """A long run by several workers, one of them killed midway: nothing lost, and what it holds. Exit code 1 if not."""
    found = shard_scenario.sharded(shard_scenario.Plan(**options), store)
    click.echo(orjson.dumps(found).decode() if as_json else shard_scenario.shown(found))
    ctx.exit(0 if found["sound"] else 1)


@benchmarks.command("mix")
@click.option("--samples", default=_MIX.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_MIX.rounds, show_default=True, type=click.IntRange(1))
@click.option("--share", default=_MIX.share, show_default=True, type=click.FloatRange(0, 1))
@click.option("--seed", default=_MIX.seed, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def _mix(ctx: click.Context, as_json: bool, **options: float) -> None:
    """A run whose requests meet faults of every kind: all samples are settled, with the right reasons. Else exit 1."""
    found = mixing.mix(mixing.Plan(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else mixing.shown(found))
    ctx.exit(0 if found["sound"] else 1)


@benchmarks.command("judging")
@click.option("--samples", default=_TRIAL.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_TRIAL.rounds, show_default=True, type=click.IntRange(1))
@click.option("--plant", "plants", default=_TRIAL.plants, show_default=True, multiple=True, metavar="KIND:RATE")
@click.option("--seed", default=_TRIAL.seed, show_default=True)
@click.option("--option", "options", multiple=True, help="A word more for `evolve`, such as --ablate=judge.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _judging(as_json: bool, **options: Any) -> None:
    """How many planted defects are rejected, by kind, and how many sound pairs are lost."""
    found = judging_scenario.judging(judging_scenario.Trial(**options))
    click.echo(orjson.dumps(found).decode() if as_json else judging_scenario.shown(found))


@benchmarks.command("ablations")
@click.option("--samples", default=_ABLATIONS.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_ABLATIONS.rounds, show_default=True, type=click.IntRange(1))
@click.option("--plant", "plants", default=_ABLATIONS.plants, multiple=True, metavar="KIND:RATE", show_default=True)
@click.option("--seed", default=_ABLATIONS.seed, show_default=True)
@click.option(
    "--variant", "variants", default=_ABLATIONS.variants, multiple=True, help="Only this one; repeatable.",
    type=click.Choice(list(ablation_scenario.VARIANTS)),
)  # fmt: skip
@_AS_JSON
def _ablations(as_json: bool, **options: Any) -> None:
    """What each part of elimination is worth: planted defects rejected, sound pairs lost, calls, without it."""
    found = ablation_scenario.ablations(ablation_scenario.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else ablation_scenario.shown(found))


@benchmarks.command("seeds")
@click.option("--rows", default=_SEEDS.rows, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def _seeds(ctx: click.Context, as_json: bool, rows: int) -> None:
    """How soon a long seed file gives its first call, and whether memory stays flat. Exit code 1 if not."""
    found = seed_scenario.seeds(seed_scenario.Plan(rows=rows))
    click.echo(orjson.dumps(found).decode() if as_json else seed_scenario.shown(found))
    ctx.exit(0 if found["prompt"] and found["flat"] else 1)


@benchmarks.command("soak")
@click.option("--minutes", default=_SOAK.minutes, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--rounds", default=_SOAK.rounds, show_default=True, type=click.IntRange(1, 7))
@click.option("--latency-ms", default=_SOAK.latency_ms, show_default=True, type=click.FloatRange(1))
@click.option("--slots", default=_SOAK.slots, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def _soak(ctx: click.Context, as_json: bool, **options: float) -> None:
    """One evolution for minutes: memory, open files and store stay flat. Exit code 1 if not."""
    found = soaking.soak(soaking.Soak(**options))  # type: ignore[arg-type]
    click.echo(orjson.dumps(found).decode() if as_json else soaking.shown(found))
    ctx.exit(0 if found["flat"] else 1)


@benchmarks.command("fuzz")
@click.option("--seconds", default=_FUZZ.seconds, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--seed", default=_FUZZ.seed, show_default=True, type=click.IntRange(0), help="Other inputs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def _fuzz(ctx: click.Context, as_json: bool, **options: Any) -> None:
    """Mutated seed files, tables and images are read: no traceback, no crash, no hang. Exit code 1 if not."""
    found = fuzzing.fuzz(fuzzing.Fuzz(**options))
    click.echo(orjson.dumps(found).decode() if as_json else fuzzing.shown(found))
    ctx.exit(0 if found["clean"] else 1)


@benchmarks.command("viewing")
@click.option("--samples", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--commits", default=2_000, show_default=True, type=click.IntRange(800))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _viewing(samples: int, commits: int, as_json: bool) -> None:
    """How long the viewer's grid takes over many samples, and what a viewer does to the run's commits."""
    found = viewing.viewing(samples, commits)
    click.echo(orjson.dumps(found).decode() if as_json else viewing.shown(found))


@benchmarks.command("resume")
@click.option("--samples", default=100_000, show_default=True, type=click.IntRange(1))
def _resume(samples: int) -> None:
    """How long a restart looks for its unfinished samples. Prints one JSON object."""
    click.echo(orjson.dumps(resume(samples)).decode())


@benchmarks.command("caches")
@click.option("--endpoint", required=True, metavar="URL", help="A vLLM that nobody else uses meanwhile.")
@click.option("--model", required=True)
@click.option("--seeds", default=_CACHES.seeds, show_default="the ten seeds", type=click.Path(path_type=Path))
@click.option("--rounds", default=_CACHES.rounds, show_default=True, type=click.IntRange(1))
@click.option("--ablate", default=_CACHES.ablate, show_default=True, multiple=True, metavar="PART")
@click.option("--policy", default=_CACHES.policy, show_default=True, help="Routing policy, as `evolve` takes it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _caches(as_json: bool, **options: Any) -> None:
    """Image and prefix cache hits of a vLLM, in evolgraph's order of prompts and in the original's."""
    found = asyncio.run(cache_scenario.caches(cache_scenario.Scenario(**options)))
    click.echo(orjson.dumps(found).decode() if as_json else cache_scenario.shown(found))


@benchmarks.command("engines")
@click.option("--samples", default=_ENGINES.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_ENGINES.rounds, show_default=True, type=click.IntRange(1, 7))
@click.option("--endpoints", default=_ENGINES.endpoints, show_default=True, type=click.IntRange(1))
@click.option("--slots", default=_ENGINES.slots, show_default=True, type=click.IntRange(1))
@click.option("--cache-blocks", default=_ENGINES.cache_blocks, show_default=True, type=click.IntRange(1))
@click.option("--concurrency", default=_ENGINES.concurrency, show_default=True, type=click.IntRange(1))
@click.option("--variant", "variants", default=_ENGINES.variants, multiple=True, help="Only this one; repeatable.")
@_AS_JSON
def _engines(as_json: bool, **options: Any) -> None:
    """What GPUs are used for, on mock engines in virtual time, beside runs that do one thing as others do it."""
    found = engine_scenario.compare(engine_scenario.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else engine_scenario.shown(found))


@benchmarks.command("parts")
@click.option("--samples", default=_PARTS.samples, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=_PARTS.rounds, show_default=True, type=click.IntRange(1, 7))
@click.option("--turns", default=_PARTS.turns, show_default=True, type=click.IntRange(2), help="Runs on and off.")
@_AS_JSON
def _parts(as_json: bool, **options: Any) -> None:
    """CPU a call by parts of the program, and what progress and traces cost."""
    found = part_scenario.parts(part_scenario.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else part_scenario.shown(found))


@benchmarks.command("memory")
@click.option("--samples", default=(1_000, 10_000), show_default=True, multiple=True, type=click.IntRange(1))
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop each run then.")
@_AS_JSON
def _memory(as_json: bool, samples: tuple[int, ...], seconds: float | None) -> None:
    """Peak memory against the number of drawn samples, one round each."""
    found = memory_scenario.memory(samples, seconds)
    click.echo(orjson.dumps(found).decode() if as_json else memory_scenario.shown(found))


@benchmarks.command("startup")
@click.option("--times", default=20, show_default=True, type=click.IntRange(1))
@_AS_JSON
def _startup(as_json: bool, times: int) -> None:
    """Seconds of `evolgraph --help` and of a run of ten samples."""
    found = start_scenario.startup(times)
    click.echo(orjson.dumps(found).decode() if as_json else start_scenario.shown(found))


@benchmarks.command("size")
@click.option("--samples", default=200, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 7))
@_AS_JSON
def _size(as_json: bool, samples: int, rounds: int) -> None:
    """Bytes of store a sample-round, by table, column and page."""
    found = size_scenario.size(samples, rounds)
    click.echo(orjson.dumps(found).decode() if as_json else size_scenario.shown(found))


@benchmarks.command("estimators")
@click.option("--repetitions", default=_ESTIMATORS.repetitions, show_default=True, type=click.IntRange(1))
@click.option("--samples", default=_ESTIMATORS.samples, show_default=True, type=click.IntRange(10))
@click.option("--seed", default=_ESTIMATORS.seed, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _estimators(as_json: bool, **options: int) -> None:
    """Coverage and error of the estimates of other policies, in simulated processes whose truths are known."""
    found = estimating.estimators(estimating.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else estimating.shown(found))


@benchmarks.command("routing")
@click.option("--logged", default=_ROUTING.logged, show_default=True, type=click.IntRange(100))
@click.option("--fresh", default=_ROUTING.fresh, show_default=True, type=click.IntRange(10))
@click.option("--trials", default=_ROUTING.trials, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=_ROUTING.seed, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _routing(as_json: bool, **options: int) -> None:
    """A policy tuned on a uniform run of drawn samples, then run on fresh ones, with the embedded model."""
    found = routes.routing(routes.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else routes.shown(found))


@benchmarks.command("logs")
@click.option("--samples", default=_LOGS.samples, show_default=True, type=click.IntRange(1))
@click.option("--reuse", default=_LOGS.reuse, show_default=True, type=click.IntRange(1), help="Samples of an image.")
@click.option("--trials", default=_LOGS.trials, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=_LOGS.seed, show_default=True)
@click.option("--store", type=click.Path(path_type=Path), help="Where the log is, or is made and kept.")
@_AS_JSON
def _logs(as_json: bool, store: Path | None, **options: int) -> None:
    """Seconds and memory of `policy evaluate`, `tune` and `plot` on a large log."""
    found = log_scenario.logs(log_scenario.Plan(**options), store)
    click.echo(orjson.dumps(found).decode() if as_json else log_scenario.shown(found))


@benchmarks.command("tuning")
@click.option("--seeds", default=_TUNING.seeds, show_default=True, type=click.IntRange(1))
@click.option("--first", default=_TUNING.first, show_default=True, type=click.IntRange(0), help="The first seed.")
@click.option("--samples", default=_TUNING.samples, show_default=True, type=click.IntRange(100))
@click.option("--trials", default=_TUNING.trials, show_default=True, type=click.IntRange(1))
@click.option("--family", default=_TUNING.family, show_default=True)
@click.option(
    "--environment",
    "environments",
    multiple=True,
    type=click.Choice(_TUNING.environments),
    default=_TUNING.environments,
    show_default=True,
)
@click.option("--processes", default=_TUNING.processes, show_default=True, type=click.IntRange(1))
@_AS_JSON
def _tuning(as_json: bool, **options: Any) -> None:
    """What tuned policies recover of the best one's lead in simulated processes, and whether their intervals hold."""
    found = tuning_scenario.tuning(tuning_scenario.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else tuning_scenario.shown(found))


@benchmarks.command("online")
@click.option("--policy", default=_ONLINE.policy, show_default=True)
@click.option("--seeds", default=_ONLINE.seeds, show_default=True, type=click.IntRange(2))
@click.option("--samples", default=_ONLINE.samples, show_default=True, type=click.IntRange(1))
@_AS_JSON
def _online(as_json: bool, **options: Any) -> None:
    """What a learning policy earns beside uniform while it learns, in simulated processes."""
    found = learning.online(learning.Plan(**options))
    click.echo(orjson.dumps(found).decode() if as_json else learning.shown(found))


benchmarks(prog_name="python -m benchmarks")
