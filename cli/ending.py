"""What a run on one machine and one on Ray have in common as commands: their settings, and how they end."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..endpoints.endpoint import Endpoint, one_price
from ..errors import EvolgraphError
from ..graph.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from ..cluster.driver import ClusterRun
    from ..graph.outcome import Summary
    from ..graph.run import Evolution

EXIT_FAILED: Final = 1
EXIT_BUDGET: Final = 3
EXIT_INTERRUPTED: Final = 130


def settings_of(options: dict[str, Any]) -> Settings:
    """The settings that the options say. Raises EvolgraphError for a kind of failure that does not exist."""
    from ..graph.checks import check_kind

    check_kind(options["retry_failed"])
    limit = {"limit": options["estimate"]} if options["estimate"] else {}
    return Settings(**{name: options[name] for name in Settings.model_fields} | limit)


def exit_code(summary: "Summary", stopped: str | None, out: "Console") -> int:
    """How the command ends, which `out` is told where there is something left to do."""
    from .stopping import GO_ON, INTERRUPTED

    if stopped:
        out.print(f"{stopped}: {GO_ON}", soft_wrap=True)
        return EXIT_INTERRUPTED if stopped == INTERRUPTED else EXIT_BUDGET
    return EXIT_FAILED if summary.failed else 0


def show(
    summary: "Summary", reasons: dict[str, list[tuple[str, int, str]]], told: dict[str, Any], out: "Console"
) -> None:
    """Prints the run's tables and the estimate that was `told`, if any."""
    from .display import show_estimate, show_summary

    show_summary(summary, reasons, out)
    if told:
        show_estimate(told["estimate"], out)
    if not summary.calls and not summary.pending:
        out.print("Every sample was settled already: no call was made.")
    if summary.failed:
        some = f"{summary.failed} samples" if summary.failed > 1 else "1 sample"
        out.print(f"{some} failed: the same command with --retry-failed takes up what failed again.", soft_wrap=True)


def estimated(
    summary: "Summary", run: "Evolution | ClusterRun", endpoints: Sequence[Endpoint], seeds: Path
) -> dict[str, Any]:
    """What all seeds would take, going by the samples that `run` has evolved: for `show`; empty when it was stopped.

    Raises EvolgraphError when there was nothing to go by.
    """
    from ..graph.outcome import estimate
    from ..samples.formats.reader import rows

    evolved = run.progress.done - run.progress.resumed
    if not evolved and run.stopped:
        return {}
    if not evolved:
        raise EvolgraphError(
            "the samples to estimate from are settled already", where=str(seeds), remedy="raise --estimate"
        )
    return {"estimate": asdict(estimate(summary, evolved, sum(1 for _ in rows(seeds)), *one_price(endpoints)))}
