"""The plots of an evaluation as one page that opens offline: figures are drawn into it as SVG."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .estimators import ESTIMATORS
from .evaluation import Evaluation, Judged
from .log import Floats, Log
from .recorded import Recorded

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}"
    "h2{margin-top:2em}svg{max-width:100%;height:auto}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}.note{color:#666}"
)
_SLICES: Final = 6
_POINTS: Final = 1000


def page(record: Recorded, evaluation: Evaluation) -> str:
    """The page as HTML."""
    matplotlib.rcParams["svg.hashsalt"] = "evolgraph"  # the same data gives the same file
    judged = [one for one in evaluation.policies if one.verdict != "refused"]
    targets = {one.policy: one.targets for one in judged if one.targets is not None}
    log = record.log
    parts = [
        ("Verdicts", _verdicts(evaluation)),
        ("Mean summed reward by estimator, 95% intervals", _svg(_values(evaluation, judged)) if judged else ""),
        ("Weights of the samples", _svg(_weights(log, targets)) if targets else ""),
        ("Shares of directions by round", _svg(_shares(log, _by_round(log), targets))),
        ("Shares of directions by kind of image", _svg(_shares(log, _by_kind(record), targets))),
        ("Reward so far, in the order of the seeds", _svg(_cumulative(log))),
        ("Reward against cost", _svg(_costs(evaluation, judged))),
    ]
    body = "".join(f"<h2>{escape(title)}</h2>{content}" for title, content in parts if content)
    body = f"<h1>Routing policies on run {escape(evaluation.run)}</h1>{body}"
    head = f"<title>Policies, run {escape(evaluation.run)}</title><style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}</head><body>{body}</body></html>\n'


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _verdicts(evaluation: Evaluation) -> str:
    logged = evaluation.logged
    rows = [("logged: " + ", ".join(evaluation.logging), "", str(logged), "", "", "")]
    for one in evaluation.policies:
        shown, over = str(one.estimates.get("dr", "")), str(one.difference or "")
        rows.append((one.policy, one.verdict, shown, over, f"{one.ess:.0f}", one.reason))
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    heads = "".join(
        f"<th>{name}</th>" for name in ("policy", "verdict", "doubly robust", "over the log", "effective images", "")
    )
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in evaluation.warnings)
    counts = f"{evaluation.samples} samples of {evaluation.images} images, {evaluation.rounds} rounds"
    return f"<p>{counts}</p>{notes}<table><tr>{heads}</tr>{cells}</table>"


def _values(evaluation: Evaluation, judged: Sequence[Judged]) -> Figure:
    figure = Figure(figsize=(9, 1.5 + 0.9 * len(judged)))
    axes = figure.subplots()
    for place, name in enumerate(ESTIMATORS):
        found = [one.estimates[name] for one in judged]
        values = np.array([one.value for one in found])
        sides = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
        rows = np.arange(len(judged)) + (place - 2) * 0.14
        axes.errorbar(values, rows, xerr=np.maximum(sides, 0), fmt="o", markersize=4, capsize=2, label=name)
    axes.axvspan(evaluation.logged.low, evaluation.logged.high, color="0.9", label="logged")
    axes.set_yticks(range(len(judged)), [one.policy[:40] for one in judged])
    axes.invert_yaxis()
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _weights(log: Log, targets: dict[str, Floats]) -> Figure:
    figure = Figure(figsize=(9, 3))
    axes = figure.subplots()
    for name, target in targets.items():
        final = (log.of_chosen(target) / log.propensities).prod(axis=1)
        axes.hist(np.log10(np.maximum(final, 1e-3)), bins=40, range=(-3, 2), histtype="step", label=name[:40])
    axes.set_xlabel("log10 of the weight (those below 0.001 are at -3)")
    axes.set_ylabel("samples")
    axes.legend()
    return figure


def _by_round(log: Log) -> dict[str, Any]:
    numbers = np.broadcast_to(np.arange(log.actions.shape[1]), log.actions.shape)
    return {f"round {number + 1}": log.taken & (numbers == number) for number in range(log.actions.shape[1])}


def _by_kind(record: Recorded) -> dict[str, Any]:
    kinds = np.array([str(record.contexts(at)[0].features["kind"]) for at in range(record.log.samples)])
    found, counts = np.unique(kinds, return_counts=True)
    commonest = found[np.argsort(-counts)][:_SLICES]
    return {str(kind): record.log.taken & (kinds == kind)[:, None] for kind in commonest}


def _shares(log: Log, slices: dict[str, Any], targets: dict[str, Floats]) -> Figure:
    policies = {"logged": log.logged, **targets}
    figure = Figure(figsize=(9, 2.2 * len(policies)))
    grid = np.ravel(figure.subplots(len(policies), 1, sharex=True))
    for axes, (name, vectors) in zip(grid, policies.items(), strict=True):
        means = np.array([vectors[rows].mean(axis=0) for rows in slices.values()])
        reached = np.zeros(len(slices))
        for place, direction in enumerate(log.directions):
            axes.bar([*slices], means[:, place], bottom=reached, label=direction)
            reached += means[:, place]
        axes.set_title(name[:60], fontsize=10)
        axes.set_ylim(0, 1)
    figure.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure


def _cumulative(log: Log) -> Figure:
    figure = Figure(figsize=(9, 3))
    axes = figure.subplots()
    reached = np.unique(np.linspace(0, log.samples - 1, _POINTS).astype(int))
    axes.plot(reached + 1, log.signals["reward"].sum(axis=1).cumsum()[reached])
    axes.set_xlabel("samples")
    axes.set_ylabel("summed reward")
    return figure


def _costs(evaluation: Evaluation, judged: Sequence[Judged]) -> Figure:
    figure = Figure(figsize=(9, 3.5))
    axes = figure.subplots()
    for name, metrics in [("logged", evaluation.logged_metrics), *((one.policy, one.metrics) for one in judged)]:
        gain, price = metrics["gain"], metrics["tokens_per_gain"]
        if gain and price:
            axes.plot(price.value * gain.value, gain.value, "o", label=name[:40])
    axes.set_xlabel("tokens a sample")
    axes.set_ylabel("points of complexity gained a sample")
    if axes.lines:
        axes.legend()
    return figure
