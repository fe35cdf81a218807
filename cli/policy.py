"""`evolgraph policy`: which policies there are, what they would have earned on a run, and better ones."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from ..errors import EvolgraphError
from .stores import StorePath
from .working import told_how_far

if TYPE_CHECKING:
    from ..graph.tuning.evaluation import Evaluation
    from ..graph.tuning.recorded import Recorded

_STORE = click.argument("store", type=StorePath())
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_POLICIES = click.option(
    "--policy", "specs", multiple=True, metavar="NAME|FILE", help="Policy to judge; repeatable.  [default: uniform]"
)


@click.group()
def policy() -> None:
    """Judge and tune routing policies on a recorded run, without asking any model."""


@policy.command(name="list")
@_JSON
def list_policies(as_json: bool) -> None:
    """List the policies: built in, and of installed packages."""
    from ..graph.policies.registry import factories

    found = {name: (factory.__doc__ or "").strip().partition("\n")[0] for name, factory in factories().items()}
    if as_json:
        click.echo(orjson.dumps({"policies": [{"name": n, "about": about} for n, about in found.items()]}).decode())
        return
    for name, about in found.items():
        click.echo(f"{name:16} {about}")


@policy.command()
@_STORE
@_POLICIES
@_JSON
def evaluate(store: Path, specs: tuple[str, ...], as_json: bool) -> None:
    """Estimate what policies would have earned on the newest run in STORE, with 95% intervals over its images."""
    _, evaluation = _evaluated(store, specs)
    if as_json:
        told = asdict(evaluation)
        for one in told["policies"]:
            del one["targets"]
        click.echo(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY).decode())
        return
    click.echo(f"{evaluation.samples} samples of {evaluation.images} images, routed by {', '.join(evaluation.logging)}")
    for warning in evaluation.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"logged: mean summed reward {evaluation.logged}")
    for one in evaluation.policies:
        click.echo(f"\n{one.policy}: {one.verdict}{': ' + one.reason if one.reason else ''}")
        click.echo(f"  {one.ess:.0f} effective images, overlap {one.overlap:.2f}, {one.clipped:.1%} of weights clipped")
        for name, found in one.estimates.items():
            click.echo(f"  {name:10} {found}")
        if one.difference:
            click.echo(f"  over the log {one.difference}")
            click.echo(f"  one step, over the logged states: {one.one_step['dr']}")
        for name, metric in one.metrics.items():
            click.echo(f"  {name:15} {metric if metric else 'unknown'}")


@policy.command()
@_STORE
@click.option(
    "--family", type=click.Choice(["softmax", "fixed", "linear-thompson"]), default="softmax", show_default=True
)
@click.option("--trials", type=click.IntRange(1), default=100, show_default=True, help="Settings that are tried.")
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Policy file to write (TOML).")
@_JSON
def tune(*, store: Path, family: str, trials: int, seed: int, output: Path, as_json: bool) -> None:
    """Search a family of policies on the newest run in STORE for the highest lower confidence bound.

    The file is for `evolve --policy FILE` and `policy evaluate --policy FILE`.
    """
    _need_tuning()
    from ..graph.results import check_writable, replacing
    from ..graph.tuning.recorded import recorded
    from ..graph.tuning.tuning import policy_file, tune

    check_writable(output)
    with told_how_far() as tell:
        tuned = tune(recorded(store, tell), family, trials, seed, tell)
    with replacing(output) as stream:
        stream.write(policy_file(tuned, store.name).encode())
    if as_json:
        told: dict[str, Any] = asdict(tuned)
        del told["spec"]
        click.echo(orjson.dumps(told | {"output": str(output)}).decode())
        return
    click.echo(f"{output}: mean summed reward {tuned.value} (the best of {tuned.trials} different settings)")
    click.echo(f"the log earned {tuned.logged:.4f}")
    if tuned.refused:
        click.echo(f"{tuned.refused} of the settings were passed over: the log can say nothing of their policies")
    if tuned.searched < tuned.samples:
        others = tuned.samples - tuned.searched
        click.echo(f"searched with {tuned.searched:,} samples of random images, valued on the other {others:,}")
    if tuned.value.low <= tuned.logged:
        click.echo("it may be no better than the policy that routed: log more samples")


@policy.command()
@_STORE
@_POLICIES
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="HTML file to write.")
@_JSON
def plot(store: Path, specs: tuple[str, ...], output: Path, as_json: bool) -> None:
    """Draw what is known of policies on the newest run in STORE, as one page that opens offline."""
    _need_tuning()
    from ..graph.results import check_writable, replacing
    from ..graph.tuning.plots import page

    check_writable(output)
    record, evaluation = _evaluated(store, specs)
    drawn = page(record, evaluation)
    with replacing(output) as stream:
        stream.write(drawn.encode())
    click.echo(orjson.dumps({"output": str(output)}).decode() if as_json else str(output))


def _evaluated(store: Path, specs: tuple[str, ...]) -> "tuple[Recorded, Evaluation]":
    _need_tuning()
    from ..graph.policies.registry import load_policy
    from ..graph.tuning.evaluation import evaluate
    from ..graph.tuning.recorded import recorded

    policies = {spec: load_policy(spec) for spec in specs or ("uniform",)}
    with told_how_far() as tell:
        record = recorded(store, tell)
        return record, evaluate(record, policies, tell=tell)


def _need_tuning() -> None:
    """Raises EvolgraphError where the extra `tuning` is not installed."""
    try:
        import matplotlib  # noqa: F401
        import optuna  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        remedy = "install evolgraph[tuning]"
        raise EvolgraphError(f"{error.name} is not installed", where="policy", remedy=remedy) from error
